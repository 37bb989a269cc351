"""What a correct service answers where a finding was made, as assertions of an exported test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from premortem.analyse.exports.expressions import literal
from premortem.analyse.exports.shapes import broken_by
from premortem.checks.unlike_recorded import LENGTH, STATUS, differing
from premortem.domain.bodies import read_body
from premortem.domain.places import parse_place
from premortem.domain.run import Finding
from premortem.domain.template import split_template
from premortem.domain.traffic import Answer, OperationProfile, Response

SCHEMA_CHARS_MAX = 200_000
"""A larger schema is not written into a test."""


class Expected(Struct, frozen=True, kw_only=True):
    """The end of a test: lines in which `last` is the answer to the last request, `answers` are
    those to all of them, in order."""

    lines: tuple[str, ...]
    shapes: bool = False
    """They use `broken_by`."""
    judging: bool = False
    """They use what stands in `judging`."""
    constants: Mapping[str, Any] = {}
    """Name -> value, written above the test."""
    untold: str = ""
    """Why no test can be written; empty: this is one."""


def expected_of(finding: Finding, operation: OperationProfile | None) -> Expected:
    """What to assert of FINDING. OPERATION: what is known of it; None: nothing."""
    make = _BY_CHECK.get(finding.check)
    made = make(finding, operation) if make is not None else None
    if made is None:
        made = _BY_EXPECTATION.get(finding.sequence.cases[-1].intent.expects)
    if made is None:
        why = f"what the check {finding.check} judges cannot be told without Premortem"
        return Expected(lines=(), untold=f"{why}; use premortem replay {finding.id}")
    return made


def _said(condition: str, wanted: str) -> str:
    return f"assert {condition}, said(last, {literal(wanted)})"


_WORKS = Expected(lines=(_said("last.status < 500", "not to fail"),))
_ANSWERS = Expected(lines=(_said("last.status > 0", "an answer"),))
_REFUSES = Expected(
    lines=(_said("refuses(last.status, last.body)", "a refusal (4xx)"),), judging=True
)
_GOES = Expected(lines=(_said("200 <= last.status < 300", "2xx: it is a valid request"),))
_GONE = Expected(
    lines=(_said("not 200 <= last.status < 300", "404 or 410: it was deleted"),),
)
_THERE = Expected(lines=(_said("last.status not in (404, 410)", "it to be there: it was made"),))
_DENIED = Expected(lines=(_said("not 200 <= last.status < 300", "401 or 403"),))
_BY_EXPECTATION: dict[str, Expected] = {
    "refusal": _REFUSES,
    "gone": _GONE,
    "there": _THERE,
    "denied": _DENIED,
}


def _undeclared(_finding: Finding, operation: OperationProfile | None) -> Expected | None:
    if operation is None or not operation.declared:
        return None
    ordered = sorted(operation.declared, key=lambda s: (s <= 0, abs(s)))
    words = [str(s) if s > 0 else f"{-s}XX" if s else "default" for s in ordered]
    exact = tuple(s for s in operation.declared if s > 0)
    classes = tuple(-s for s in operation.declared if s < 0)
    tests = [f"last.status in {exact!r}"] if exact else []
    tests += [f"last.status // 100 in {classes!r}"] if classes else []
    wanted = f"a declared status ({', '.join(words)})"
    return Expected(lines=(_said(" or ".join(tests), wanted),))


def _answer(operation: OperationProfile | None, status: int) -> Answer | None:
    answers = {a.status: a for a in operation.answers} if operation is not None else {}
    return answers.get(status) or answers.get(-(status // 100)) or answers.get(0)


def _shaped(finding: Finding, operation: OperationProfile | None) -> Expected | None:
    response = finding.sent.response
    answer = _answer(operation, response.status) if response is not None else None
    if response is None or answer is None or not answer.schema:
        return None
    value = _json(response)
    if value is _NONE:
        return Expected(lines=("last.json()  # the body has to be JSON",))
    schema = json.loads(answer.schema)
    if len(answer.schema) > SCHEMA_CHARS_MAX or not broken_by(value, schema):
        return None
    lines = (
        f"if last.status == {response.status}:",
        "    broken = broken_by(last.json(), SCHEMA)",
        "    " + _said("not broken", "an answer of the declared shape") + " + str(broken)",
    )
    return Expected(lines=lines, shapes=True, constants={"SCHEMA": schema})


_NONE: Any = object()


def _json(response: Response) -> Any:
    try:
        return msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NONE


def _media_type(finding: Finding, operation: OperationProfile | None) -> Expected | None:
    response = finding.sent.response
    answer = _answer(operation, response.status) if response is not None else None
    types = getattr(answer, "declared_types", ()) or ()
    if response is None or not types:
        return None
    starts = tuple(t.partition("/")[0] + "/" for t in types if t.endswith("/*"))
    exact = tuple(t for t in types if not t.endswith("/*"))
    test = f"media_type in {exact!r} or media_type.startswith({starts!r})"
    return Expected(
        lines=(
            'media_type = (last.header("content-type") or "").partition(";")[0].strip().lower()',
            _said(
                f"last.status != {response.status} or {test}",
                f"one of the declared media types ({', '.join(types)})",
            ),
        )
    )


def _headers(finding: Finding, _operation: OperationProfile | None) -> Expected | None:
    name, _, what = finding.signature.rpartition(" ")
    response = finding.sent.response
    if what != "missing" or response is None:
        return None
    test = f"last.status != {response.status} or last.header({literal(name)}) is not None"
    return Expected(lines=(_said(test, f"the header `{name}`"),))


def _allows(_finding: Finding, _operation: OperationProfile | None) -> Expected:
    test = 'last.status != 405 or (last.header("allow") and METHOD not in last.header("allow"))'
    method = _finding.sequence.cases[-1].request.method
    return Expected(
        lines=(_said(test, "an Allow header with the methods that are allowed"),),
        constants={"METHOD": method},
    )


def _once(finding: Finding, _operation: OperationProfile | None) -> Expected | None:
    cases = finding.sequence.cases
    size = len(finding.sequence.beside(len(cases) - 1)) + 1
    if size < 2:
        return None
    lines = (
        f"let_through = [a for a in answers[-{size}:] if 200 <= a.status < 300]",
        "different = {a.body for a in let_through}",
        _said("len(different) <= 1", "one at most of those sent at once to be let through"),
    )
    return Expected(lines=lines)


def _unchanged(finding: Finding, _operation: OperationProfile | None) -> Expected | None:
    against = finding.sequence.cases[-1].intent.against
    if against < 0:
        return None
    first = f"first = answers[{against}]"
    if finding.signature.endswith("xx"):
        test = "first.status // 100 == last.status // 100"
        return Expected(lines=(first, _said(test, "the same answer as before")))
    pointer, _, what = finding.signature.rpartition(" ")
    if what != "changed" or not (pointer.startswith("/") or pointer == "the body"):
        return None
    at = literal(pointer if pointer.startswith("/") else "")
    test = f"values_at(first.json(), {at}) == values_at(last.json(), {at})"
    return Expected(
        lines=(first, _said(test, f"`{pointer}` as it was: nothing was done in between")),
        judging=True,
    )


def _as_recorded(finding: Finding, _operation: OperationProfile | None) -> Expected | None:
    lines = []
    for place, text in differing(finding.verdict, finding.sent.response):
        pointer = place.partition(":")[2]
        if place == STATUS:
            lines.append(_said(f"last.status == {int(text)}", f"{text}, as production answered"))
        elif place.endswith(LENGTH):
            at = literal(pointer.removesuffix(LENGTH))
            test = f"[len(found) for found in values_at(last.json(), {at})] == [{int(text)}]"
            lines.append(_said(test, f"{text} items at {pointer}, as production answered"))
        else:
            test = f"values_at(last.json(), {literal(pointer)}) == [{json.loads(text)!r}]"
            lines.append(_said(test, f"{text} at {pointer}, as production answered"))
    return Expected(lines=tuple(lines), judging=True) if lines else None


def _ruled(finding: Finding, operation: OperationProfile | None) -> Expected | None:
    response = finding.sent.response
    answer = _answer(operation, response.status) if response is not None else None
    for rule in answer.rules if answer is not None else ():
        if finding.signature == f"{rule.kind} {' '.join(place.name for place in rule.places)}":
            pointers = [place.name for place in rule.places]
            test = f"keeps({rule.kind!r}, {pointers!r}, last.json(), slack=0.011)"
            return Expected(lines=(_said(test, finding.title + ": the contrary"),), judging=True)
    return None


def _viewed(finding: Finding, _operation: OperationProfile | None) -> Expected | None:
    _, _, pointer = finding.signature.partition(" ")
    if not pointer.startswith("/"):
        return None
    test = f"all(map(is_masked, values_at(last.json(), {literal(pointer)})))"
    lines = (
        f"if 200 <= last.status < 300:\n        {_said(test, f'`{pointer}` masked, or left out')}",
    )
    return Expected(lines=lines, judging=True)


def _about(finding: Finding, operation: OperationProfile | None) -> Expected | None:
    asked, _, pointer = finding.signature.partition(" ")
    try:
        place = parse_place(asked)
    except ValueError:
        return None
    if place.part == "path" and operation is not None:
        segments = split_template(operation.operation.template)
        names = [i for i, name in enumerate(segments) if name == f"{{{place.name}}}"]
        wanted = f"in_segment(paths[-1], {names[0]})" if names else ""
    elif place.part == "query":
        query = dict(finding.sequence.cases[-1].request.query)
        wanted = literal(query.get(place.name, ""))
    else:
        try:
            body = read_body(finding.sequence.cases[-1].request)
        except ValueError:
            return None
        found = body
        for token in place.tokens:
            found = found.get(token) if isinstance(found, dict) else None
        wanted = repr(found) if found is not None else ""
    if not wanted:
        return None
    lines = (
        f"asked = {wanted}",
        f"told = values_at(last.json(), {literal(pointer)}) if last.status < 300 else []",
        _said("all(same_text(asked, one) for one in told)", "only what was asked for"),
    )
    return Expected(lines=lines, judging=True)


def _always(expected: Expected) -> Callable[[Finding, OperationProfile | None], Expected]:
    return lambda _finding, _operation: expected


def _stated(finding: Finding, _: OperationProfile | None) -> Expected | None:
    refused = finding.sequence.cases[-1].intent.expects == "refusal"
    return _REFUSES if refused else None


_BY_CHECK: dict[str, Callable[[Finding, OperationProfile | None], Expected | None]] = {
    "server_error": _always(_WORKS),
    "no_answer": _always(_ANSWERS),
    "auth_ignored": _always(_DENIED),
    "revoked_access": _always(_DENIED),
    "foreign_thing": _always(_REFUSES),
    "stated_rule": _stated,
    "accepted_invalid": _always(_REFUSES),
    "missing_header": _always(_REFUSES),
    "unsupported_method": _always(_REFUSES),
    "refused_valid": _always(_GOES),
    "use_after_free": _always(_GONE),
    "not_available": _always(_THERE),
    "undeclared_status": _undeclared,
    "response_shape": _shaped,
    "content_type": _media_type,
    "response_headers": _headers,
    "unlike_recorded": _as_recorded,
    "allow_header": _allows,
    "more_than_once": _once,
    "unexpected_change": _unchanged,
    "broken_rule": _ruled,
    "role_view": _viewed,
    "wrong_data": _about,
}
