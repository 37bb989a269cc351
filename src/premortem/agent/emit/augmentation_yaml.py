"""`test-augmentation-metadata.yaml`: which tests were added for which trace, and why.

One document for each trace and trigger. A later augmentation of the same trace adds to its
document; documents of others, and what people wrote, stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from premortem.agent.emit.augmentation import (
    Added,
    Augmentation,
    prompt_source,
    roles_of,
    scenario_ids,
    security_test,
    source,
    trigger,
)
from premortem.agent.emit.files import Change, newline_of, read, text_of
from premortem.agent.emit.tags import AGENT, is_security
from premortem.agent.emit.yaml_patch import YAML_BYTES_MAX, documents, updated, written
from premortem.domain.proposal import TestKind

FILE_NAME = "test-augmentation-metadata.yaml"
_TEST_KINDS: tuple[TestKind, ...] = ("bdd", "unit", "integration")


def augmentation_change(root: Path, path: str, augmentation: Augmentation) -> Change:
    """The metadata file PATH below ROOT with AUGMENTATION in it. Raises InputError."""
    data = read(root, path, bytes_max=YAML_BYTES_MAX)
    text = text_of(data, root / path)
    after = with_record(text, emit_test_metadata(augmentation), path=root / path)
    return Change(
        path=path,
        before=data,
        after=after.encode(),
        kind="metadata",
        names=tuple(s.title for s in augmentation.scenarios),
        check=lambda made: _check(made, root / path),
    )


def emit_test_metadata(augmentation: Augmentation) -> dict[str, Any]:
    """The skill EmitTestMetadata: what is to be said of AUGMENTATION, in the file's order."""
    signal = augmentation.signal
    set_off = trigger(signal)
    scenarios = augmentation.scenarios
    files = [PurePosixPath(a.path).name for a in augmentation.artifacts if a.test_kind]
    record: dict[str, Any] = {
        "trace_id": augmentation.trace_id,
        "augmented_by": AGENT,
        "source": source(signal),
        "trigger": set_off,
        "test_type": " + ".join(kinds_of_test(augmentation)),
        "new_scenarios": [scenario.title for scenario in scenarios],
        "linked_artifacts": list(dict.fromkeys(files)),
        "roles_covered": roles_of(scenarios),
        **_of_trigger(augmentation, set_off),
        "edition": signal.edition or next((s.edition for s in scenarios if s.edition), ""),
        "handler": signal.handler,
        "blueprint_id": signal.blueprint_id,
        "prompt": signal.text if set_off == "qa_prompt" else "",
        "prompt_source": prompt_source(augmentation),
        "security_test": security_test(augmentation) or "",
        "retry_count": augmentation.retry_count,
        "last_modified_by": augmentation.last_modified_by,
        "scenarios": scenario_records(augmentation),
    }
    return {name: value for name, value in record.items() if value not in ("", [])}


def _of_trigger(augmentation: Augmentation, set_off: str) -> dict[str, Any]:
    """What only a signal of its kind has to say."""
    signal, added = augmentation.signal, augmentation.added
    special: dict[str, Any] = {}
    if augmentation.enriches:
        special["scenario_source"] = AGENT
        special["augmented_roles"] = roles_of(
            one.scenario for one in added if one.scenario.origin.failure_mode == "forbidden_role"
        )
    if set_off == "observability":
        tests = [a for a in augmentation.artifacts if a.kind in ("csharp", "pytest")]
        special["generated_by"] = AGENT
        special["span_id"] = signal.span_id
        special["origin"] = signal.origin
        special["test_artifact"] = PurePosixPath(tests[0].path).name if tests else ""
        special["scenario"] = added[0].scenario.title if len(added) == 1 else ""
        special["asserts"] = list(dict.fromkeys(said for one in added for said in one.asserts))
    if set_off == "self-evaluation":
        special["gap_id"] = "auto-detected"
        special["source_blueprint"] = signal.blueprint_id
        special["gap_resolved"] = bool(added)
    return special


def scenario_records(augmentation: Augmentation) -> list[dict[str, Any]]:
    """One entry for each scenario: where it comes from, who tests what, what became of it."""
    ids = scenario_ids(augmentation)
    return [_scenario_record(one, augmentation, ids[one.scenario.id]) for one in augmentation.added]


def _scenario_record(one: Added, augmentation: Augmentation, readable: str) -> dict[str, Any]:
    scenario, judgement = one.scenario, one.judgement
    gap = next((g for g in augmentation.gaps if _closes(one, g)), None)
    record: dict[str, Any] = {
        "scenario_id": readable,
        "scenario": scenario.title,
        "premortem_id": scenario.id,
        "feature_file": one.feature_file,
        "prompt_source": prompt_source(augmentation),
        "source_skill": scenario.origin.skill,
        "role": scenario.role,
        "edition": scenario.edition,
        "security_test": is_security(scenario) or "",
        "gap_id": gap.id if gap else "",
        "embedding_source": one.embedding_source,
        "verdict": one.verdict.outcome if one.verdict else "",
        "retry_count": len(one.attempts),
        "last_modified_by": augmentation.last_modified_by,
    }
    if one.attempts:
        record["retry_reason"] = one.attempts[-1].reason
        record["last_feedback"] = one.attempts[-1].feedback
        record["status"] = "resolved" if one.attempts[-1].resolved else "open"
        record["regenerated_by"] = AGENT
    if judgement is not None:
        edited = judgement.decision == "accepted_with_edits"
        record["review_status"] = judgement.decision
        record["edited_by"] = judgement.by if edited else ""
        record["feedback_applied"] = edited or ""
        record["feedback_history"] = [f"{judgement.decision}_by_{judgement.by or 'unknown'}"]
    return {name: value for name, value in record.items() if value not in ("", [])}


def _closes(one: Added, gap: Any) -> bool:
    scenario = one.scenario
    return bool(
        gap.operation_id in ("", scenario.operation_id)
        and gap.role in ("", scenario.role)
        and gap.edition in ("", scenario.edition)
        and gap.failure_mode in ("", scenario.origin.failure_mode)
    )


def kinds_of_test(augmentation: Augmentation) -> list[str]:
    """The kinds of test it has: `bdd`, `unit`, `integration`."""
    kinds = {artifact.test_kind for artifact in augmentation.artifacts}
    if augmentation.added:
        kinds.add("bdd")
    return [kind for kind in _TEST_KINDS if kind in kinds]


def with_record(text: str, record: Mapping[str, Any], *, path: object) -> str:
    """TEXT of the metadata file with RECORD: in its document, or in a new one at the end."""
    parts = documents(text, path=path)
    newline = newline_of(text)
    for index, (part, value) in enumerate(parts):
        if all(value.get(key) == record.get(key) for key in ("trace_id", "trigger")):
            more = {**record, "test_type": _joined_types(value, record)}
            parts[index] = (updated(part, more, path=path), value)
            return "".join(part for part, _ in parts)
    made = written(record).replace("\n", newline)
    if not parts:
        return text + made
    gap = "" if text.endswith("\n") else newline
    return f"{text}{gap}---{newline}{made}"


def _joined_types(value: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    both = {*str(value.get("test_type", "")).split(" + "), *record["test_type"].split(" + ")}
    return " + ".join(kind for kind in _TEST_KINDS if kind in both)


def _check(made: bytes, path: object) -> None:
    documents(text_of(made, path), path=path)
