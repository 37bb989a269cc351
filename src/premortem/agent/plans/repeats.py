"""The same request a second time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from premortem.agent.outcomes.repetition import of_repetition, of_retry
from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import Draft
from premortem.agent.planning.expectation import Expectation
from premortem.agent.planning.reach import Reached
from premortem.agent.planning.whole import whole_amount
from premortem.agent.plans.ground import (
    Ground,
    as_role,
    changed,
    is_meant,
    look,
    say_outcome,
    to_scenario,
    witness,
)
from premortem.agent.plans.marks import say_trace
from premortem.agent.steps.catalogue import text
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.domain.bodies import at
from premortem.domain.once import names_one_request
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

REPEATS_MAX = 20
"""More of them say nothing more."""


def duplicate(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """The request again; with its key, where the operation takes one."""
    yield _repetition(ground, operation, reached)
    if _key_header(operation):
        yield _same_key(ground, operation, reached)


def retry_after_timeout(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """The request again by a client that lost the answer: with its key, where there are keys."""
    if _key_header(operation):
        yield _same_key(ground, operation, reached)
        return
    yield _repetition(ground, operation, reached)


def _repetition(ground: Ground, operation: OperationProfile, reached: Reached) -> Scenario:
    expected = of_repetition(operation, ground.evidence)
    draft = Draft(as_role(reached.cases, ground))
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    expected, body = once_only(ground, operation, draft, expected)
    draft.request("Given", last, body=body)
    gone = operation.operation.method == "DELETE"
    still = expected.refused or expected.outcome_class == "unchanged"
    seen = witness(draft, operation, ground, gone=gone) if still else None
    if seen is not None and seen.observation.lists and not expected.refused and not gone:
        seen = None  # whole things are compared in a list, and a change made again is a new version
    if seen is None:
        draft.add("When", text("repeat", min(max(ground.understood.times - 1, 1), REPEATS_MAX)))
    else:
        look(draft, seen, before=True)
        draft.request("When", last, body=body)
    say_outcome(draft, expected)
    if seen is not None:
        look(draft, seen, before=False)
    if still:
        say_trace(ground, operation, draft)
    return to_scenario(
        ground, operation, draft, expected, _title(ground, operation, refused=expected.refused)
    )


def _title(ground: Ground, operation: OperationProfile, *, refused: bool) -> str:
    if not is_meant(ground, operation):
        return titles.repeated(operation)
    prompt = ground.understood.prompt
    said = state_titles.repeated(operation, prompt, refused=refused)
    return said or titles.from_prompt(prompt) or titles.repeated(operation)


def once_only(
    ground: Ground,
    operation: OperationProfile,
    draft: Draft,
    expected: Expectation,
    *,
    index: int = -1,
) -> tuple[Expectation, Any]:
    """EXPECTED and a body for the last of DRAFT's cases, or the INDEX-th, which is alike, so that
    nothing but the repetition can be why it is refused: small amounts, or all there is. `...`: the
    body as it was recorded."""
    last = index if index >= 0 else len(draft.cases) - 1
    if expected.own_reason:
        return expected, _modest(operation, draft.body(last))
    if expected.certain:
        return expected, ...
    whole = whole_amount(operation, draft.cases, ground.exchanges)
    if whole is None:
        return expected, ...
    place, value = whole
    edge = EdgeValue(boundary="", says="", value=value)
    body = changed(draft.body(last), place.tokens, edge)
    because = f"{expected.because}; the first takes all there is"
    return msgspec.structs.replace(expected, certain=True, because=because), body


def _key_header(operation: OperationProfile) -> str:
    """The header by which the operation takes an idempotency key
    (draft-ietf-httpapi-idempotency-key); empty: it takes none."""
    names = (*operation.parameter_schemas, *(str(field.place) for field in operation.fields))
    parts = (name.partition(":") for name in names)
    keys = (name for part, _, name in parts if part == "header" and names_one_request(name))
    return next(keys, "")


def _same_key(ground: Ground, operation: OperationProfile, reached: Reached) -> Scenario:
    """The retry of a client that lost the answer: the same key, so the same thing."""
    draft = Draft(as_role(reached.cases, ground))
    last = len(reached.cases) - 1
    for index in range(last):
        draft.setup(index)
    made = any(f.place.name == "/id" for a in operation.answers for f in a.fields)
    facts = (("/id", "${first_id}"),) if made else ()
    expected = msgspec.structs.replace(of_retry(operation, ground.evidence), facts=facts)
    seen = None if made else witness(draft, operation, ground)
    if seen is None or not draft.variables:
        draft.request("Given", last)
        if made:
            draft.add("Given", text("save", "/id", "first_id"))
        draft.add("When", text("repeat_key"))
        say_outcome(draft, expected)
        return to_scenario(ground, operation, draft, expected, titles.retried(operation))
    # Looking in between would be the last request; so the key is said, fresh for each run.
    key = text("header_next", _key_header(operation), f"premortem-${{{draft.variables[0]}}}")
    draft.add("Given", key)
    draft.request("Given", last)
    look(draft, seen, before=True)
    draft.add("Given", key)
    draft.request("When", last)
    say_outcome(draft, expected)
    look(draft, seen, before=False)
    return to_scenario(ground, operation, draft, expected, titles.retried(operation))


def _modest(operation: OperationProfile, body: Any) -> Any:
    """BODY with small amounts, so that nothing but the repetition can be why it is refused.

    Half of a payment can go back twice, the whole only once: another check would hide a
    missing one. Small is what production sent least often less of (5 %).
    """
    for field in operation.fields:
        small = field.numbers.quantiles[1] if field.numbers is not None else None
        if field.place.part != "body" or "*" in field.place.tokens or small is None:
            continue
        try:
            usual = at(body, field.place.tokens)
        except (LookupError, TypeError):
            continue
        if isinstance(usual, int | float) and not isinstance(usual, bool) and usual > 0:
            # A quarter fits in twice, too, where even the smallest is much of what there is.
            least = small if 0 < small <= usual / 2 else usual / 4
            value = int(least) if float(least).is_integer() else round(least, 2)
            if isinstance(usual, int) and usual >= 4:
                value = max(1, int(least))
            if value <= 0:
                continue
            body = changed(body, field.place.tokens, EdgeValue(boundary="", says="", value=value))
    return body
