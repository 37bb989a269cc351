"""Scores as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benches.defects.outcome import Defect
from benches.defects.scoring import ERRORS_GOAL, LEAST, REACHED_GOAL, Score, SeedScore, held

BODY_LETTERS = 160
FILES_SHOWN, LINES_SHOWN = 10, 14


def table(scores: Mapping[str, Score]) -> Iterator[str]:
    """One line after the other."""
    yield (
        f"{'':10}{'':6}{'seed':>6}{'requests':>10}{'errors':>8}{'gained':>8}"
        f"{'reported':>10}{'tried':>8}{'2xx':>6}{'of':>5}{'wall s':>9}{'CPU s':>8}"
    )
    for one in scores.values():
        for side, seeds in (("peer", one.peer), ("ours", one.ours)):
            for seed in seeds:
                yield _line(one.service, side, seed)
    yield ""
    yield (
        f"{'':10}{'errors':>8}{'peer':>6}{'ratio':>8}{'known':>7}   "
        f"{'gained':>7}{'peer':>6}{'ratio':>8}{'known':>7}"
    )
    for one in scores.values():
        yield (
            f"{one.service:10}{one.ours_errors:>8}{one.peer_errors:>6}{one.errors_ratio:>8.2f}"
            f"{one.ceiling_errors:>7}   {one.ours_gained:>7}{one.peer_gained:>6}"
            f"{one.reached_ratio:>8.2f}{one.ceiling_gained:>7} {one.unit}"
        )
    figures = held(scores)
    yield (
        f"geometric means: errors {figures['errors_mean']:.2f} (goal {ERRORS_GOAL}), code "
        f"{figures['reached_mean']:.2f} (goal {REACHED_GOAL}), least {figures['least']:.2f} "
        f"(goal {LEAST})"
    )


def _line(service: str, side: str, seed: SeedScore) -> str:
    asked = f"{seed.requests:>10}{seed.errors:>8}{seed.gained:>8}{seed.reported:>10}"
    reach = f"{seed.tried:>8}{seed.passed:>6}{seed.known:>5}"
    cost = f"{seed.wall_s:>9.1f}{seed.cpu_s:>8.1f}"
    return f"{service:10}{side:6}{seed.seed:>6}{asked}{reach}{cost}  {seed.notes}".rstrip()


def differences(score: Score) -> Iterator[str]:
    """What only one side found, each with a request that brought it about."""
    for title, defects in (
        ("only Schemathesis (or the plain replay)", score.only_peer),
        ("only Premortem", score.only_ours),
    ):
        yield f"{score.service}: {title}: {len(defects)}"
        for defect in defects:
            yield from _defect(defect)
    yield f"{score.service}: both: {len(score.both)}"
    yield from (f"  {signature}" for signature in score.both)
    if score.untried:
        yield f"{score.service}: only Schemathesis had a 2xx of: {', '.join(score.untried)}"
    for title, files in (
        ("only Schemathesis", score.code_only_peer),
        ("only Premortem", score.code_only_ours),
    ):
        yield f"{score.service}: code beyond the replay that {title} reached:"
        for file, lines in list(files.items())[:FILES_SHOWN]:
            shown = " ".join(map(str, lines[:LINES_SHOWN]))
            yield f"  {len(lines):5} {file}: {shown}{' ...' if len(lines) > LINES_SHOWN else ''}"


def _defect(defect: Defect) -> Iterator[str]:
    yield f"  {defect.signature}  ({defect.count} times)"
    yield f"      {defect.message[:BODY_LETTERS]}"
    for trigger in defect.triggers[:1]:
        body = f"  {trigger.body[:BODY_LETTERS]}" if trigger.body else ""
        yield f"      {trigger.line[:BODY_LETTERS]} -> {trigger.status}{body}"
