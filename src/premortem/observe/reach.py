"""How far into the target a run reached: its log, its traces and the code that ran."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from premortem.config import Config
from premortem.domain.coverage import CodeTotal, Seen
from premortem.domain.tracing import operation_digits
from premortem.errors import ConfigError, InputError
from premortem.observe import otlp_traces
from premortem.observe.code_coverage import read_code_coverage
from premortem.observe.door import Answer, Asked, Door, refusal
from premortem.observe.drain import Drain
from premortem.observe.log import LogCommand, LogWatch

TRACES_PATH = "/v1/traces"
TRACES_BYTES_MAX = 16 * 1024 * 1024
"""Of one request of an exporter."""
LOG_INTERVAL_S = 1.0
NAMES_MAX = 20_000
"""Spans and statements that are told apart."""
COMMAND_S_MAX = 60.0
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


class Reach:
    """Follows what `[target]` and `[coverage]` of premortem.toml name, until `close`; nothing
    where they name nothing. What cannot be read is said in `notes`."""

    def __init__(self, config: Config, operations: Iterable[str] = ()) -> None:
        """OPERATIONS: ids of those whose requests may be traced.

        Raises ConfigError for a command that cannot be run and an address that is taken.
        """
        self._config = config
        self._log = _FollowedLog(config)
        self.traces = Traces(operations)
        self._door: Door | None = None
        self._code: dict[str, CodeTotal] = {}
        self._trouble = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        if config.coverage.traces:
            try:
                self._door = Door(
                    config.coverage.traces,
                    self.traces,
                    what="`traces` under [coverage]",
                    body_bytes_max=TRACES_BYTES_MAX,
                )
            except ConfigError:
                self._log.close()
                raise
        self.listening = self._door.address if self._door is not None else ""
        self._thread = threading.Thread(target=self._follow, name="reach", daemon=True)
        target, coverage = config.target, config.coverage
        if target.log or target.log_command or (coverage.code and coverage.code_interval_s):
            self._thread.start()

    def __enter__(self) -> Reach:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Follow no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._log.close()
        if self._door is not None:
            self._door.close()
            self._door = None

    @property
    def log_path(self) -> Path | None:
        """The file that the target's log comes to; None: it is not followed."""
        return self._log.path

    def _follow(self) -> None:
        every_s = self._config.coverage.code_interval_s
        waited_s = 0.0
        while not self._ended.wait(LOG_INTERVAL_S):
            self._log.take()
            waited_s += LOG_INTERVAL_S
            if every_s and waited_s >= every_s:
                waited_s = 0.0
                self._read_code()

    def settled(self) -> tuple[tuple[Seen, ...], tuple[CodeTotal, ...], tuple[str, ...]]:
        """What was seen of the target by now, files of its code, and notes on what could not be
        read."""
        self._log.take()
        if self._config.coverage.code:
            self._read_code()
        with self._lock:
            code = tuple(sorted(self._code.values()))
            trouble = self._trouble
        notes = [note for note in (self._log.trouble, trouble) if note]
        return (*self._log.seen(), *self.traces.seen()), code, tuple(notes)

    def _read_code(self) -> None:
        coverage = self._config.coverage
        try:
            if coverage.code_command:
                _run(coverage.code_command, self._config.path("."))
            found = read_code_coverage(self._config.path(coverage.code))
        except (ConfigError, InputError) as error:
            with self._lock:
                self._trouble = str(error)
            return
        with self._lock:
            self._trouble = ""
            for total in found:
                before = self._code.get(total.file)
                # A target that was reset begins anew, and what ran before did run.
                if before is None or total.lines_covered >= before.lines_covered:
                    self._code[total.file] = total


class _FollowedLog:
    """The target's log, if one is named; for two threads."""

    def __init__(self, config: Config) -> None:
        target = config.target
        self._command: LogCommand | None = None
        self._watch: LogWatch | None = None
        self._drain = Drain()
        self._told: dict[str, str] = {}
        """Template -> severity, and the signature of its error."""
        self._lock = threading.Lock()
        self._path = config.path(target.log) if target.log else Path()
        if target.log_command:
            self._command = LogCommand(target.log_command, directory=config.path("."))
            self._watch = LogWatch(self._command.path, drain=self._drain)
        elif target.log:
            self._watch = LogWatch(self._path, drain=self._drain)

    @property
    def path(self) -> Path | None:
        if self._command is not None:
            return self._command.path
        return self._path if self._watch is not None else None

    @property
    def trouble(self) -> str:
        if self._command is not None:
            return self._command.trouble
        if self._watch is not None and not self._path.is_file():
            return f"the target's log {self._path} is not there"
        return ""

    def take(self) -> None:
        with self._lock:
            for line in self._watch.take() if self._watch is not None else ():
                error = f" {line.error.signature}" if line.error is not None else ""
                self._told[line.template_id] = f"{line.severity}{error}".strip()

    def seen(self) -> list[Seen]:
        with self._lock:
            return [
                Seen(kind="log", name=t.text, hits=t.hits, detail=self._told.get(t.id, ""))
                for t in self._drain.templates
                if t.hits
            ]

    def close(self) -> None:
        if self._command is not None:
            self._command.close()


class Traces:
    """Takes spans from exporters, and tells by their trace of which operation they are."""

    def __init__(self, operations: Iterable[str]) -> None:
        self._operations: Mapping[str, str] = {operation_digits(id_): id_ for id_ in operations}
        self._counts: dict[tuple[str, str, str, str], int] = {}
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        """Read an ExportTraceServiceRequest; spans of other requests than ours are left out."""
        if (asked.method, asked.path) != ("POST", TRACES_PATH):
            return refusal(404, f"traces are taken at POST {TRACES_PATH}")
        if asked.content_type not in (_PROTOBUF, _JSON):
            return refusal(415, f"send {_PROTOBUF} or {_JSON}")
        read = otlp_traces.from_json if asked.content_type == _JSON else otlp_traces.from_protobuf
        try:
            spans = list(read(asked.body))
        except ValueError as error:
            return refusal(400, f"no ExportTraceServiceRequest: {error}"[:500])
        with self._lock:
            for span in spans:
                self._add(span)
        body = b"{}" if asked.content_type == _JSON else b""
        return Answer(body=body, content_type=asked.content_type)

    def _add(self, span: otlp_traces.Span) -> None:
        operation = self._operations.get(span.trace_id[:16])
        if operation is None:
            return
        keys = [("span", operation, span.name, "")]
        if span.statement:
            keys.append(
                ("statement", operation, otlp_traces.plain_statement(span.statement), span.system)
            )
        for key in keys:
            if key in self._counts or len(self._counts) < NAMES_MAX:
                self._counts[key] = self._counts.get(key, 0) + 1

    def seen(self) -> list[Seen]:
        """Spans and statements with how often they came."""
        with self._lock:
            counts = dict(self._counts)
        return [
            Seen(
                kind="span" if kind == "span" else "statement",
                operation_id=operation,
                name=name,
                hits=hits,
                detail=detail,
            )
            for (kind, operation, name, detail), hits in sorted(counts.items())
        ]


def _run(command: str, directory: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S602 - the user's own command
            command,
            shell=True,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"`code_command` of [coverage] failed: {error}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else "it printed nothing"
        raise ConfigError(f"`code_command` of [coverage] ended with {done.returncode}: {why}")
