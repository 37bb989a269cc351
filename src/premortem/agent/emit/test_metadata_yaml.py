"""`test-metadata.yaml`, which whoever generates the standard tests keeps: read, and patched.

Its form is theirs. We look for the document of the trace or the handler, and add to it that we
augmented it, and with which tests; every other line stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from premortem.agent.emit.augmentation import (
    Augmentation,
    roles_of,
    scenario_ids,
    security_test,
)
from premortem.agent.emit.augmentation_yaml import kinds_of_test
from premortem.agent.emit.files import Change, newline_of, read, text_of
from premortem.agent.emit.tags import AGENT, is_security
from premortem.agent.emit.yaml_patch import YAML_BYTES_MAX, documents, updated, written

FILE_NAME = "test-metadata.yaml"
_FILE_KEYS = ("file", "artifact", "test_file", "test_artifact")


def metadata_change(root: Path, path: str, augmentation: Augmentation) -> Change:
    """The file PATH below ROOT with AUGMENTATION told in it. Raises InputError."""
    data = read(root, path, bytes_max=YAML_BYTES_MAX)
    text = text_of(data, root / path)
    after = patched_metadata(text, augmentation, path=root / path)
    return Change(
        path=path,
        before=data,
        after=after.encode(),
        kind="metadata",
        check=lambda made: _check(made, root / path),
    )


def patched_metadata(text: str, augmentation: Augmentation, *, path: object) -> str:
    """TEXT with AUGMENTATION in the document that is its own, or in a new one."""
    parts = documents(text, path=path)
    tests = _tests(augmentation)
    updates: dict[str, Any] = {
        "augmented_by": AGENT,
        "last_modified_by": augmentation.last_modified_by,
        "augmented_tests": tests,
    }
    if security_test(augmentation):
        updates["security_test"] = True
    at = _document(parts, augmentation)
    if at is not None:
        part, value = parts[at]
        parts[at] = (updated(part, updates, path=path), value)
        return "".join(part for part, _ in parts)
    signal = augmentation.signal
    record = {
        "trace_id": augmentation.trace_id,
        "handler": signal.handler,
        "blueprint_id": signal.blueprint_id,
        "edition": signal.edition,
        "test_type": " + ".join(kinds_of_test(augmentation)),
        "roles_tested": roles_of(augmentation.scenarios),
    }
    record = {name: value for name, value in record.items() if value not in ("", [])}
    made = written({**record, **updates}).replace("\n", newline_of(text))
    if not parts:
        return text + made
    gap = "" if text.endswith("\n") else newline_of(text)
    return f"{text}{gap}---{newline_of(text)}{made}"


def _document(parts: list[tuple[str, dict[str, Any]]], augmentation: Augmentation) -> int | None:
    wanted = (("trace_id", augmentation.trace_id), ("handler", augmentation.signal.handler))
    for key, name in wanted:
        for index, (_, value) in enumerate(parts):
            if name and value.get(key) == name:
                return index
    unnamed = len(parts) == 1 and not {"trace_id", "handler"} & set(parts[0][1])
    return 0 if unnamed else None


def _tests(augmentation: Augmentation) -> list[dict[str, Any]]:
    ids = scenario_ids(augmentation)
    tests: list[dict[str, Any]] = []
    for one in augmentation.added:
        scenario = one.scenario
        tests.append(
            {
                "scenario_id": ids[scenario.id],
                "scenario": scenario.title,
                "file": one.feature_file,
                "test_type": "bdd",
                "trace_id": augmentation.trace_id,
                "handler": augmentation.signal.handler,
                "role": scenario.role,
                "edition": scenario.edition,
                "security_test": is_security(scenario) or "",
                "retry_count": len(one.attempts),
            }
        )
    for artifact in augmentation.artifacts:
        if artifact.kind in ("csharp", "pytest"):
            tests += [
                {
                    "method": name,
                    "file": artifact.path,
                    "test_type": artifact.test_kind or "",
                    "trace_id": augmentation.trace_id,
                    "handler": augmentation.signal.handler,
                }
                for name in artifact.names
            ]
    return [{name: value for name, value in test.items() if value != ""} for test in tests]


def tests_by_handler(text: str, *, path: object) -> Mapping[str, tuple[str, ...]]:
    """Handler -> files of tests that the metadata names for it, wherever they stand in it.

    Raises InputError when it is no YAML.
    """
    found: dict[str, dict[str, None]] = {}
    for _, value in documents(text, path=path):
        lists = (v for v in value.values() if isinstance(v, list))
        entries = (entry for listed in lists for entry in listed if isinstance(entry, dict))
        for entry in (value, *entries):
            handler = entry.get("handler")
            files = (entry[key] for key in _FILE_KEYS if isinstance(entry.get(key), str))
            if isinstance(handler, str):
                found.setdefault(handler, {}).update((PurePosixPath(f).name, None) for f in files)
    return {handler: tuple(files) for handler, files in found.items()}


def _check(made: bytes, path: object) -> None:
    documents(text_of(made, path), path=path)
