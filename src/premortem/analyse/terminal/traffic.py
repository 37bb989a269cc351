"""Exchanges and cases in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse import excerpt
from premortem.analyse.excerpt import printable
from premortem.analyse.report_html import milliseconds, moment
from premortem.analyse.terminal.cells import (
    Listing,
    block,
    cell,
    count,
    heading,
    indented,
    stack,
    status_style,
)
from premortem.domain import run
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange
from premortem.store import TrafficRow

PATH_CHARS_MAX = 100
DAY_CHARS = len("2026-01-31")
STEPS_MAX = 50


def traffic_table(rows: Sequence[TrafficRow]) -> RenderableType:
    """One line for each exchange."""
    if not rows:
        return Text("no exchange", style="dim")
    # What is the same in all rows is said once: it would take the path's room.
    days = {moment(row.started_at)[:DAY_CHARS] for row in rows}
    hosts = {row.host for row in rows}
    columns = ("id", "at", "method", "path", "status", "role", "took", "bytes")
    numbers = ("status", "took", "bytes")
    made = Listing(*columns, wide="path", right=numbers, spare=("bytes", "took", "at"))
    for row in rows:
        at = moment(row.started_at).removesuffix(" UTC")
        made.add(
            cell(row.id[:8], "bold"),
            cell(at if len(days) > 1 else at[DAY_CHARS:].strip(), "dim"),
            cell(row.method),
            cell(row.path if len(hosts) == 1 else row.host + row.path, chars_max=PATH_CHARS_MAX),
            Text(str(row.status), style=status_style(row.status)),
            cell(row.role, "dim"),
            milliseconds(row.duration_ms),
            count(row.bytes),
        )
    shared = [f"{days.pop()} UTC"] if len(days) == 1 else []
    shared += [printable(hosts.pop())] if len(hosts) == 1 else []
    return stack(Text(", ".join(shared), style="dim") if shared else None, made)


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
    made = Listing("id", "source", "request", "role", wide="request")
    for case in cases:
        meaning = [] if case.intent.kind == "realistic" and not case.setup else [_meaning(case)]
        made.add(
            cell(case.id[:8], "bold"),
            cell(case.origin.source, "dim"),
            Text.assemble(
                (case.request.method + " ", "bold"),
                excerpt.target_of(case.request, chars_max=PATH_CHARS_MAX),
            ),
            cell(case.role, "dim"),
            below=meaning,
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
