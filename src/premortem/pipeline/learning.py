"""Stored exchanges (and a specification) -> a profile; profiles -> one, or what changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from premortem.config import Config
from premortem.domain.difference import Difference
from premortem.domain.traffic import Profile
from premortem.errors import InputError, NothingLearned
from premortem.learn import (
    Spec,
    compare_profiles,
    joined,
    learn_profile,
    load_spec,
    merge_profiles,
    overlap,
)
from premortem.store import Store

FILE_NAME_MAX = 255
"""Characters of a name that may be a file's; systems refuse to look for longer ones."""
PROFILE_BYTES_MAX = 1024 * 1024 * 1024
PREVIOUS = "previous"
"""Names the profile before the latest one."""


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
    declared = _declared(config, spec)
    if declared is None and store.traffic_count() == 0:
        raise NothingLearned(missing="traffic", command="premortem capture har FILE")
    versions = store.profiles()
    profile = learn_profile(
        store.exchanges, spec=declared, now=clock(), parent=versions[0][0] if versions else ""
    )
    store.save_profile(profile)
    return profile


def _declared(config: Config, spec: Path | None) -> Spec | None:
    target = config.target
    named = [spec] if spec else [config.path(target.spec)] if target.spec else []
    if target.graphql_spec:
        named.append(config.path(target.graphql_spec))
    specs = [load_spec(path, graphql_at=target.graphql_path) for path in named]
    return joined(*specs) if len(specs) > 1 else next(iter(specs), None)


def find_profile(store: Store, name: str) -> Profile:
    """The profile NAME: a version or the start of one, `latest`, `previous`, or a JSON file.

    A file is what `premortem profile --json` writes. Raises InputError, NothingLearned.
    """
    path = Path(name)
    if path.suffix == ".json" or (len(name) <= FILE_NAME_MAX and path.is_file()):
        return _read(path)
    if name == PREVIOUS:
        versions = store.profiles()
        if len(versions) < 2:
            raise InputError(
                "there is no previous profile: this store holds one at most; name two "
                "versions or files, or learn again when there is more traffic"
            )
        return store.profile(versions[1][0])
    return store.profile(name)


def _read(path: Path) -> Profile:
    try:
        if path.stat().st_size > PROFILE_BYTES_MAX:
            raise InputError(f"{path} is larger than a profile can be (1 GiB)")
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; name a file that is there, or a version"
        ) from None
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path} is no profile: {error}; write one with `premortem profile --json`"
        ) from None


def merge(
    profiles: Sequence[Profile], *, store: Store, clock: Callable[[], float] = time.time
) -> tuple[Profile, int]:
    """PROFILES as one, saved as the latest; and how many exchanges were in two of them.

    Raises InputError when there are fewer than two.
    """
    if len(profiles) < 2:
        raise InputError("merging takes two profiles or more; name two versions or files")
    twice = sum(overlap(a, b) for index, a in enumerate(profiles) for b in profiles[index + 1 :])
    merged = merge_profiles(*profiles, now=clock())
    store.save_profile(merged)
    return merged, twice


def compare(before: Profile, after: Profile) -> Difference:
    """What changed from BEFORE to AFTER."""
    return compare_profiles(before, after)
