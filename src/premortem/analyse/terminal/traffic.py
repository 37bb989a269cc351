"""Exchanges and cases in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse import excerpt
from premortem.analyse.report_html import milliseconds, moment
from premortem.analyse.terminal.cells import (
    block,
    cell,
    count,
    heading,
    indented,
    stack,
    status_style,
    table,
)
from premortem.domain import run
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange
from premortem.store import TrafficRow

PATH_CHARS_MAX = 100
STEPS_MAX = 50


def traffic_table(rows: Sequence[TrafficRow]) -> RenderableType:
    """One line for each exchange."""
    if not rows:
        return Text("no exchange", style="dim")
    numbers = ("status", "took", "bytes")
    made = table(
        "id", "at", "method", "host and path", "status", "role", "took", "bytes", right=numbers
    )
    for row in rows:
        made.add_row(
            cell(row.id[:8], "bold"),
            cell(moment(row.started_at).removesuffix(" UTC"), "dim"),
            cell(row.method),
            cell(f"{row.host}{row.path}", chars_max=PATH_CHARS_MAX),
            Text(str(row.status), style=status_style(row.status)),
            cell(row.role, "dim"),
            milliseconds(row.duration_ms),
            count(row.bytes),
        )
    return made


def exchange_view(exchange: Exchange) -> RenderableType:
    """One exchange with both messages."""
    tags = exchange.tags
    named = (
        ("role", tags.role),
        ("session", tags.session),
        ("client", tags.client),
        ("trace", tags.trace_id),
        ("edition", tags.edition),
    )
    told = "  ".join(f"{name} {value}" for name, value in named if value)
    took = milliseconds(exchange.duration_ms)
    return stack(
        cell(f"{exchange.id}  {exchange.request.origin}", "bold"),
        Text(f"{moment(exchange.started_at)}, took {took}", style="dim"),
        block(told, "dim") if told else None,
        heading("request"),
        indented(block(excerpt.request_text(exchange.request))),
        heading("response"),
        indented(block(excerpt.response_text(exchange.response))),
    )


def cases_table(cases: Sequence[Case]) -> RenderableType:
    """One line for each case, with what it is for."""
    if not cases:
        return Text("no case; premortem generate --count 100", style="dim")
    made = table("id", "source", "operation", "request", "role", "meant to")
    for case in cases:
        made.add_row(
            cell(case.id[:8], "bold"),
            cell(case.origin.source, "dim"),
            cell(case.operation_id),
            cell(excerpt.target_of(case.request, chars_max=60)),
            cell(case.role, "dim"),
            _meaning(case),
        )
    return made


def _meaning(case: Case) -> Text:
    intent = case.intent
    if case.setup:
        return Text("prepare others", style="dim")
    if intent.kind == "realistic":
        return Text("be like production", style="green")
    how = "break" if intent.certain else "try"
    return cell(f"{how} {intent.breaks}", "yellow" if intent.expects == "refusal" else "cyan")


def case_view(sequence: run.Sequence) -> RenderableType:
    """The last case of SEQUENCE with all that is known of it, after what comes before it."""
    case = sequence.cases[-1]
    before = sequence.cases[:-1]
    origin = case.origin
    facts = [f"{origin.source}, seed {origin.seed}, profile {origin.profile_version or 'none'}"]
    if origin.parents:
        facts.append("from " + ", ".join(parent[:8] for parent in origin.parents))
    if case.recorded_status:
        facts.append(f"production answered {case.recorded_status}")
    expects = f", and expects an {'answer' if case.intent.expects == 'answer' else 'refusal'}"
    bindings = "\n".join(
        f"{b.place} takes {b.select} of request {b.step + 1} (recorded {b.recorded})"
        for b in case.bindings
    )
    return stack(
        cell(f"{case.id}  {case.operation_id}", "bold"),
        Text.assemble("meant to ", _meaning(case), (expects.replace("an r", "a r"), "dim")),
        block("; ".join(facts), "dim"),
        heading(f"before it, {len(before)} requests") if before else None,
        indented(block(_steps(before))) if before else None,
        heading("live values") if bindings else None,
        indented(block(bindings)) if bindings else None,
        heading("request" + (f" as {excerpt.printable(case.role)}" if case.role else "")),
        indented(block(excerpt.request_text(case.request))),
    )


def _steps(before: Sequence[Case]) -> str:
    first = max(0, len(before) - STEPS_MAX)
    return "\n".join(
        f"{number}. {case.request.method} {excerpt.target_of(case.request, chars_max=100)}"
        + (f"  as {case.role}" if case.role else "")
        for number, case in enumerate(before[first:], first + 1)
    )
