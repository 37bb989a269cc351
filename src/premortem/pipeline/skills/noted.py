"""What metadata files say of tests: which handler they test, for which trace, as whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from msgspec import Struct

from premortem.agent.emit.augmentation_yaml import FILE_NAME as AUGMENTATION
from premortem.agent.emit.files import FILE_BYTES_MAX
from premortem.agent.emit.test_metadata_yaml import FILE_NAME as METADATA
from premortem.agent.knowledge.reading import is_python_test

FILES_MAX = 2_000
"""Files of one kind that are looked at."""
_SKIPPED = frozenset({"bin", "obj", "node_modules", "__pycache__", "venv", ".venv", "dist"})
_FILE_KEYS = ("file", "artifact", "test_file", "test_artifact", "feature_file")
_NAME_KEYS = ("scenario", "method", "name")
_OUR_KEYS = frozenset(
    {
        *("trace_id", "augmented_by", "source", "trigger", "test_type", "new_scenarios"),
        *("linked_artifacts", "roles_covered", "scenario_source", "augmented_roles"),
        *("generated_by", "span_id", "origin", "test_artifact", "scenario", "asserts"),
        *("gap_id", "source_blueprint", "gap_resolved", "edition", "handler", "blueprint_id"),
        *("prompt", "prompt_source", "security_test", "retry_count", "last_modified_by"),
        *("scenarios", "roles_tested", "augmented_tests"),
    }
)
"""Of documents that the agent wrote alone."""


class Note(Struct, frozen=True, kw_only=True):
    """What is noted of one test."""

    handlers: tuple[str, ...] = ()
    role: str = ""
    edition: str = ""
    trace_id: str = ""


class TraceNote(Struct, frozen=True, kw_only=True):
    """What is noted of one trace."""

    handler: str = ""
    blueprint_id: str = ""


class Noted(Struct, frozen=True, kw_only=True):
    """All of it."""

    by_name: Mapping[tuple[str, str], Note]
    """(the file's name, the test's name) -> what is noted of it."""
    by_file: Mapping[str, tuple[str, ...]]
    """The file's name -> handlers that its tests test."""
    traces: Mapping[str, TraceNote]
    roles: Mapping[str, tuple[str, ...]]
    """Handler -> roles that it is said to be tested with."""
    roles_of_others: Mapping[str, tuple[str, ...]]
    """The same without what the agent noted itself."""

    def of(self, path: str, name: str) -> Note:
        """What is noted of the test NAME in PATH."""
        file = PurePosixPath(path).name
        own = self.by_name.get((file, name), Note())
        if own.handlers:
            return own
        handlers = self.by_file.get(file, ())
        return Note(handlers=handlers, role=own.role, edition=own.edition, trace_id=own.trace_id)


def read_notes(root: Path, *, changed: Mapping[str, bytes] | None = None) -> Noted:
    """The metadata files below ROOT. CHANGED: files as they are to be; what is no YAML is passed
    over: whoever patches it says so."""
    by_name: dict[tuple[str, str], Note] = {}
    by_file: dict[str, dict[str, None]] = {}
    traces: dict[str, TraceNote] = {}
    roles: dict[str, dict[str, None]] = {}
    others: dict[str, dict[str, None]] = {}
    for entry, ours in _entries(_documents(root, changed or {})):
        handler, trace = _text(entry, "handler"), _text(entry, "trace_id")
        file = next(
            (PurePosixPath(_text(entry, k)).name for k in _FILE_KEYS if _text(entry, k)), ""
        )
        name = next((_text(entry, k) for k in _NAME_KEYS if _text(entry, k)), "")
        if trace:
            before = traces.get(trace, TraceNote())
            blueprint = _text(entry, "blueprint_id") or _text(entry, "source_blueprint")
            traces[trace] = TraceNote(
                handler=before.handler or handler, blueprint_id=before.blueprint_id or blueprint
            )
        if file and name:
            by_name[file, name] = Note(
                handlers=(handler,) if handler else (),
                role=_text(entry, "role"),
                edition=_text(entry, "edition"),
                trace_id=trace,
            )
        elif file and handler:
            by_file.setdefault(file, {})[handler] = None
        if handler:
            said = entry.get("roles_tested") or entry.get("role") or []
            tested = said if isinstance(said, list) else [said]
            for known in (roles,) if ours else (roles, others):
                known.setdefault(handler, {}).update((str(role), None) for role in tested)
    return Noted(
        by_name=by_name,
        by_file={file: tuple(handlers) for file, handlers in by_file.items()},
        traces=traces,
        roles={handler: tuple(said) for handler, said in roles.items()},
        roles_of_others={handler: tuple(said) for handler, said in others.items()},
    )


def files_below(root: Path, pattern: str) -> list[Path]:
    """Files below ROOT, in order, without those that builds and environments leave."""
    found = [
        path
        for path in root.rglob(pattern)
        if path.is_file()
        and not any(
            part in _SKIPPED or part.startswith(".") for part in path.relative_to(root).parts[:-1]
        )
    ]
    return sorted(found)[:FILES_MAX]


def files_of_tests(root: Path) -> list[str]:
    """Files that may hold tests, below ROOT, with `/`: features, C#, Python's by their names."""
    found = [*files_below(root, "*.feature"), *files_below(root, "*.cs")]
    found += [path for path in files_below(root, "*.py") if is_python_test(path.name)]
    return [path.relative_to(root).as_posix() for path in found]


def _documents(root: Path, changed: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    paths = {
        path.relative_to(root).as_posix()
        for name in (METADATA, AUGMENTATION)
        for path in files_below(root, name)
    }
    paths |= {path for path in changed if PurePosixPath(path).name in (METADATA, AUGMENTATION)}
    for path in sorted(paths):
        try:
            data = changed[path] if path in changed else (root / path).read_bytes()
            found = list(yaml.safe_load_all(data[:FILE_BYTES_MAX].decode()))
        except (OSError, ValueError, RecursionError, yaml.YAMLError):
            continue
        yield from (document for document in found if isinstance(document, dict))


def _entries(documents: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each document, and each entry of its lists with the document's handler and trace; and
    whether the agent wrote it."""
    for document in documents:
        ours = "augmented_by" in document and set(document) <= _OUR_KEYS
        yield document, ours
        above: dict[str, Any] = {
            key: document[key] for key in ("handler", "trace_id") if key in document
        }
        for key, listed in document.items():
            for entry in listed if isinstance(listed, list) else ():
                if isinstance(entry, dict):
                    yield {**above, **entry}, ours or key == "augmented_tests"


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
