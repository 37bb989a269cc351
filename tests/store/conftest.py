from __future__ import annotations

import pytest

from premortem.config import StoreConfig
from premortem.store import open_store


@pytest.fixture
def store(tmp_path):
    with open_store(StoreConfig(lock_wait_s=0.2), tmp_path, environment={}) as opened:
        yield opened
