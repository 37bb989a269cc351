"""The part of a sequence that one of its cases needs."""

from __future__ import annotations

from collections.abc import Iterable

from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.template import split_path, split_template

PREFIX_MAX = 300
"""Requests before a case that are worth repeating to see it again."""
IDENTIFIERS_MAX = 200
"""Identifiers of one slice that earlier requests are searched for."""


def slice_for(sequence: Sequence, position: int) -> Sequence:
    """The cases of SEQUENCE that the one at POSITION needs, ending with it.

    They are: what its bindings take values from, and theirs in turn; the setup before it; in
    recorded flows, which mark none, also earlier unsafe requests that mention an identifier it
    depends on and that production carried out; what it expects something of; and those that go
    out with it. Bindings are indexed anew. What this leaves out may matter all the same: the whole
    prefix is the fallback.
    """
    cases = sequence.cases
    needed = _with_producers(cases, {position, *sequence.beside(position)})
    setup = {i for i in range(position) if cases[i].setup}
    if setup:
        needed = _with_producers(cases, needed | setup)
    else:
        identifiers = _identifiers(cases[i] for i in needed)
        touching = {
            i
            for i in range(position)
            if i not in needed and _changes(cases[i]) and _mentions(cases[i], identifiers)
        }
        needed = _with_producers(cases, needed | touching)
    return sequence.only([*sorted(needed - {position}), position])


def slices(sequence: Sequence, position: int) -> tuple[Sequence, ...]:
    """What to try to see the case at POSITION again: the slice, then the whole prefix.

    A prefix longer than PREFIX_MAX is left out.
    """
    least = slice_for(sequence, position)
    if len(least.cases) > position or position >= PREFIX_MAX:
        return (least,)
    before = sorted({*range(position), *sequence.beside(position)})
    return (least, sequence.only([*before, position]))


def _with_producers(cases: tuple[Case, ...], wanted: Iterable[int]) -> set[int]:
    found: set[int] = set()
    stack = list(wanted)
    while stack:
        index = stack.pop()
        if index not in found:
            found.add(index)
            stack += [b.step for b in cases[index].bindings if b.step < index]
            stack += cases[index].intent.refers
    return found


def _identifiers(cases: Iterable[Case]) -> frozenset[str]:
    """What CASES name things by: recorded values that bindings replace, and path parameters."""
    found: dict[str, None] = {}
    for case in cases:
        found.update(dict.fromkeys(b.recorded for b in case.bindings))
        found.update(dict.fromkeys(_path_values(case)))
    return frozenset(list(found)[:IDENTIFIERS_MAX])


def _path_values(case: Case) -> list[str]:
    """Path segments that are parameters in the operation's template."""
    template = split_template(case.operation_id.partition(" ")[2])
    segments = split_path(case.request.path)
    if len(template) != len(segments):
        return []
    return [s for t, s in zip(template, segments, strict=True) if "{" in t and s]


def _changes(case: Case) -> bool:
    """Whether CASE changed something, as far as one knows."""
    if case.request.method in SAFE_METHODS or case.intent.expects == "refusal":
        return False
    return not 400 <= case.recorded_status < 600


def _mentions(case: Case, identifiers: frozenset[str]) -> bool:
    texts = {*split_path(case.request.path), *(b.recorded for b in case.bindings)}
    texts.update(value for _, value in case.request.query)
    if texts & identifiers:
        return True
    try:
        body = read_body(case.request)
    except ValueError:
        return False
    return any(text_of(value) in identifiers for _, value in leaves(body))
