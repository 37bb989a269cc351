"""Rules about what came of a case. A failure is a Verdict; nothing here raises because of one."""

from premortem.checks.check import Check, Known
from premortem.checks.checker import CHECKS, Checker
from premortem.checks.message import reason_of
from premortem.checks.signature import normalise

__all__ = ["CHECKS", "Check", "Checker", "Known", "normalise", "reason_of"]
