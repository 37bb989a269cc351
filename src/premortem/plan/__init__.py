"""What to run: the plan file, and which cases make up a run, in which order."""

from premortem.plan.check import Checked, Problem, check_text
from premortem.plan.context import check_context
from premortem.plan.drawing import draw, drawn, rate_text
from premortem.plan.file import load_plan, read_plan, write_plan
from premortem.plan.fitting import fit
from premortem.plan.rules import GENERATING, SEED_MAX, Complaint
from premortem.plan.schedule import Arranged, Share, arrange
from premortem.plan.words import at_most, load_words, rule_lines, search_words

__all__ = [
    "GENERATING",
    "SEED_MAX",
    "Arranged",
    "Checked",
    "Complaint",
    "Problem",
    "Share",
    "arrange",
    "at_most",
    "check_context",
    "check_text",
    "draw",
    "drawn",
    "fit",
    "load_plan",
    "load_words",
    "rate_text",
    "read_plan",
    "rule_lines",
    "search_words",
    "write_plan",
]
