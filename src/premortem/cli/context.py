"""What every command shares: where the configuration is, the store, and how to print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console

from premortem import config as configuration
from premortem.config import Config
from premortem.store import Store, open_store

EXIT_CLEAN, EXIT_FINDINGS, EXIT_FAILED = 0, 1, 2

out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False, soft_wrap=True)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options that every command has."""

    config: Annotated[Path | None, Parameter(env_var="PREMORTEM_CONFIG")] = None
    """The configuration file; default: premortem.toml here or in a folder above."""
    store: Path | None = None
    """The store, instead of the one the configuration names."""
    json: bool = False
    """Print JSON for machines."""

    def load(self) -> Config:
        """The configuration; the built-in defaults when there is no file at all."""
        path = self.config or find_config(Path.cwd())
        loaded = configuration.load(path) if path else Config(directory=str(Path.cwd()))
        if self.store is not None:
            stored = msgspec.structs.replace(loaded.store, path=str(self.store.absolute()))
            loaded = msgspec.structs.replace(loaded, store=stored)
        return loaded

    @contextmanager
    def opened(self) -> Iterator[tuple[Config, Store]]:
        """Configuration and open store."""
        config = self.load()
        with open_store(config.store, Path(config.directory)) as store:
            yield config, store


COMMON = Common()
"""None of the shared options given."""


def find_config(start: Path) -> Path | None:
    """premortem.toml in START or the nearest folder above it, or None."""
    for folder in (start, *start.parents):
        if (folder / configuration.FILE_NAME).is_file():
            return folder / configuration.FILE_NAME
    return None


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
