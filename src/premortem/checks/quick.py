"""The common answer, judged without making anything of it: the checks have nothing to say.

For each operation and status it is worked out once what the checks could find at all; what is
left to do for an answer is to read its body and to hold it against a compiled schema. Whatever is
not plainly in order is left to the checks themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import inf
from typing import Any

import msgspec

from premortem.checks import (
    accepted_invalid,
    allow_header,
    auth_ignored,
    broken_rule,
    content_type,
    invariant,
    missing_header,
    refused_valid,
    response_headers,
    response_shape,
    response_time,
    role_view,
    secret_shown,
    server_error,
    undeclared_status,
    unsupported_method,
    unusual_value,
    wrong_data,
)
from premortem.checks.barred import bars_editions, doors_of
from premortem.checks.check import Known
from premortem.domain.bodies import is_json
from premortem.domain.injected import INJECTION
from premortem.domain.run import Case
from premortem.domain.traffic import DeclaredHeader, Pairs, Response, media_type_of

RULES_MAX = 100_000
"""Operations x statuses that are remembered."""
LEARNED_FIRST = 500
"""Answers of each operation and status that are all held against what was learned, in one process;
a run that looks for defects rarely has more ..."""
LEARNED_EVERY = 64
"""... of further ones each so manieth: a load test asks the same again and again."""
SECRETS_FIRST = 200
"""Answers of each operation and status that are looked through for secrets, in one process."""
HEADERS_MAX = 1_024
"""Headers of answers whose media type is remembered."""

_LEARNED = frozenset({broken_rule.NAME, role_view.NAME, unusual_value.NAME, wrong_data.NAME})
"""Checks that look into every answer of which something was learned."""

_Fits = Callable[[Any], bool]


class _Rule:
    """What an answer with one status has to be."""

    __slots__ = ("fits", "headers", "learned", "proven", "seen", "types", "watched")

    def __init__(
        self, *, fits: _Fits, types: tuple[str, ...], headers: tuple[DeclaredHeader, ...]
    ) -> None:
        self.watched = False
        """The first answers are looked through for secrets."""
        self.learned = False
        """Something was learned of such answers, that the checks hold against them."""
        self.seen = 0
        """Answers so far, where `learned` or `watched`."""
        self.fits = fits
        """Its JSON body."""
        self.types = types
        """One of these media types, if it has a body; empty: any."""
        self.headers = headers
        """It keeps all of these."""
        self.proven: Pairs | None = None
        """Headers of a JSON answer that were found in order: servers repeat theirs, connections
        remember them, so that they mostly are the same object."""

    def wants_a_look(self, body: bytes) -> bool:
        """Whether the next answer, with BODY, is held against what was learned, or may hold a
        secret; counts it."""
        self.seen += 1
        if self.learned and (self.seen <= LEARNED_FIRST or not self.seen % LEARNED_EVERY):
            return True
        if self.watched:
            self.watched = self.seen < SECRETS_FIRST
            return secret_shown.suspects(body)
        return False


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
        self._rules: dict[tuple[str, int], _Rule | None] = {}
        self._types: dict[Pairs, tuple[str, bool]] = {}
        self._judges_requests = bool(self._names & _ABOUT_REQUESTS)
        self._doors = doors_of(one.operation for one in known.values())
        self._slow_ms = _limits(known) if response_time.NAME in self._names else {}

    def passes(self, case: Case, response: Response, duration_ms: float = 0.0) -> bool:
        """Whether the checks certainly have nothing to say of RESPONSE, which took DURATION_MS.

        It looks at no more of CASE than those of one kind share: not at path, query and body.
        """
        status = response.status
        key = (case.operation_id, status)
        try:
            rule = self._rules[key]
        except KeyError:
            rule = self._rule(*key)
        if rule is None or case.intent.breaks.startswith(INJECTION):
            return False
        if (rule.learned or rule.watched) and rule.wants_a_look(response.body):
            return False
        if self._slow_ms and duration_ms > self._slow_ms.get(key[0], inf):
            return False
        if status < 300 and self._judges_requests:
            # Only an answer 2xx can be wrong because of what was asked for.
            intent = case.intent
            if (
                intent.expects == "refusal"
                or 400 <= case.recorded_status < 500
                or (intent.breaks and intent.breaks.startswith("auth "))
                or not self._doors.get(key[0], _open_to_all)(case.role)
            ):
                return False
        body = response.body
        if response.headers is not rule.proven:
            decided = self._by_headers(rule, response)
            if decided is not None:
                return decided
        elif not body:
            return True
        return _fits(rule, body)

    def _by_headers(self, rule: _Rule, response: Response) -> bool | None:
        """Whether RESPONSE passes, as far as its headers decide it; None: its JSON body does."""
        if rule.headers and not response_headers.are_kept(rule.headers, response):
            return False
        if not response.body or (rule.fits is _anything and not rule.types):
            return True
        media_type, json = self._type(response.headers)
        if rule.types and not content_type.is_declared(media_type, rule.types):
            return False
        if rule.fits is _anything:
            return True
        if not json:
            return False
        rule.proven = response.headers
        return None

    def _type(self, headers: Pairs) -> tuple[str, bool]:
        """The media type, and whether it says JSON."""
        # Servers repeat their headers, and connections remember them: mostly the same object.
        found = self._types.get(headers)
        if found is None:
            media_type = media_type_of(headers)
            found = media_type, not media_type or is_json(media_type)
            if len(self._types) >= HEADERS_MAX:
                self._types.clear()
            self._types[headers] = found
        return found

    def _rule(self, operation_id: str, status: int) -> _Rule | None:
        """What an answer with STATUS has to be; None: ask the checks."""
        if len(self._rules) >= RULES_MAX:
            self._rules.clear()
        rule = self._rules[operation_id, status] = self._worked_out(
            self._known.get(operation_id, self._unknown), status
        )
        return rule

    def _worked_out(self, known: Known, status: int) -> _Rule | None:
        if not self._usable:
            return None
        if server_error.NAME in self._names and (status >= 500 or server_error.is_varied(known)):
            return None
        if 200 <= status < 300 and self._judges_requests and bars_editions(known.operation):
            return None
        if status == allow_header.STATUS and allow_header.NAME in self._names:
            return None
        if self._is_undeclared(known, status) or self._may_be_valid(known, status):
            return None
        answer = known.answer(status)
        types: tuple[str, ...] = ()
        headers: tuple[DeclaredHeader, ...] = ()
        if answer is not None and content_type.NAME in self._names:
            types = answer.declared_types if content_type.is_judged(status) else ()
        if answer is not None and status < 500 and response_headers.NAME in self._names:
            headers = response_headers.telling(answer.headers)
        rule = _Rule(fits=self._fits(known, status), types=types, headers=headers)
        rule.watched = 200 <= status < 300 and secret_shown.NAME in self._names
        declared = 200 <= status < 300 and known.invariants and invariant.NAME in self._names
        rule.learned = bool(declared or (status in known.learned and self._names & _LEARNED))
        return rule

    def _may_be_valid(self, known: Known, status: int) -> bool:
        refused = status in refused_valid.STATUSES and refused_valid.NAME in self._names
        return refused and refused_valid.is_trusted(known)

    def _is_undeclared(self, known: Known, status: int) -> bool:
        operation = known.operation
        return (
            undeclared_status.NAME in self._names
            and operation is not None
            and operation.in_spec
            and bool(operation.declared)
            and 200 <= status < 500
            and status not in undeclared_status.SILENT
            and not known.declares(status)
        )

    def _fits(self, known: Known, status: int) -> _Fits:
        operation = known.operation
        if response_shape.NAME not in self._names or not response_shape.is_judged(status):
            return _anything
        answer = known.answer(status)
        if answer is None or not answer.schema or not response_shape.counts(answer, status):
            return _anything
        name = f"{operation.id if operation is not None else ''} {answer.status}"
        shape = known.shapes.compiled(answer.schema, name=name)
        # Without a usable schema there is still to be said whether it is JSON at all.
        return _anything_json if shape is None else shape.is_valid


def _fits(rule: _Rule, body: bytes) -> bool:
    if len(body) > response_shape.BODY_BYTES_MAX:
        return False
    try:
        return rule.fits(_decode(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False


def _open_to_all(_: str) -> bool:
    return True


def _anything_json(_: Any) -> bool:
    return True


_ABOUT_REQUESTS = frozenset(
    check.NAME for check in (accepted_invalid, auth_ignored, missing_header, unsupported_method)
)
"""Names of checks that speak of 2xx to what should have been refused."""


def _limits(known: Mapping[str, Known]) -> dict[str, float]:
    """Operation id -> the longest time that it may take, where there is one; milliseconds."""
    found = {
        name: response_time.limit_ms(one.operation, one.config)
        for name, one in known.items()
        if one.operation is not None
    }
    return {name: limit for name, limit in found.items() if limit < inf}
