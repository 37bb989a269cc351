"""One file per flow, each a readable recipe: the only place where stages meet."""

from premortem.pipeline.accounts import account_cases, credential_tokens
from premortem.pipeline.ask import Asked, Judged, Proposed, ask
from premortem.pipeline.capture import Captured, capture
from premortem.pipeline.confirming import Minimising, Reproducing
from premortem.pipeline.control import Control
from premortem.pipeline.doctor import Diagnosis, examine
from premortem.pipeline.exporting import Exported, Format, export_findings
from premortem.pipeline.generate import Generated, produce, recorded, single_cases
from premortem.pipeline.learn import compare, find_profile, learn, merge
from premortem.pipeline.looking import compare_stored, going_run, write_hdr
from premortem.pipeline.naming import known_operation
from premortem.pipeline.report import replay_finding, replay_findings, report, turn_finding
from premortem.pipeline.roles import require
from premortem.pipeline.run import (
    Prepared,
    Reported,
    execute,
    prepare,
    prepare_resumed,
)
from premortem.pipeline.timing import scheduled

__all__ = [
    "Asked",
    "Captured",
    "Control",
    "Diagnosis",
    "Exported",
    "Format",
    "Generated",
    "Judged",
    "Minimising",
    "Prepared",
    "Proposed",
    "Reported",
    "Reproducing",
    "account_cases",
    "ask",
    "capture",
    "compare",
    "compare_stored",
    "credential_tokens",
    "examine",
    "execute",
    "export_findings",
    "find_profile",
    "going_run",
    "known_operation",
    "learn",
    "merge",
    "prepare",
    "prepare_resumed",
    "produce",
    "recorded",
    "replay_finding",
    "replay_findings",
    "report",
    "require",
    "scheduled",
    "single_cases",
    "turn_finding",
    "write_hdr",
]
