"""Recorded traffic -> a traffic model, kept with the profile; and the source that writes by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from premortem.domain.traffic import Exchange, Profile
from premortem.domain.traffic_model import TrafficModel
from premortem.errors import NothingLearned
from premortem.generate import CaseSource
from premortem.generate.traffic import HELD_OUT_SHARE, Rooms, TrafficSource, train
from premortem.store import Store

TRAFFIC = "traffic"
COMMAND = "premortem train traffic"


def train_traffic(
    store: Store,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    held_out_share: float = HELD_OUT_SHARE,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.process_time,
) -> TrafficModel:
    """A model of how PROFILE's requests are written, saved beside it.

    HELD_OUT_SHARE: of the sessions, that are kept for judging it. Raises NothingLearned where no
    request can be learned from.
    """
    model = train(profile, exchanges, now=now(), clock=clock, held_out_share=held_out_share)
    if not model.operations:
        raise NothingLearned(
            missing="traffic that was let through, by roles that are configured,",
            command="premortem capture har FILE",
        )
    store.save_traffic_model(model)
    return model


def rooms_of(
    store: Store,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    weights: Mapping[str, int],
) -> Rooms | None:
    """Where the source `traffic` writes; None where WEIGHTS do not want it.

    Raises NothingLearned where no model was trained for PROFILE.
    """
    if not weights.get(TRAFFIC):
        return None
    model = store.traffic_model(profile.version)
    if model is None:
        raise NothingLearned(missing=f"traffic model of profile {profile.version}", command=COMMAND)
    return Rooms(profile, exchanges, model)


def traffic_source(
    rooms: Rooms | None, weights: Mapping[str, int], seed: int
) -> dict[str, CaseSource]:
    """The source by its name, where there are ROOMS for it. Raises NothingLearned where WEIGHTS
    want it and there are none."""
    if rooms is not None:
        return {TRAFFIC: TrafficSource(rooms, seed)}
    if weights.get(TRAFFIC):
        raise NothingLearned(missing="traffic model", command=COMMAND)
    return {}
