"""The common answer, judged without making anything of it: the checks have nothing to say.

For each operation and status it is worked out once what the checks could find at all; what is
left to do for an answer is to read its body and to hold it against a compiled schema. Whatever is
not plainly in order is left to the checks themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from premortem.checks import (
    accepted_invalid,
    auth_ignored,
    response_shape,
    server_error,
    undeclared_status,
)
from premortem.checks.check import Known
from premortem.domain.bodies import is_json
from premortem.domain.run import Case
from premortem.domain.traffic import Pairs, Response, media_type_of

RULES_MAX = 100_000
"""Operations x statuses that are remembered."""
HEADERS_MAX = 1_024
"""Headers of answers whose media type is remembered."""

_Fits = Callable[[Any], bool]
_decode = msgspec.json.Decoder().decode


def _anything(_: Any) -> bool:
    """A mark: no body is looked at."""
    return True


class Quick:
    """Stands for the checks named in NAMES; ALL_KNOWN: there is none among them that it does not
    know of. KNOWN: operation id -> what is known of it, UNKNOWN: of all others."""

    def __init__(
        self,
        names: Collection[str],
        *,
        all_known: bool,
        known: Mapping[str, Known],
        unknown: Known,
    ) -> None:
        self._names = frozenset(names)
        self._usable = all_known
        self._known = known
        self._unknown = unknown
        self._rules: dict[tuple[str, int], _Fits | None] = {}
        self._json: dict[Pairs, bool] = {}
        invalid = self._names & {accepted_invalid.NAME, auth_ignored.NAME}
        self._judges_requests = bool(invalid)

    def passes(self, case: Case, response: Response) -> bool:
        """Whether the checks certainly have nothing to say of RESPONSE."""
        status = response.status
        key = (case.operation_id, status)
        try:
            fits = self._rules[key]
        except KeyError:
            fits = self._rule(*key)
        if fits is None:
            return False
        if status < 300 and self._judges_requests:
            # Only an answer 2xx can be wrong because of what was asked for.
            intent = case.intent
            if (
                intent.expects == "refusal"
                or 400 <= case.recorded_status < 500
                or (intent.breaks and intent.breaks.startswith("auth "))
            ):
                return False
        if fits is _anything:
            return True
        body = response.body
        if not body:
            return True
        if len(body) > response_shape.BODY_BYTES_MAX or not self._says_json(response.headers):
            return False
        try:
            return fits(_decode(body))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False

    def _says_json(self, headers: Pairs) -> bool:
        # Servers repeat their headers, and connections remember them: mostly the same object.
        found = self._json.get(headers)
        if found is None:
            media_type = media_type_of(headers)
            found = not media_type or is_json(media_type)
            if len(self._json) >= HEADERS_MAX:
                self._json.clear()
            self._json[headers] = found
        return found

    def _rule(self, operation_id: str, status: int) -> _Fits | None:
        """What the body of an answer with STATUS has to fit; None: ask the checks."""
        if len(self._rules) >= RULES_MAX:
            self._rules.clear()
        rule = self._rules[operation_id, status] = self._worked_out(
            self._known.get(operation_id, self._unknown), status
        )
        return rule

    def _worked_out(self, known: Known, status: int) -> _Fits | None:
        if not self._usable or (status >= 500 and server_error.NAME in self._names):
            return None
        operation = known.operation
        if (
            undeclared_status.NAME in self._names
            and operation is not None
            and operation.in_spec
            and operation.declared
            and 200 <= status < 500
            and status not in undeclared_status.SILENT
            and not known.declares(status)
        ):
            return None
        if response_shape.NAME not in self._names or not response_shape.is_judged(status):
            return _anything
        answer = known.answer(status)
        if answer is None or not answer.schema or not response_shape.counts(answer, status):
            return _anything
        name = f"{operation.id if operation is not None else ''} {answer.status}"
        shape = known.shapes.compiled(answer.schema, name=name)
        # Without a usable schema there is still to be said whether it is JSON at all.
        return _anything_json if shape is None else shape.is_valid


def _anything_json(_: Any) -> bool:
    return True
