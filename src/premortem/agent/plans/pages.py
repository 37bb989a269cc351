"""Lists read at the edge of their pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from premortem.agent.planning import titles
from premortem.agent.planning.draft import DoesNotApply, Draft
from premortem.agent.planning.expectation import Expectation, invalid_status, success_status
from premortem.agent.planning.observation import good_answer, list_in
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.edges import asked_names
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.valued import More, Put, allowed, expectation, named_field, valued
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.boundaries import EdgeValue, edge_value
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.preconditions import PAGING
from premortem.agent.understanding.said import numbers, quoted
from premortem.agent.understanding.words import stems
from premortem.domain.scenario import Scenario
from premortem.domain.shape import read_shape
from premortem.domain.traffic import OperationProfile

EDGES_MAX = 3
FAR = 100_000
"""A page or an offset behind everything that a test's list can hold."""
_SIZES = frozenset(stems("limit size count per top first take"))
_PLACES = frozenset(stems("offset skip start page"))
_CURSORS = frozenset(stems("cursor token after before"))
_TO_THE_END = re.compile(r"\b(?:to the (?:very )?(?:end|last)|(?:the|a) last page|final page)\b")
_BEHIND = re.compile(
    r"\b(?:behind|beyond|past|after)\b.{0,30}\b(?:last|end|all|existing|there)\b|"
    r"\b(?:last|end)\b.{0,20}\b(?:passed|exceeded)\b|way (?:too )?(?:far|behind|beyond)|"
    r"\bno (?:such|more) pages?\b|does(?:n't| not) exist"
)


def pagination_edge(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The list read with its page, size or cursor where nothing, or too much, is."""
    field = _field(ground, operation)
    if field is None:
        raise DoesNotApply("it takes no page, no page size and no cursor")
    if _TO_THE_END.search(ground.understood.prompt.lower()) and not set(field.stems) & _PLACES:
        yield from _last_page(ground, operation, reached)
    for edge in islice(_edges(ground, field), EDGES_MAX):
        put = Put(field=field, edge=edge)
        expected = _expected(ground, operation, reached, put)
        after = _empty(operation) if edge.boundary == "behind" and not expected.refused else None
        title = titles.with_value(operation, field.name, edge.says)
        yield valued(ground, operation, reached, [put], title=title, expected=expected, after=after)


def _last_page(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """All of the list at once: what would lead on leads nowhere, and says so."""
    sizes = [f for f in input_fields(operation) if set(f.stems) & _SIZES]
    onward = _onward(operation)
    most = sizes[0].constraints.get("maximum") if sizes else None
    if onward is None or not isinstance(most, int | float):
        return
    edge = EdgeValue(boundary="last page", says="that holds all", value=int(most))

    def see(draft: Draft) -> None:
        draft.add("Then", text("field", onward, "null"))

    expected = Expectation(
        status=success_status(operation),
        because=f"the specification requires {onward} in every answer, and lets it be null",
        source="specification",
    )
    title = f"{titles.happens(operation)} to the last page"
    put = Put(field=sizes[0], edge=edge)
    yield valued(ground, operation, reached, [put], title=title, expected=expected, after=see)


def _onward(operation: OperationProfile) -> str | None:
    """Where a good answer leads on to the next page, or must say that there is none."""
    answer = good_answer(operation)
    shape = read_shape(answer.schema) if answer is not None else None
    for name in shape.names if shape is not None else ():
        inner = shape.member(name) if shape is not None else None
        leads = {"next", *stems("cursor")} & set(stems(name))
        always = shape is not None and name in shape.required
        if leads and always and inner is not None and "null" in inner.types:
            return f"/{name}"
    return None


def _field(ground: Ground, operation: OperationProfile) -> InputField | None:
    paging = [
        f for f in input_fields(operation) if f.place.part == "query" and set(f.stems) & PAGING
    ]
    named = named_field(ground, operation)
    if named is not None and named in paging:
        return named
    low = ground.understood.prompt.lower()
    wanted = _CURSORS if "cursor" in low else _PLACES if _BEHIND.search(low) else _SIZES
    chosen = [f for f in paging if set(f.stems) & wanted]
    return next(iter([*chosen, *paging]), None)


def _edges(ground: Ground, field: InputField) -> Iterator[EdgeValue]:
    prompt = ground.understood.prompt
    low = prompt.lower()
    words = set(field.stems)
    if words & _CURSORS and "string" in (field.types or {"string"}):
        value = quoted(prompt) or "not-a-cursor"
        yield EdgeValue(boundary="cursor", says="unknown", value=value)
        return
    places = bool(words & _PLACES)
    if places and _BEHIND.search(low):
        yield EdgeValue(boundary="behind", says="behind the last page", value=_far(field))
    for said in numbers(prompt):
        yield EdgeValue(boundary=f"literal:{said.value}", says=str(said.value), value=said.value)
    names = list(asked_names(ground, "boundary")) or ["negative", "zero"]
    if not places and "too_large" not in names:
        names.append("too_large")
    for name in names:
        edge = _edge(name, field)
        if edge is not None:
            yield edge
    if places:
        yield EdgeValue(boundary="behind", says="behind the last page", value=_far(field))


def _edge(name: str, field: InputField) -> EdgeValue | None:
    if name == "negative":
        return EdgeValue(boundary=name, says="negative", value=-1)
    if name == "too_large" and "maximum" not in field.constraints:
        return None  # nothing says what is too much
    types = field.types or frozenset({"integer"})
    return edge_value(name, schema=field.constraints, types=types, usual=None)


def _far(field: InputField) -> Any:
    most = field.constraints.get("maximum")
    return min(FAR, int(most)) if isinstance(most, int | float) else FAR


def _expected(
    ground: Ground, operation: OperationProfile, reached: Reached, put: Put
) -> Expectation:
    status, how = invalid_status(operation, ground.profile)
    found = expectation(ground, operation, reached, [put])
    if found.source == "captured":
        return found
    if put.edge.boundary == "cursor":
        return Expectation(
            status=status,
            because=f"convention: nobody was given such a cursor; {how}",
            source="convention",
            certain=False,
        )
    valid = allowed(operation, reached, [put])
    value = put.edge.value
    if valid is None and isinstance(value, int | float):
        # Where nothing is declared a list is as long as it is, and never shorter than nothing.
        if value >= 0:
            return Expectation(
                status=success_status(operation),
                because="convention: a page behind the last one is empty, a large one holds all",
                source="convention",
                certain=value > 0,
            )
        return Expectation(
            status=status,
            because=f"convention: no page has such a number or size; {how}",
            source="convention",
            certain=False,
        )
    return found


def _empty(operation: OperationProfile) -> More | None:
    """The step that sees an empty list, where the answer's shape tells where the list is."""
    pointer = list_in(operation)
    if pointer is None:
        return None

    def see(draft: Draft) -> None:
        draft.add("Then", text("field", pointer, "[]"))

    return see
