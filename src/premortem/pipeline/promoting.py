"""Which trained model is in use: who let it, and going back to the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager

from msgspec.structs import replace

from premortem.config import Config
from premortem.domain.traffic import Profile
from premortem.domain.trained import HISTORY_MAX, ModelState, StateChange, TrainedModel
from premortem.errors import InputError
from premortem.models import Addition, Described, choose, file_of, name_of, open_engine
from premortem.pipeline.realism import NOBODY, Asked
from premortem.pipeline.training import TRAFFIC
from premortem.store import Store

ONLY_LLM: Mapping[str, int] = {"llm": 1}


def promote(store: Store, model: str, *, by: str, now: float) -> TrainedModel:
    """From now on the source `llm` uses MODEL (an id, or the start of one) for its profile.

    BY: who says so; NOW: seconds since the epoch. Raises InputError when it is in use already, or
    when it did not pass the privacy gate: with the reasons.
    """
    card = store.registry.card(model)
    if card.state == "promoted":
        raise InputError(f"the model {card.id} is in use already")
    if card.reasons:
        raise InputError(
            f"the model {card.id} cannot be promoted: {'; '.join(card.reasons)}. Train another "
            f"one: more sessions, fewer --epochs or a lower --rank let it keep less"
        )
    before = store.registry.promoted(card.profile_version)
    promoted = _turned(card, "promoted", by, now)
    others = [_turned(before, "superseded", by, now)] if before is not None else []
    store.registry.save(*others, promoted)
    return promoted


def rollback(store: Store, *, by: str, now: float) -> tuple[TrainedModel, TrainedModel | None]:
    """(the model that was in use for the latest profile, the one before it, which is from now on).

    None: the base model alone. Raises InputError when none is in use.
    """
    profile = store.profile()
    current = store.registry.promoted(profile.version)
    if current is None:
        raise InputError(
            f"no trained model is in use for profile {profile.version}; see `premortem models list`"
        )
    waiting = [c for c in store.registry.cards(profile.version) if c.state == "superseded"]
    before = max(waiting, key=_promoted_at, default=None)
    gone = _turned(current, "withdrawn", by, now)
    if before is None:
        store.registry.save(gone)
        return gone, None
    back = _turned(before, "promoted", by, now)
    store.registry.save(gone, back)
    return gone, back


def promoted_addition(
    store: Store,
    config: Config,
    profile_version: str,
    weights: Mapping[str, int] = ONLY_LLM,
) -> Addition | None:
    """What the promoted model of the profile adds to the configured one; None: WEIGHTS ask no
    model, none is promoted, or it was trained on top of another model than the configured one."""
    if not (weights.get("llm") or weights.get("mutate")):
        return None
    card = store.registry.promoted(profile_version)
    if card is None:
        return None
    _, model = choose(config)
    if not weights.get("llm") and not model.mutate_share:
        return None
    if model.engine != "llamacpp" or name_of(file_of(config, model)) != card.base:
        return None
    return addition_of(store, card)


def addition_of(store: Store, card: TrainedModel) -> Addition:
    """CARD's weights, as the engine takes them."""
    return Addition(name=f"trained {card.id}", file=store.registry.file(card.id, "weights"))


@contextmanager
def language_models(
    config: Config, store: Store, profile: Profile, *, count: int, trained: str = ""
) -> Iterator[Asked]:
    """The model in use, alone and with what TRAINED adds (empty: the promoted one), to write
    COUNT requests each; 0 opens none."""
    if not count:
        yield NOBODY
        return
    card = store.registry.card(trained) if trained else store.registry.promoted(profile.version)
    additions: dict[str, Addition | None] = {"llm": None}
    if card is not None:
        additions[f"llm {card.id}"] = addition_of(store, card)
    with ExitStack() as opened:
        engines = {
            name: opened.enter_context(closing(open_engine(config, addition=addition)))
            for name, addition in additions.items()
        }
        yield Asked(engines=engines, count=count)


def listed_trained(store: Store) -> list[Described]:
    """Every trained model as a list shows it; `used`: it is promoted for the latest profile."""
    profiles = store.profiles()
    latest = profiles[0][0] if profiles else ""
    drawn = store.traffic_model(latest) if latest else None
    found: list[Described] = []
    if drawn is not None:
        where = f"{drawn.version}, {drawn.requests:,} requests of profile {latest}"
        found.append(Described(name=TRAFFIC, engine=TRAFFIC, where=where, used=True, trouble=""))
    return found + [
        Described(
            name=card.id,
            engine="trained",
            where=f"{card.state}, {card.distinct:,} answers of profile {card.profile_version}, "
            f"on {card.base}",
            used=card.state == "promoted" and card.profile_version == latest,
            trouble="; ".join(card.reasons),
        )
        for card in store.registry.cards()
    ]


def _turned(card: TrainedModel, state: ModelState, by: str, at: float) -> TrainedModel:
    change = StateChange(at=at, by=by, state=state)
    return replace(card, state=state, history=(*card.history, change)[-HISTORY_MAX:])


def _promoted_at(card: TrainedModel) -> float:
    return max((turn.at for turn in card.history if turn.state == "promoted"), default=0.0)
