"""One file per flow, each a readable recipe: the only place where stages meet."""

from premortem.pipeline.ask import Asked, Judged, Proposed, ask
from premortem.pipeline.capture import Captured, capture
from premortem.pipeline.doctor import Diagnosis, examine
from premortem.pipeline.generate import Generated, produce, recorded
from premortem.pipeline.learn import learn
from premortem.pipeline.report import replay_finding, replay_findings, report
from premortem.pipeline.run import Prepared, Reported, Reproducing, execute, prepare

__all__ = [
    "Asked",
    "Captured",
    "Diagnosis",
    "Generated",
    "Judged",
    "Prepared",
    "Proposed",
    "Reported",
    "Reproducing",
    "ask",
    "capture",
    "examine",
    "execute",
    "learn",
    "prepare",
    "produce",
    "recorded",
    "replay_finding",
    "replay_findings",
    "report",
]
