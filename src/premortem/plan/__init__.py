"""What to run: the plan file, and which cases make up a run, in which order."""

from premortem.plan.context import check_context
from premortem.plan.file import GENERATING, SEED_MAX, load_plan, write_plan
from premortem.plan.schedule import Arranged, arrange

__all__ = [
    "GENERATING",
    "SEED_MAX",
    "Arranged",
    "arrange",
    "check_context",
    "load_plan",
    "write_plan",
]
