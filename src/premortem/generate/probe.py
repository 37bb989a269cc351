"""Changes with a reading before and after them, for what was declared to hold then (`Invariant`).

The change goes out as production sent it, once more right away, and with its numbers far larger
and smaller: what was declared holds whether the service takes such a change or refuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import at, is_json, leaves, read_body, text_of
from premortem.domain.invariant import BETWEEN, PREFIX, Invariant
from premortem.domain.once import names_one_request
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Case, Intent, Sequence
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import Pairs
from premortem.generate.starts import Start, Starts
from premortem.generate.steps import Row, unkeyed

OPERATOR = "probe"
"""Of the origin of these readings."""
FACTORS = (3, 0.5, 100, -1)
"""What the numbers of a change are multiplied by, in turn."""
LEAST = 0.001
"""For an amount as small as there is."""
SHARES = (0.5, 0.25)
"""Of two changes at the same time, so that both can be carried out."""
REFUSED_FACTORS = (100, -1)


def probes(
    starts: Starts, invariants: Iterable[Invariant], operation_id: str
) -> Iterator[Sequence]:
    """Sequences that end with a reading of OPERATION_ID that some of INVARIANTS are about: for
    each change a first one, then for each a second one, and so on."""
    declared = tuple(invariants)
    together: dict[tuple[object, ...], list[Invariant]] = {}
    for one in declared:
        if one.read == operation_id and one.after:
            key = (one.after, one.refused, one.query, one.where)
            together.setdefault(key, []).append(one)
    tries = [_tries(starts, group, declared) for group in together.values()]
    for several in zip_longest(*tries):
        yield from filter(None, several)


def _tries(
    starts: Starts, group: list[Invariant], declared: tuple[Invariant, ...]
) -> Iterator[Sequence]:
    """Sequences for GROUP, invariants of one change and one reading; DECLARED are all."""
    change, reading = starts.of(group[0].after), starts.of(group[0].read)
    if change is None or reading is None or change.hollow:
        return
    probe = _Probe(starts, group, reading, declared)
    made = probe.refused(change) if group[0].refused else probe.carried_out(change)
    yield from (sequence for sequence in made if sequence is not None)


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


class _Probe:
    """Makes sequences that read, change and read again."""

    def __init__(
        self,
        starts: Starts,
        group: list[Invariant],
        reading: Start,
        declared: tuple[Invariant, ...],
    ) -> None:
        self._starts = starts
        self._group = group
        self._reading = reading
        self._declared = declared

    def carried_out(self, change: Start) -> Iterator[Sequence | None]:
        """CHANGE as production sent it, again, at once, and with other numbers."""
        usual = change.final
        yield self._row(change, [usual])
        if usual.request.method == "POST":
            # PUT, PATCH and DELETE, sent again, need not do anything (RFC 9110, 9.2.2).
            yield self._row(change, [usual], first=usual)
            yield self._at_once(change)
        edges = (LEAST, *_filling(change)) if any(one.what for one in self._group) else ()
        yield from self._scaled(change, (*edges, *FACTORS))

    def refused(self, change: Start) -> Iterator[Sequence | None]:
        """What production refused, and what is most likely refused."""
        for *setup, final in self._starts.refusals(change.operation):
            yield self._around(Row(self._starts, setup), [final])
        yield self._row(change, [change.final], first=change.final)
        yield from self._scaled(change, REFUSED_FACTORS)

    def _scaled(self, change: Start, factors: Iterable[float]) -> Iterator[Sequence | None]:
        for factor in factors:
            scaled = _scaled(change.final, factor)
            yield self._row(change, [scaled]) if scaled is not None else None

    def _row(
        self,
        change: Start,
        changes: list[Case],
        *,
        first: Case | None = None,
        at_once: bool = False,
    ) -> Sequence | None:
        """CHANGE's setup, FIRST, the reading, CHANGES, the reading; None where it cannot be told
        what is to be read."""
        row = Row(self._starts)
        row.instance(change, whole=False)
        for case in list(self._put_in(row, change)):
            row.add(_unforetold(unkeyed(case)))
        if first is not None:
            row.add(_unforetold(first))
        return self._around(row, changes, at_once=at_once)

    def _put_in(self, row: Row, change: Start) -> Iterator[Case]:
        """What adds to a number that CHANGE takes from, as is declared of both: without money
        there is nothing to pay with. Only what ROW does not do anyway."""
        done = {case.operation_id for case in row.cases}
        for one in self._declared:
            reading = self._starts.of(one.read)
            if one.after != change.operation.id or one.by[:1] != "-" or reading is None:
                continue
            for other in self._declared:
                if (other.read, other.what) != (one.read, one.what) or other.where or other.query:
                    continue
                giver = self._starts.of(other.after)
                if other.by[:1] in ("", "-", "0") or giver is None or other.after in done:
                    continue
                look = reader_of(row, reading, one.query, change.final, where=one.where)
                case = _below(giver.final, look) if look is not None else None
                if case is not None:
                    done.add(other.after)
                    yield case

    def _at_once(self, change: Start) -> Sequence | None:
        """Two changes at the same time, each of a part where it has numbers."""
        if not any(one.what for one in self._group):
            return None
        parts = [_scaled(change.final, share) or change.final for share in SHARES]
        return self._row(change, [unkeyed(case) for case in parts], at_once=True)

    def _around(self, row: Row, changes: list[Case], *, at_once: bool = False) -> Sequence | None:
        one = self._group[0]
        reader = reader_of(row, self._reading, one.query, changes[0], where=one.where)
        if reader is None or not _is_meant(row, reader, changes[0]):
            return None
        if not reader.bindings:
            row.add(reader)  # others change it, too: once more shows whether they do now
        row.add(reader)
        index = len(row)
        for case in changes:
            row.add(_unforetold(_once_more(case)))
        texts = BETWEEN.join(invariant.text for invariant in self._group)
        intent = Intent(breaks=PREFIX + texts, against=index)
        origin = replace(reader.origin, source="mutate", operator=OPERATOR)
        last = replace(reader, origin=origin, intent=intent, recorded_status=0, recorded_reason="")
        made = row.ending(last)
        if made is None or not at_once:
            return made
        cases = list(made.cases)
        cases[index:-1] = [replace(case, together=1) for case in cases[index:-1]]
        return Sequence(cases=tuple(cases))


def _below(case: Case, look: Case) -> Case | None:
    """CASE on the thing that LOOK reads; None where its path does not go through that."""
    mine, theirs = (split_template(c.operation_id.split(" ")[1]) for c in (case, look))
    depth = max((i + 1 for i, segment in enumerate(theirs) if "{" in segment), default=0)
    shapes = [["{" in s or s for s in segments[:depth]] for segments in (mine, theirs)]
    if not depth or shapes[0] != shapes[1]:
        return None
    if any("{" in segment for segment in mine[depth:]):
        return None
    head = split_path(look.request.path)[:depth]
    path = "/" + "/".join(map(encode_segment, (*head, *split_path(case.request.path)[depth:])))
    bound = {b.place: b for b in look.bindings if b.place.part == "path"}
    same = {(b.step, b.select): bound[b.place] for b in case.bindings if b.place in bound}
    bindings = list(bound.values())
    for binding in (b for b in case.bindings if b.place not in bound):
        known = same.get((binding.step, binding.select))
        if known is None:
            return None  # it names something else, too
        bindings.append(replace(binding, step=known.step, select=known.select))
    return replace(case, request=replace(case.request, path=path), bindings=tuple(bindings))


def _filling(change: Start) -> Iterator[float]:
    """What makes CHANGE's one number as large as the largest that was sent before it: all of what
    is there, where that is an amount."""
    own = [abs(n) for n in _numbers_of(change.final) if n]
    before = [abs(n) for case in change.setup for n in _numbers_of(case)]
    if len(own) == 1 and before and max(before) != own[0]:
        yield max(before) / own[0]


def _numbers_of(case: Case) -> list[float]:
    try:
        body = read_body(case.request) if is_json(case.request.media_type) else None
    except ValueError:
        return []
    found = (value for _, value in leaves(body))
    return [n for n in found if isinstance(n, int | float) and not isinstance(n, bool)]


def _is_meant(row: Row, reader: Case, change: Case) -> bool:
    """Whether READER reads what CHANGE is about: its path, query or body names the same, or
    nothing else of the kind is there."""
    mine = {b.step for b in change.bindings}
    for binding in reader.bindings:
        made = row.cases[binding.step].operation_id
        several = sum(case.operation_id == made for case in row.cases) > 1
        if binding.step not in mine and several:
            return False
    return True


def reader_of(
    row: Row, reading: Start, asked: Pairs, changed: Case, *, where: Pairs = ()
) -> Case | None:
    """The reading of what CHANGED changes, which asks for ASKED; `{name}` in that is one of the
    change's path parameters, `{sent.x}` a field of its body, and so are the values of WHERE, which
    are for the reading's path. None where it cannot be told which it is."""
    whole = row.copy()
    whole.add(changed)
    case = _placed(reading, where, changed) if where else whole.on_same(reading)
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


def _placed(reading: Start, where: Pairs, changed: Case) -> Case | None:
    """READING's own request with values of CHANGED in its path, as WHERE says."""
    template = split_template(reading.operation.operation.template)
    segments = list(split_path(reading.final.request.path))
    bindings: list[Binding] = []
    for name, source in where:
        found = _parameter(changed, source)
        if found is None or f"{{{name}}}" not in template:
            return None
        index = template.index(f"{{{name}}}")
        segments[index], bound = found
        bindings += [replace(b, place=Place(part="path", name=str(index))) for b in bound]
    if sum("{" in segment for segment in template) > len(where):
        return None
    path = "/" + "/".join(map(encode_segment, segments))
    return replace(
        reading.final,
        request=replace(reading.final.request, path=path),
        bindings=tuple(bindings),
    )


def _parameter(case: Case, name: str) -> tuple[str, list[Binding]] | None:
    """What stands in CASE under NAME, a path parameter of its operation or `sent.x`: its recorded
    text, and where it comes from."""
    if name.startswith("sent."):
        return _member(case, tuple(name.split(".")[1:]))
    template = split_template(case.operation_id.partition(" ")[2])
    if f"{{{name}}}" not in template:
        return None
    index = template.index(f"{{{name}}}")
    bound = [b for b in case.bindings if b.place == Place(part="path", name=str(index))]
    return split_path(case.request.path)[index], bound


def _member(case: Case, tokens: tuple[str, ...]) -> tuple[str, list[Binding]] | None:
    try:
        value = at(read_body(case.request), tokens)
    except (ValueError, LookupError, TypeError):
        return None
    if isinstance(value, dict | list | bool) or value is None:
        return None
    place = body_place(*tokens)
    return text_of(value), [b for b in case.bindings if b.place == place]


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
