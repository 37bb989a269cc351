"""Stored exchanges (and a specification) -> a profile."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from premortem.config import Config
from premortem.domain.traffic import Profile
from premortem.errors import NothingLearned
from premortem.learn import learn_profile, load_spec
from premortem.store import Store


def learn(
    *,
    config: Config,
    store: Store,
    spec: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> Profile:
    """Learn from all exchanges in STORE and save the profile, a child of the latest one.

    SPEC, or the configuration's `target.spec`, declares what traffic cannot show. Raises
    NothingLearned when there is neither traffic nor a specification.
    """
    path = spec or (config.path(config.target.spec) if config.target.spec else None)
    declared = load_spec(path) if path else None
    if declared is None and store.traffic_count() == 0:
        raise NothingLearned(missing="traffic", command="premortem capture har FILE")
    versions = store.profiles()
    profile = learn_profile(
        store.exchanges, spec=declared, now=clock(), parent=versions[0][0] if versions else ""
    )
    store.save_profile(profile)
    return profile
