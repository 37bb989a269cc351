"""Names that a package offers without having loaded the modules that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """The `__getattr__` (PEP 562) of PACKAGE, which has each of HOMES loaded when one of its names
    is asked for; module within PACKAGE -> names.

    A package that most who want something of it want little of is started sooner that way. No name
    may be that of a module within PACKAGE: once loaded, the module would stand in its place.
    """
    home_of = {name: f"{package}.{home}" for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home_of[name]), name)

    return load
