from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem.config import StoreConfig
from premortem.store import Store, open_store
from tests.contract.server import Server, started

BACKENDS = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One for each process of tests."""
    with started() as running:
        yield running


class Backend:
    """Makes stores of one kind."""

    def __init__(self, name: str, request: pytest.FixtureRequest) -> None:
        self.name = name
        self._request = request

    def config(self, **more) -> StoreConfig:
        """The configuration of a new, empty store."""
        given = {"lock_wait_s": 0.2} | more
        if self.name == "postgres":
            given["url"] = self._request.getfixturevalue("server").database()
        return StoreConfig(**given)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request) -> Backend:
    return Backend(request.param, request)


@pytest.fixture
def config(backend) -> StoreConfig:
    return backend.config()


@pytest.fixture
def reopened(config, tmp_path):
    """Opens the test's store, as often as one likes."""
    return lambda **environment: open_store(config, tmp_path, environment=environment)


@pytest.fixture
def store(reopened) -> Iterator[Store]:
    with reopened() as opened:
        yield opened
