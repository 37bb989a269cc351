"""What to run: the plan file, and which cases make up a run, in which order."""

from premortem.plan.file import SEED_MAX, load_plan, write_plan
from premortem.plan.schedule import Arranged, arrange

__all__ = ["SEED_MAX", "Arranged", "arrange", "load_plan", "write_plan"]
