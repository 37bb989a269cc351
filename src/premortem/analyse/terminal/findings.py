"""Findings and runs in the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from rich.console import RenderableType
from rich.text import Text

from premortem.analyse import excerpt
from premortem.analyse.findings import SEVERITIES, alike
from premortem.analyse.report import WHY
from premortem.analyse.report_html import milliseconds, moment
from premortem.analyse.terminal.cells import (
    SEVERITY_STYLE,
    Listing,
    Unbroken,
    block,
    cell,
    count,
    heading,
    indented,
    stack,
    table,
)
from premortem.domain import run
from premortem.domain.limit import Knee
from premortem.domain.run import Finding, Plan, RunSummary

BAR_CELLS = 40
OPERATIONS_SHOWN_MAX = 40
TURNS_SHOWN_MAX = 6
_CLASS_STYLE = {"2xx": "green", "3xx": "blue", "4xx": "yellow", "5xx": "red", "none": "magenta"}


def findings_table(
    findings: Sequence[Finding], *, unconfirmed: int = 0, failing: Collection[str] | None = None
) -> RenderableType:
    """One line for each finding, gravest first.

    FAILING: ids that make the run fail; the others are marked as known. None: all.
    """
    suspicions = f"{unconfirmed} failed once and not again from a fresh state; not counted"
    note = Text(suspicions, style="dim") if unconfirmed else None
    if not findings:
        return stack(Text("no finding", style="bold green"), note)
    columns = ("", "id", "operation", "check", "seen", "again")
    made = Listing(*columns, wide="operation", right=("seen", "again"))
    ordered = sorted(
        findings, key=lambda f: (SEVERITIES.index(f.severity), f.operation_id, f.check)
    )
    for finding in ordered:
        known = failing is not None and finding.id not in failing
        made.add(
            Text(finding.severity, style=SEVERITY_STYLE[finding.severity]),
            cell(finding.id, "bold"),
            cell(finding.operation_id),
            cell(finding.check, "dim"),
            count(finding.count),
            f"{finding.reproduced}/{finding.reproduction_tries}",
            below=[cell(finding.title + _remarks(finding, known=known))],
        )
    counts = Counter(finding.severity for finding in findings)
    summed = ", ".join(f"{counts[s]} {s}" for s in SEVERITIES if counts[s])
    kinds = Counter[str](finding.kind for finding in findings)
    told = (f"{kinds[kind]} {word}" for kind, word in _KINDS.items() if kinds[kind])
    summed = ", of them ".join(part for part in (summed, " and ".join(told)) if part)
    plural = "s" if len(findings) > 1 else ""
    shared = sum(1 for operations in alike(findings).values() if operations > 1)
    line = f"{len(findings)} finding{plural}: {summed}"
    if shared:
        line += f"; {shared} signature{'s' if shared > 1 else ''} in more than one operation"
    return stack(made, Text(line, style="bold"), note)


def _remarks(finding: Finding, *, known: bool) -> str:
    """What else a line says of FINDING, in brackets."""
    said = [_KINDS[finding.kind]] if finding.kind in _KINDS else []
    if finding.operations:
        said.append(f"and in {len(finding.operations)} more operations")
    if finding.state != "open":
        said.append(_STATES[finding.state])
    if known:
        said.append("known")
    return f" ({', '.join(said)})" if said else ""


_KINDS = {"drift": "contract drift", "flaky": "flaky"}
_STATES = {"fixed": "fixed", "back": "came back"}


def finding_view(finding: Finding, *, alike_in: int = 0) -> RenderableType:
    """Everything about one finding. ALIKE_IN: operations with the same signature."""
    head = Text.assemble(
        (finding.severity, SEVERITY_STYLE[finding.severity]),
        (f"  {finding.id}  ", "bold"),
        excerpt.printable(finding.operation_id),
    )
    again = f"reproduced {finding.reproduced} of {finding.reproduction_tries} times"
    facts = f"{finding.check}, seen {finding.count:,} times, {again}"
    if alike_in > 1:
        facts += f"; same signature in {alike_in} operations"
    sent = finding.sent
    if sent.response is not None:
        answer = excerpt.response_text(sent.response)
    else:
        answer = f"no answer: {sent.fault.kind}, {sent.fault.detail}" if sent.fault else "no answer"
    before = finding.sequence.cases[:-1]
    return stack(
        head,
        block(finding.title, "bold"),
        Text(facts, style="dim"),
        block(f"{_KINDS.get(finding.kind, finding.kind)}: {finding.kind_reason}", "dim")
        if finding.kind_reason
        else None,
        Text(_story(finding), style="dim") if finding.first_seen_at else None,
        block(finding.verdict.evidence),
        block(WHY.get(finding.check, ""), "dim") if finding.check in WHY else None,
        heading(f"also in {len(finding.operations)} operations") if finding.operations else None,
        indented(block("\n".join(finding.operations))) if finding.operations else None,
        heading(f"before it, {len(before)} requests") if before else None,
        indented(block("\n".join(_line(case) for case in before[-20:]))) if before else None,
        heading("request" + (f" as {_role(finding)}" if _role(finding) else "")),
        indented(block(excerpt.request_text(sent.request))),
        heading("response"),
        indented(block(answer)),
        heading("by hand") if finding.curl else None,
        Unbroken(finding.curl) if finding.curl else None,
        Text(f"\nagain, with what comes before it: premortem replay {finding.id}", style="dim"),
    )


def _story(finding: Finding) -> str:
    told = f"first seen {moment(finding.first_seen_at)}"
    for turn in finding.history[-TURNS_SHOWN_MAX:]:
        told += f", {_STATES[turn.state]} {moment(turn.at)}"
    shorter = f"; made shorter from {finding.found_with} requests" if finding.found_with > 1 else ""
    return told + shorter


def _role(finding: Finding) -> str:
    return finding.sequence.cases[-1].role


def _line(case: run.Case) -> str:
    role = f"  as {case.role}" if case.role else ""
    return f"{case.request.method} {excerpt.target_of(case.request, chars_max=100)}{role}"


_FAULTS = {
    "unbound": "not sent, for an earlier answer lacked what they need",
    "connect": "no connection",
    "timeout": "timed out",
    "reset": "connection cut",
    "garbage": "answered with something that is not HTTP",
    "too_large": "answered with too much",
    "tls": "TLS failed",
}


def _faulted_note(summary: RunSummary) -> str:
    """What became of them, most frequent first."""
    kinds = sorted(summary.faults.items(), key=lambda item: -item[1])
    told = (f"{number:,} {_FAULTS.get(kind, kind)}" for kind, number in kinds)
    return "; ".join(told) or "no usable answer"


def run_view(summary: RunSummary, shortfall: str = "") -> RenderableType:
    """How a run went: counts, answers, fidelity of the replay, latency."""
    made = table("", "", "")
    made.show_header = False
    rate = summary.answered / summary.duration_s if summary.duration_s else 0.0
    made.add_row("planned", count(summary.planned), _planned_note(summary))
    made.add_row(
        "answered", count(summary.answered), f"{rate:.1f}/s over {summary.duration_s:.1f} s"
    )
    if summary.faulted:
        made.add_row("faulted", count(summary.faulted, "red"), _faulted_note(summary))
    if summary.unknown:
        note = "no answer; they may have been carried out"
        made.add_row("unknown", count(summary.unknown, "magenta"), note)
    if summary.left:
        made.add_row("not sent", count(summary.left, "yellow"), cell(summary.stopped or shortfall))
    if summary.recorded_class_total:
        share = summary.recorded_class_matched / summary.recorded_class_total
        note = f"of {summary.recorded_class_total:,} replayed: {share:.1%} as in production"
        made.add_row("as recorded", count(summary.recorded_class_matched), note)
    if summary.latency_ms:
        quantiles = (f"{name} {milliseconds(ms)}" for name, ms in summary.latency_ms.items())
        made.add_row("latency", "", "  ".join(quantiles))
    if summary.knee is not None:
        made.add_row("limit", "", Text(_knee_note(summary.knee), style="bold cyan"))
    for threshold in summary.judged:
        measured = "nothing was measured" if threshold.value is None else f"{threshold.value:,.4g}"
        style = "green" if threshold.held else "bold red"
        held = "held" if threshold.held else "broken"
        made.add_row(Text(held, style=style), "", cell(f"{threshold.text}: {measured}"))
    if summary.dead:
        reasons = "; ".join(dict.fromkeys(summary.dead.values()))
        made.add_row("jobs given up", count(len(summary.dead), "red"), cell(reasons))
    title = f"run {summary.id}, plan {excerpt.printable(summary.plan.name)}, "
    return stack(
        Text(title + moment(summary.started_at), style="bold"),
        made,
        _bar(summary),
        Text(excerpt.printable(shortfall), style="yellow") if shortfall else None,
    )


def _knee_note(knee: Knee) -> str:
    if not knee.rate_low:
        return f"even the lowest rate broke a threshold; {knee.trials} trials"
    if knee.rate_high is None:
        return f"{knee.rate_low:,.1f}/s held, the highest rate tried; {knee.trials} trials"
    close = "" if knee.precise else ", not closer within the plan's duration"
    return (
        f"{knee.rate_low:,.1f}/s held, {knee.rate_high:,.1f}/s broke; {knee.trials} trials{close}"
    )


def _planned_note(summary: RunSummary) -> str:
    note = f"{summary.planned_dynamic:,} generated"
    if summary.by_source:
        sources = ", ".join(f"{n:,} {name}" for name, n in sorted(summary.by_source.items()))
        note += f" ({sources}"
        note += f"; {summary.setup:,} only set up others)" if summary.setup else ")"
    return note


def _bar(summary: RunSummary) -> Text | None:
    counts = dict(sorted(summary.statuses.items()))
    lost = summary.faulted + summary.unknown
    if lost:
        counts["none"] = lost
    total = sum(counts.values())
    if not total:
        return None
    bar = Text()
    for name, number in counts.items():
        cells = max(1, round(BAR_CELLS * number / total))
        bar.append("█" * cells, style=_CLASS_STYLE.get(name, "dim"))
    for name, number in counts.items():
        label = "no answer" if name == "none" else name
        bar.append(f"  {label} {number:,}", style=_CLASS_STYLE.get(name, "dim"))
    return bar


def plan_view(
    plan: Plan, sequences: Sequence[run.Sequence], shortfall: str = "", *, load: str = ""
) -> RenderableType:
    """What a plan sends: numbers, then operations by how often they come.

    LOAD: how its requests are spread over its time, in words; empty: at a constant rate.
    """
    cases = [case for sequence in sequences for case in sequence.cases]
    sources = Counter(case.origin.source for case in cases)
    adversarial = sum(case.intent.kind == "adversarial" for case in cases)
    setup = sum(case.setup for case in cases)
    named = ", ".join(f"{number:,} {source}" for source, number in sorted(sources.items()))
    numbers = ("replay", "generated", "adversarial")
    made = Listing("operation", *numbers, wide="operation", right=numbers)
    totals = Counter(case.operation_id for case in cases)
    replayed = Counter(c.operation_id for c in cases if c.origin.source == "replay")
    broken = Counter(c.operation_id for c in cases if c.intent.kind == "adversarial")
    for operation_id, number in totals.most_common(OPERATIONS_SHOWN_MAX):
        made.add(
            cell(operation_id),
            count(replayed[operation_id]),
            count(number - replayed[operation_id]),
            count(broken[operation_id]),
        )
    hidden = len(totals) - OPERATIONS_SHOWN_MAX
    load = load or f"at {plan.rate_per_second:g}/s for at most {plan.duration_s:g} s"
    return stack(
        Text(f"{plan.planned:,} requests {load}; {plan.planned_dynamic:,} generated", "bold"),
        Text(f"  {named}; {adversarial:,} adversarial; {setup:,} only set up others"),
        Text("  only safe methods") if plan.safe_methods_only else None,
        made,
        Text(f"and {hidden} more operations", style="dim") if hidden > 0 else None,
        Text(excerpt.printable(shortfall), style="yellow") if shortfall else None,
    )
