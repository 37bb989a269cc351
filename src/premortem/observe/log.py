"""The target's log, followed: what it wrote since a moment."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from premortem.domain.log_error import LogError, LogLine, error_in
from premortem.errors import ConfigError
from premortem.observe.drain import Drain, Template
from premortem.observe.records import records

__all__ = ["LogCommand", "LogError", "LogLine", "LogWatch", "error_in"]

READ_BYTES_MAX = 16 * 1024 * 1024
"""Read at a time; of a log that grew by more the last part."""
COMMAND_BYTES_MAX = 1024 * 1024 * 1024
"""What a command may print; what comes later is not looked at."""
COMMAND_END_S = 5.0
"""A command that is asked to end is given so long."""


class LogWatch:
    """Reads a log by offset. The file may be made later, cut or replaced: what was there before
    is then not read again. Not for several threads at once."""

    def __init__(self, path: Path | str, *, drain: Drain | None = None) -> None:
        self._path = Path(path)
        self._drain = drain or Drain()
        self._taken = self.mark()
        self.skipped_bytes = 0
        """Not read, since more came at once than READ_BYTES_MAX."""

    @property
    def templates(self) -> tuple[Template, ...]:
        """With how often each was taken; most frequent first."""
        return self._drain.templates

    def mark(self) -> int:
        """Where the log ends now, in bytes."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def since(self, mark: int) -> list[LogLine]:
        """What was written after MARK, up to now. Does not count: any number may ask."""
        lines, _ = self._lines(mark, whole=False)
        return list(records(lines, self._drain, times=0))

    def take(self) -> list[LogLine]:
        """What was written since the last time, or since it was opened; counted.

        A record whose last line is not ended yet comes the next time.
        """
        lines, self._taken = self._lines(self._taken, whole=True)
        return list(records(lines, self._drain))

    def _lines(self, start: int, *, whole: bool) -> tuple[list[str], int]:
        end = self.mark()
        if end < start:
            start = 0
        if end - start > READ_BYTES_MAX:
            self.skipped_bytes += end - start - READ_BYTES_MAX
            start = end - READ_BYTES_MAX
        if end == start:
            return [], start
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                data = file.read(end - start)
        except OSError:
            return [], start
        if whole:
            data = data[: data.rfind(b"\n") + 1]
        return data.decode("utf-8", "replace").splitlines(), start + len(data)


class LogCommand:
    """A command that prints the target's log, like `docker logs -f api`, and a file to watch."""

    def __init__(self, command: str, *, directory: Path) -> None:
        """Run COMMAND by the shell in DIRECTORY. Raises ConfigError when that fails."""
        self._file: IO[bytes] = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by `close`
            prefix="premortem-log-", suffix=".log"
        )
        self.path = Path(self._file.name)
        try:
            self._process = subprocess.Popen(  # noqa: S602 - the user's own command
                command,
                shell=True,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._file.close()
            raise ConfigError(f"cannot run `log_command` of [target]: {error}") from error
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        left = COMMAND_BYTES_MAX
        pipe = self._process.stdout
        while pipe is not None and (data := pipe.read1(65_536)):  # type: ignore[attr-defined]
            if left > 0:
                self._file.write(data[:left])
                self._file.flush()
                left -= len(data)

    @property
    def trouble(self) -> str:
        """Why nothing comes any more; empty: it runs."""
        code = self._process.poll()
        return "" if code is None else f"`log_command` ended with {code}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the command and what it started, and remove the file."""
        _end(self._process)
        self._thread.join(COMMAND_END_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._file.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    for word in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, word)
        except ProcessLookupError:
            break
        try:
            process.wait(COMMAND_END_S)
            break
        except subprocess.TimeoutExpired:
            continue
