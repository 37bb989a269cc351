"""What of a context no test covers: the question itself, roles, refusals, edges, editions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.agent.knowledge.rules import infer_assertions_from_dto
from premortem.agent.understanding.failure_modes import mode_named
from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import FailureModeName, Gap, Signal
from premortem.pipeline.skills.context import TestContext, is_role_gap

GAPS_MAX = 50
_ASKED, _HELD = 5.0, 2.0
_ROLE, _REFUSAL, _STATED, _SUPPOSED, _EDITION = 3.0, 2.5, 2.0, 1.0, 0.5
"""Scores: what somebody asked for first, then who may, then what the code itself says."""


def gaps_of(context: TestContext) -> tuple[Gap, ...]:
    """What of CONTEXT no test covers, the worst first: what was asked, then what is declared."""
    found = [
        *_asked(context),
        *_roles(context),
        *_refusals(context),
        *_edges(context),
        *_editions(context),
    ]
    by_id = {gap.id: gap for gap in sorted(found, key=lambda gap: gap.score)}
    ranked = sorted(by_id.values(), key=lambda gap: -gap.score)
    return tuple(ranked[:GAPS_MAX])


def _asked(context: TestContext) -> Iterator[Gap]:
    """What the signal asks for. A question is a gap even where a handler's code alone is known."""
    understood, signal = context.understanding, context.signal
    if is_role_gap(signal):
        yield _gap(
            context,
            what=signal.text,
            kind="role",
            role=signal.role,
            edition=signal.edition,
            mode="forbidden_role",
            score=_ASKED,
            impact=f"nothing shows what {signal.role} may do",
        )
        return
    if understood is None and not (signal.text and context.handler_at):
        return
    mode = mode_named(understood.failure_mode) if understood is not None else None
    held = [
        one for one in context.existing if f"trace_id:{signal.trace_id}" in one.tags
    ] if signal.trace_id else []  # fmt: skip
    yield Gap(
        what=signal.text.strip().rstrip("?"),
        kind="bug" if signal.kind == "bug" else "scenario",
        operation_id=context.operation_ids[0] if context.operation_ids else "",
        handler=context.handler,
        field=understood.field if understood is not None else "",
        role=understood.role if understood is not None else signal.role,
        edition=understood.edition if understood is not None else signal.edition,
        failure_mode=mode.name if mode is not None else "",
        signals=(signal,),
        score=_HELD if held else _ASKED,
        impact=mode.meaning if mode is not None else "",
    )


def _roles(context: TestContext) -> Iterator[Gap]:
    signal = context.signal
    missing = signal.roles if len(signal.roles) > 1 else ()  # a single one is who does it
    for role in dict.fromkeys((*missing, *context.roles_allowed)):
        if role in context.roles_tested:
            continue
        yield _gap(
            context,
            what=f"No test with role {role} for {context.handler or 'it'}",
            signals=(signal,) if role in missing else (),
            kind="role",
            role=role,
            mode="forbidden_role",
            score=_ROLE,
            impact=f"nothing shows that {role} may do it",
        )


def _refusals(context: TestContext) -> Iterator[Gap]:
    """What the handler's own code refuses, and no test method makes it refuse."""
    for refusal in context.refusals:
        words = tokens(refusal.name.removesuffix("Exception").removesuffix("Error"))
        if len(words) < 2 or refusal.name in context.refusals_tested:
            continue  # one word (`Invalid`) says nothing of what is refused
        yield _gap(
            context,
            what=f"no test for {' '.join(words)} error",
            kind="unit",
            score=_REFUSAL,
            impact=f"nothing shows that it is refused with {refusal.name}",
        )


def _edges(context: TestContext) -> Iterator[Gap]:
    """Rules of the object without a negative test."""
    if context.dto is None:
        return
    names = [_letters(one.name) for one in context.existing]
    for assertion in infer_assertions_from_dto(context.dto):
        wanted = (assertion.field.lower(), str(assertion.condition).lower())
        if any(all(word in name for word in wanted) for name in names):
            continue
        condition = " ".join(tokens(str(assertion.condition)))
        yield _gap(
            context,
            what=f"no test for {condition} {' '.join(tokens(assertion.field))}",
            kind="edge",
            field=assertion.field,
            mode=assertion.failure_mode,
            score=_STATED if assertion.stated else _SUPPOSED,
            impact=f"{assertion.says} -> {assertion.expects}",
        )


def _editions(context: TestContext) -> Iterator[Gap]:
    tested = {t for one in context.existing for t in one.tags if t.startswith("edition:")}
    allowed = set(context.roles_allowed)
    for edition, roles in context.editions if context.handler_at or allowed else ():
        if roles and allowed and not allowed & set(roles):
            continue  # nobody there may: that is a matter of roles
        if f"edition:{edition}" not in tested:
            yield _gap(
                context,
                what=f"no edition-specific `.feature` for {edition}",
                kind="edition",
                edition=edition,
                score=_EDITION,
                impact=f"what differs in {edition} is not shown",
            )


def _gap(
    context: TestContext,
    *,
    mode: FailureModeName | str = "",
    score: float,
    **said: str | tuple[Signal, ...],
) -> Gap:
    return Gap(
        operation_id=context.operation_ids[0] if context.operation_ids else "",
        handler=context.handler,
        failure_mode=mode,
        score=score,
        **said,  # type: ignore[arg-type]
    )


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
