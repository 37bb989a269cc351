"""What every command shares: where the configuration is, the store, and how to print."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import msgspec
from cyclopts import Group, Parameter
from rich.console import Console, RenderableType
from rich.text import Text

from premortem import config as configuration
from premortem.analyse.excerpt import printable
from premortem.config import Config
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange
from premortem.errors import NothingLearned
from premortem.store import Store, open_store

EXIT_CLEAN, EXIT_FINDINGS, EXIT_FAILED = 0, 1, 2
EXIT_INTERRUPTED = 130
"""128 + SIGINT: what a shell says of a command that Ctrl-C ended."""
PIPE_COLUMNS = 120
"""Width where nobody looks at a terminal: files, pipes, CI; COLUMNS says otherwise."""


class _Screen(Console):
    """A console that goes on in silence when its reader has left (`premortem traffic | head`)."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(sys.stderr if self.stderr else sys.stdout)


def silence(stream: TextIO) -> None:
    """Send what STREAM still holds nowhere: its reader has left."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)


@contextmanager
def unhurried() -> Iterator[None]:
    """Standard output and error that wait for a slow reader, until the block ends.

    Whoever shares a pipe with us may have made it non-blocking: an event loop that started us, or
    a program before us in its group. Python then breaks off with what the pipe takes at once, once
    or twice 64 KiB, in the middle of a document.
    """
    changed: list[int] = []
    for stream in (sys.stdout, sys.stderr):
        try:
            number = stream.fileno()
            if not os.get_blocking(number):
                os.set_blocking(number, True)
                changed.append(number)
        except (AttributeError, OSError, ValueError):
            continue  # no file: a test's, or one that was closed
    try:
        yield
    finally:
        for number in changed:
            with suppress(OSError):
                os.set_blocking(number, False)


def _width(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS


out = _Screen(highlight=False, width=_width(sys.stdout))
err = _Screen(stderr=True, highlight=False, width=_width(sys.stderr))


@Parameter(name="*", group=Group("Everywhere", sort_key=8))
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options that every command has."""

    config: Annotated[Path | None, Parameter(env_var="PREMORTEM_CONFIG")] = None
    """The configuration file; default: premortem.toml here or in a folder above."""
    store: str | None = None
    """The store, instead of the configured one: a file, or postgresql://..."""
    json: bool = False
    """Print JSON for machines, and nothing else, on standard output."""

    def load(self) -> Config:
        """The configuration; the built-in defaults when there is no file at all."""
        path = self.config or configuration.find(Path.cwd())
        loaded = configuration.load(path) if path else Config(directory=str(Path.cwd()))
        if self.store is not None:
            is_url = "://" in self.store
            given = {"url": self.store} if is_url else {"path": str(Path(self.store).absolute())}
            stored = msgspec.structs.replace(loaded.store, **({"url": ""} | given))
            loaded = msgspec.structs.replace(loaded, store=stored)
        return loaded

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[tuple[Config, Store]]:
        """Configuration and open store.

        Without MAKE a store that is not there stays so: whoever reads one in the wrong folder
        is told, and finds no new files.
        """
        config = self.load()
        there = config.store.url or config.path(config.store.path).exists()
        if not make and not there:
            raise NothingLearned(missing="traffic", command="premortem capture har FILE")
        with open_store(config.store, Path(config.directory)) as store:
            yield config, store


COMMON = Common()
"""None of the shared options given."""


def say(*parts: str | tuple[str, str]) -> None:
    """A line on standard output, of texts and (text, style) pairs, never broken or marked up."""
    out.print(_line(parts), soft_wrap=True)


def warn(*parts: str | tuple[str, str]) -> None:
    """A line on standard error; see `say`."""
    err.print(_line(parts), soft_wrap=True)


def show(view: RenderableType) -> None:
    """A view of `analyse` on standard output; a curl line in it is never broken."""
    out.print(view, crop=False)


def _line(parts: tuple[str | tuple[str, str], ...]) -> Text:
    # File names, captured texts and answers end up in here; none of them may steer the terminal.
    pairs = (part if isinstance(part, tuple) else (part, "") for part in parts)
    return Text.assemble(*((printable(text), style) for text, style in pairs))


def identified(value: Exchange | Case) -> dict[str, Any]:
    """VALUE's fields and its id, which is computed."""
    return {"id": value.id, **msgspec.structs.asdict(value)}


def print_json(value: Any) -> None:
    """VALUE as one JSON document on standard output; bytes that are text stay text."""
    data = msgspec.json.encode(_textual(value))
    sys.stdout.write(msgspec.json.format(data, indent=2).decode() + "\n")


def _textual(value: Any) -> Any:
    # Bodies are bytes; base64 of JSON helps nobody who reads the output with jq.
    builtin = msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True)
    return _decoded(builtin)


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_decoded(item) for item in value]
    return value
