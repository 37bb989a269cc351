"""The pytest plugin: makes the cases of `@premortem.cases` and sends them.

Loaded through the entry point `pytest11`; it does nothing until a test asks for cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # every pytest run loads this file; most need none of the rest
    from premortem.api.session import Session

MARKER = "premortem_cases"
_OPENED = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of this plugin."""
    group = parser.getgroup("premortem", "requests generated from production traffic")
    group.addoption(
        "--premortem-config",
        metavar="FILE",
        help="premortem.toml; default: in pytest's root folder or above it",
    )
    group.addoption(
        "--premortem-target",
        metavar="URL",
        help="send to this service instead of the configuration's target.base_url",
    )
    group.addoption(
        "--premortem-seed", type=int, metavar="N", help="another seed for all generated cases"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{MARKER}(wanted): run over generated requests; see premortem.cases"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each case that the test asks for."""
    mark = metafunc.definition.get_closest_marker(MARKER)
    if mark is None:
        return
    from premortem.errors import PremortemError

    wanted = mark.args[0]
    name = metafunc.definition.name
    if wanted.argument not in metafunc.fixturenames:
        raise pytest.UsageError(
            f"{name}: @premortem.cases gives its cases to the argument {wanted.argument!r}, "
            f"which the test does not take; add it, or name another one with argument="
        )
    try:
        live = _session(metafunc.config).cases(wanted)
    except PremortemError as error:
        raise pytest.UsageError(f"{name}: {error}") from None
    metafunc.parametrize(
        wanted.argument,
        live,
        ids=[f"{c.operation}-{c.case.origin.source}-{c.case.id[:8]}" for c in live],
    )


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what was opened."""
    opened = config.stash.get(_OPENED, None)
    if opened is not None:
        opened.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Write a finding's id and its curl line into the JUnit report."""
    from premortem.api.live import FindingError

    if call.excinfo is not None and isinstance(call.excinfo.value, FindingError):
        error = call.excinfo.value
        item.user_properties += [("premortem_finding", id_) for id_ in error.ids]
        item.user_properties.append(("premortem_curl", error.curl))
    yield


def _session(config: pytest.Config) -> Session:
    if _OPENED not in config.stash:
        from premortem.api.session import Session

        given = config.getoption("--premortem-config")
        config.stash[_OPENED] = Session(
            config.rootpath,
            file=Path(given) if given else None,
            target=config.getoption("--premortem-target") or "",
            seed=config.getoption("--premortem-seed"),
        )
    return config.stash[_OPENED]
