"""Sentences about what runs covered, the same in the terminal and on a page."""

from __future__ import annotations

from premortem.analyse.coverage_map import CoverageMap
from premortem.domain.coverage import CodeTotal

AHEAD_TRIES = 100
SURE_TRIES_MIN = 50
"""With fewer requests read an estimate is not worth a sentence."""


def totals_words(found: CoverageMap) -> str:
    """What was covered, in a line."""
    whole, covered = found.whole, found.covered
    if not covered.runs:
        return "nothing was run yet with this profile: `premortem run PLAN`"
    tried = sum(1 for row in found.rows if row.hits)
    which = f"run {covered.run_id}" if covered.run_id else f"{covered.runs:,} runs"
    return (
        f"{which}: {tried} of {len(found.rows)} operations, "
        f"{whole.tried:,} of {whole.possible:,} cells ({percent(whole.tried, whole.possible)})"
    )


def reading_words(found: CoverageMap) -> str:
    """What the numbers are made from."""
    covered = found.covered
    words = (
        f"{covered.cases:,} requests, of which {covered.read:,} were kept in full and read; "
        f"answers showed {found.fields_seen:,} of {found.fields_known:,} known fields, "
        f"{found.links_seen:,} of {found.links_known:,} known links were used"
    )
    if covered.read < covered.cases:
        words += (
            "; the others count for their operation alone, "
            "so more was tried than is shown (`keep_all` keeps them all)"
        )
    return words


def estimate_words(found: CoverageMap) -> str:
    """How much is still to be seen, and how far that can be trusted."""
    guess = found.behaviours
    if guess.tries < SURE_TRIES_MIN:
        return f"too early to say: {guess.tries} requests were read; {SURE_TRIES_MIN} are needed"
    ahead = guess.new_per_try * AHEAD_TRIES
    seen = f"{guess.seen:,} behaviours (a kind of value in a place, and how it was answered)"
    if not guess.once:
        return f"{seen} were seen, each more than once: more of the same will hardly show new ones"
    return (
        f"{seen} were seen, {guess.once:,} of them once. {AHEAD_TRIES} more requests like these "
        f"would show about {_about(ahead)} new ones (Good-Turing); there are about "
        f"{_about(guess.unseen_min)} more at the least, so at most {guess.share:.0%} were seen "
        f"(Chao). Requests of another kind are not in this estimate: the cells above are."
    )


def code_words(total: CodeTotal) -> str:
    """Lines and branches, in a line."""
    words = (
        f"{total.lines_covered:,} of {total.lines:,} lines "
        f"({percent(total.lines_covered, total.lines)})"
    )
    if total.branches:
        words += (
            f", {total.branches_covered:,} of {total.branches:,} branches "
            f"({percent(total.branches_covered, total.branches)})"
        )
    return words


def percent(part: int, whole: int) -> str:
    """PART of WHOLE, `0%` of nothing."""
    return f"{part / whole:.0%}" if whole else "0%"


def _about(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"
