"""The two logs that tell what was generated, a JSON object a line.

`testgen-observability.jsonl`: every step of the agent's reasoning, for audits.
`observability-events.jsonl`: what quality assurance follows, with `source` and `trigger`.
Lines that are there are not written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from premortem.agent.emit.augmentation import (
    Augmentation,
    log_source,
    roles_of,
    scenario_ids,
    trigger,
)
from premortem.agent.emit.files import Change, read, text_of
from premortem.errors import InputError

TESTGEN_LOG = "testgen-observability.jsonl"
EVENTS_LOG = "observability-events.jsonl"
LOG_BYTES_MAX = 16 * 1024 * 1024

Line = dict[str, Any]


class SkillSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One skill that ran."""

    skill: str
    """`GenerateFeatureScenario`."""
    scenario_title: str = ""
    duration_ms: float = 0.0
    retry_count: int = 0
    retry_reason: str = ""

    def line(self, augmentation: Augmentation) -> Line:
        """What the log says of it."""
        signal = augmentation.signal
        line: Line = {
            "span": f"testgen.{self.skill}",
            "trace_id": augmentation.trace_id,
            "handler": signal.handler,
            "edition": signal.edition,
            "source": log_source(signal),
            "scenario_title": self.scenario_title,
        }
        if self.retry_count:
            line |= {"retry_count": self.retry_count, "retry_reason": self.retry_reason}
        return {name: value for name, value in line.items() if value != ""}


def emit_observability(
    root: Path,
    folder: str,
    augmentation: Augmentation,
    *,
    spans: Iterable[SkillSpan] = (),
    at: float | None = None,
) -> tuple[Change, Change]:
    """The skill EmitObservability: both logs in FOLDER below ROOT with AUGMENTATION told in them.

    SPANS: the skills that ran; without any, one for each scenario. AT: seconds since the epoch,
    written as `at`. Raises InputError when a log cannot be read.
    """
    told = list(spans) or [
        SkillSpan(skill=s.origin.skill, scenario_title=s.title) for s in augmentation.scenarios
    ]
    testgen = [
        *testgen_lines(augmentation),
        *(span.line(augmentation) for span in told),
    ]
    return (
        log_change(root, _in(folder, TESTGEN_LOG), testgen, at=at),
        log_change(root, _in(folder, EVENTS_LOG), event_lines(augmentation), at=at),
    )


def testgen_lines(augmentation: Augmentation) -> list[Line]:
    """`TestAugmented` for each scenario and test method."""
    signal = augmentation.signal
    lines: list[Line] = []
    for one in augmentation.added:
        line: Line = {
            "event": "TestAugmented",
            "trace_id": augmentation.trace_id,
            "source": log_source(signal),
            "scenario": one.scenario.title,
            "roles_covered": roles_of([one.scenario]),
            "edition": one.scenario.edition or signal.edition,
        }
        lines.append({name: value for name, value in line.items() if value not in ("", [])})
    methods: list[Line] = [
        {
            "event": "TestAugmented",
            "trace_id": augmentation.trace_id,
            "source": log_source(signal),
            "method": method,
        }
        for method in augmentation.methods
    ]
    return lines + methods


def event_lines(augmentation: Augmentation) -> list[Line]:
    """What became of each scenario, with its tags `source=` and `trigger=`."""
    signal = augmentation.signal
    ids = scenario_ids(augmentation)
    # The document tags events with `trigger=prompt`, metadata with `trigger: qa_prompt`.
    set_off = trigger(signal).removeprefix("qa_")
    retried = "retry:observability" if set_off == "observability" else set_off
    lines: list[Line] = []
    for one in augmentation.added:
        judged = one.judgement.decision if one.judgement else ""
        line: Line = {
            "event": "ScenarioProposed" if not judged else "ScenarioReviewed",
            "trace_id": augmentation.trace_id,
            "span_id": signal.span_id,
            "source": log_source(signal),
            "trigger": retried if one.attempts else set_off,
            "scenario_id": ids[one.scenario.id],
            "scenario": one.scenario.title,
            "status": judged or (one.verdict.outcome if one.verdict else "planned"),
        }
        lines.append({name: value for name, value in line.items() if value != ""})
    return lines


def log_change(
    root: Path, path: str, lines: Iterable[Mapping[str, Any]], *, at: float | None = None
) -> Change:
    """The log PATH below ROOT with LINES behind what it has; those it has are left out."""
    data = read(root, path, bytes_max=LOG_BYTES_MAX)
    text = text_of(data, root / path)
    there = {_key(line) for line in log_lines(text, path=root / path)}
    added: list[str] = []
    for line in lines:
        if _key(line) not in there:
            there.add(_key(line))
            stamped = line if at is None else {**line, "at": at}
            added.append(msgspec.json.encode(stamped).decode() + "\n")
    gap = "" if not text or text.endswith("\n") else "\n"
    after = text + (gap if added else "") + "".join(added)
    if len(after.encode()) > LOG_BYTES_MAX:
        raise InputError(f"{root / path} would have more than {LOG_BYTES_MAX} bytes; move it away")
    return Change(
        path=path,
        before=data,
        after=after.encode(),
        kind="log",
        check=lambda made: _check(made, root / path),
    )


def log_lines(text: str, *, path: object) -> list[Line]:
    """The objects of a log. Raises InputError with the first line that is none."""
    found: list[Line] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Line))
        except msgspec.DecodeError as error:
            raise InputError(f"{path}:{number} is no JSON object ({error}); mend it") from None
    return found


def _key(line: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({name: line[name] for name in sorted(line) if name != "at"})


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _check(made: bytes, path: object) -> None:
    log_lines(text_of(made, path), path=path)
