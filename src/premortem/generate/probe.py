"""Changes with a reading before and after them, for what was declared to hold then (`Invariant`).

The change goes out as production sent it, once more right away, and with its numbers far larger
and smaller: what was declared holds whether the service takes such a change or refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import is_json, read_body
from premortem.domain.invariant import Invariant
from premortem.domain.once import names_one_request
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Intent, Sequence
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import Pairs
from premortem.generate.starts import Start, Starts
from premortem.generate.steps import Row

DECLARED = "invariant "
"""Begins `breaks` of a reading that an invariant is held against; its text follows."""
OPERATOR = "probe"
"""Of the origin of these readings."""
FACTORS = (3, 0.5, 100, -1)
"""What the numbers of a change are multiplied by, in turn."""


def probes(
    starts: Starts, invariants: Iterable[Invariant], operation_id: str
) -> Iterator[Sequence]:
    """Sequences that end with a reading of OPERATION_ID that one of INVARIANTS is about."""
    for invariant in invariants:
        if invariant.read != operation_id or not invariant.after:
            continue
        change, reading = starts.of(invariant.after), starts.of(invariant.read)
        if change is None or reading is None or change.hollow:
            continue
        changes = [change.final, *(_scaled(change.final, factor) for factor in FACTORS)]
        for changed in filter(None, changes):
            for twice in (False, True) if changed is change.final else (False,):
                sequence = _probe(starts, invariant, change, reading, changed, twice=twice)
                if sequence is not None:
                    yield sequence


def watched(
    starts: Starts, invariants: Iterable[Invariant], operation_id: str
) -> Iterator[Sequence]:
    """Readings of OPERATION_ID, of which one of INVARIANTS is declared whatever was done, each
    behind a change of the same thing: as it was, twice, and with other numbers."""
    reading = starts.of(operation_id)
    declared = any(i.read == operation_id and not i.after for i in invariants)
    if not declared or reading is None or reading.hollow or not reading.final.bindings:
        return
    for operation in starts.profile.operations:
        if operation.operation.method not in ("POST", "PUT", "PATCH"):
            continue
        change = starts.of(operation.id)
        if change is None or change.hollow or not change.recorded:
            continue
        for index, factor in enumerate((1, *FACTORS)):
            changed = _scaled(change.final, factor) if index else change.final
            if changed is None:
                continue
            row = Row(starts, change.setup)
            look = _own_reading(row, reading, changed)
            if look is None:
                break
            row.add(_unforetold(changed))
            if not index:
                row.add(_unforetold(_once_more(changed)))
            origin = replace(look.origin, source="mutate", operator=OPERATOR)
            last = replace(
                look, origin=origin, intent=Intent(), recorded_status=0, recorded_reason=""
            )
            made = row.ending(last)
            if made is not None:
                yield made


def _own_reading(row: Row, reading: Start, changed: Case) -> Case | None:
    """The reading of what CHANGED changes; None where that is nothing that ROW made."""
    case = reader_of(row, reading, reading.final.request.query, changed)
    template = reading.operation.operation.template
    named = changed.operation_id.split(" ")[1].startswith(template + "/")
    return case if case is not None and named and case.bindings else None


def _unforetold(case: Case) -> Case:
    intent = Intent(kind="adversarial", breaks="order", expects="answer")
    return replace(case, intent=intent, recorded_status=0, recorded_reason="")


def _probe(
    starts: Starts,
    invariant: Invariant,
    change: Start,
    reading: Start,
    changed: Case,
    *,
    twice: bool,
) -> Sequence | None:
    row = Row(starts)
    row.instance(change, whole=False)
    if twice:
        row.add(changed)
    reader = reader_of(row, reading, invariant.query, changed)
    if reader is None:
        return None
    row.add(reader)
    index = row.add(_once_more(changed))
    intent = Intent(breaks=DECLARED + invariant.text, against=index)
    origin = replace(reader.origin, source="mutate", operator=OPERATOR)
    last = replace(reader, origin=origin, intent=intent, recorded_status=0, recorded_reason="")
    return row.ending(last)


def reader_of(row: Row, reading: Start, asked: Pairs, changed: Case) -> Case | None:
    """The reading of what CHANGED changes, which asks for ASKED; `{name}` in that is one of the
    change's path parameters. None where it cannot be told which it is."""
    whole = row.copy()
    whole.add(changed)
    case = whole.on_same(reading)
    if case is None:
        return None
    bindings = [b for b in case.bindings if b.place.part == "path" and b.step < len(row)]
    if len(bindings) < len([b for b in case.bindings if b.place.part == "path"]):
        return None
    query: list[tuple[str, str]] = []
    for name, text in asked:
        if not text.startswith("{"):
            query.append((name, text))
            continue
        found = _parameter(changed, text.strip("{}"))
        if found is None:
            return None
        value, bound = found
        query.append((name, value))
        bindings += [replace(b, place=Place(part="query", name=name)) for b in bound]
    request = replace(case.request, query=tuple(query))
    return replace(case, request=request, bindings=tuple(bindings))


def _parameter(case: Case, name: str) -> tuple[str, list[Binding]] | None:
    """The path parameter NAME of CASE's operation: its recorded text, and where it comes from."""
    template = split_template(case.operation_id.partition(" ")[2])
    if f"{{{name}}}" not in template:
        return None
    index = template.index(f"{{{name}}}")
    bound = [b for b in case.bindings if b.place == Place(part="path", name=str(index))]
    return split_path(case.request.path)[index], bound


def _scaled(case: Case, factor: float) -> Case | None:
    """CASE with the numbers of its body multiplied; None where there are none to multiply."""
    if not case.request.body or not is_json(case.request.media_type):
        return None
    try:
        body = read_body(case.request)
    except ValueError:
        return None
    scaled = _times(body, factor)
    if scaled == body:
        return None
    return replace(
        case,
        request=replace(case.request, body=msgspec.json.encode(scaled)),
        recorded_status=0,
        recorded_reason="",
    )


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, dict):
        return {key: _times(inner, factor) for key, inner in value.items()}
    if isinstance(value, list):
        return [_times(inner, factor) for inner in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    scaled = round(value * factor, 2)
    return int(scaled) if isinstance(value, int) else scaled


def _once_more(case: Case) -> Case:
    """CASE under another key for one request, so that it is no retry."""
    headers = tuple(
        (name, value[:-1] + ("0" if value[-1:] != "0" else "1"))
        if names_one_request(name) and value
        else (name, value)
        for name, value in case.request.headers
    )
    return replace(case, request=replace(case.request, headers=headers))
