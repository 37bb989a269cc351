"""What to run: the plan file, and which cases make up a run, in which order."""

from premortem.plan.file import load_plan, write_plan
from premortem.plan.schedule import Arranged, arrange

__all__ = ["Arranged", "arrange", "load_plan", "write_plan"]
