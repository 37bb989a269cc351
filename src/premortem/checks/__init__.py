"""Rules about what came of a case. A failure is a Verdict; nothing here raises because of one."""

from premortem.checks.check import Check, Known
from premortem.checks.checker import CHECKS, Checker, open_checker
from premortem.checks.message import reason_of
from premortem.checks.own import Failure, check
from premortem.checks.signature import normalise

__all__ = [
    "CHECKS",
    "Check",
    "Checker",
    "Failure",
    "Known",
    "check",
    "normalise",
    "open_checker",
    "reason_of",
]
