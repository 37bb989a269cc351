"""One file per flow, each a readable recipe: the only place where stages meet."""

from premortem.pipeline.accounts import account_cases, credential_tokens
from premortem.pipeline.ask import Asked, Judged, Proposed, ask
from premortem.pipeline.capture import Captured, capture
from premortem.pipeline.confirming import Minimising, Reproducing
from premortem.pipeline.control import Control
from premortem.pipeline.delivering import Delivered, deliver, deliver_patch, see
from premortem.pipeline.doctor import Diagnosis, examine
from premortem.pipeline.exploring import Considered, Explored, explore
from premortem.pipeline.exporting import Exported, Format, export_findings
from premortem.pipeline.generate import Generated, produce, recorded, single_cases
from premortem.pipeline.learn import compare, find_profile, learn, merge
from premortem.pipeline.looking import compare_stored, going_run, write_hdr
from premortem.pipeline.naming import known_operation
from premortem.pipeline.origins import origins
from premortem.pipeline.report import replay_finding, replay_findings, report, turn_finding
from premortem.pipeline.reviewing import (
    Card,
    Checked,
    Reviewed,
    Rooms,
    accept,
    check_edit,
    edit_text,
    judge_again,
    refuse,
    rooms,
    save_edit,
    show_card,
    take_back,
)
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
    "Card",
    "Checked",
    "Considered",
    "Control",
    "Delivered",
    "Diagnosis",
    "Explored",
    "Exported",
    "Format",
    "Generated",
    "Judged",
    "Minimising",
    "Prepared",
    "Proposed",
    "Reported",
    "Reproducing",
    "Reviewed",
    "Rooms",
    "accept",
    "account_cases",
    "ask",
    "capture",
    "check_edit",
    "compare",
    "compare_stored",
    "credential_tokens",
    "deliver",
    "deliver_patch",
    "edit_text",
    "examine",
    "execute",
    "explore",
    "export_findings",
    "find_profile",
    "going_run",
    "judge_again",
    "known_operation",
    "learn",
    "merge",
    "origins",
    "prepare",
    "prepare_resumed",
    "produce",
    "recorded",
    "refuse",
    "replay_finding",
    "replay_findings",
    "report",
    "require",
    "rooms",
    "save_edit",
    "scheduled",
    "see",
    "show_card",
    "single_cases",
    "take_back",
    "turn_finding",
    "write_hdr",
]
