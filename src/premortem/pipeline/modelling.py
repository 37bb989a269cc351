"""Language models as sources of cases: opened before anything is made, closed after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem import models
from premortem.config import Config
from premortem.domain.rejection import Rejection
from premortem.domain.run import Case
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.errors import InputError, NothingLearned
from premortem.generate import CaseSource, LlmMutator, LlmSource, Mutator, PartlyByModel, Sampler
from premortem.generate.llm_batch import Batcher, Made, Progress, Tally
from premortem.models.budget import Budget

TRY_COUNT_MAX = 200


def quiet(_made: Made) -> None:
    """Tells nobody."""


class ByModel(Struct, kw_only=True):
    """The sources that ask a model, and what they took once they were used."""

    sources: Mapping[str, CaseSource] = {}
    batcher: Batcher | None = None

    def rejections(self) -> tuple[Rejection, ...]:
        """Answers that were given up since this was asked last."""
        return self.batcher.taken() if self.batcher is not None else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know: a limit that was reached, and what asking took."""
        if self.batcher is None:
            return ()
        tally, usage = self.batcher.tally, self.batcher.engine.usage
        tokens = usage.tokens_in + usage.tokens_out
        cost = f", cost {usage.cost:.4f}" if usage.cost else ""
        found = [
            f"{self.batcher.engine.name}: {tally.usable:,} of {tally.answers:,} answers used; "
            f"{tokens:,} tokens, {self.batcher.budget.seconds:.0f} s{cost}"
        ]
        if tally.regenerated:
            found.append(
                f"{tally.regenerated:,} answers were asked for anew with the reason why one was "
                f"rejected, {tally.mended:,} of them used; premortem cases --rejected --by rule"
            )
        if self.batcher.spent:
            found.append(f"the model was asked no more: {self.batcher.spent} is reached")
        return tuple(found)


@contextmanager
def by_model(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    config: Config,
    weights: Mapping[str, int],
    count: int,
    seed: int,
    addition: models.Addition | None = None,
    validate: Callable[[Case], Rejection | None] = lambda _case: None,
    progress: Progress = quiet,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[ByModel]:
    """The sources that WEIGHTS of COUNT cases want from a model; none opens none. ADDITION: see
    `promoting.promoted_addition`. VALIDATE: see `LlmSource`.

    Raises ModelMissing, ModelError or ConfigError before anything is made.
    """
    total = sum(weights.values()) or 1
    wanted = count * weights.get("llm", 0) / total
    share = models.choose(config)[1].mutate_share if weights.get("mutate", 0) else 0.0
    wanted += count * weights.get("mutate", 0) / total * share
    if not wanted:
        yield ByModel()
        return
    _, model = models.choose(config)
    engine = models.open_engine(config, addition=addition)
    try:
        budget = Budget(
            tokens_max=model.tokens_max,
            seconds_max=model.seconds_max,
            cost_max=model.cost_max,
            clock=clock,
        )
        batcher = Batcher(engine, budget, wanted=round(wanted), progress=progress)
        sampler = Sampler(profile, exchanges, seed)
        sources: dict[str, CaseSource] = {
            "llm": LlmSource(
                profile,
                exchanges,
                seed,
                sampler=sampler,
                batcher=batcher,
                temperature=model.temperature,
                validate=validate,
            )
        }
        if share:
            sources["mutate"] = PartlyByModel(
                Mutator(profile, exchanges, seed, sampler=sampler),
                LlmMutator(profile, seed, sampler=sampler, batcher=batcher),
                share=share,
            )
        yield ByModel(sources=sources, batcher=batcher)
    finally:
        engine.close()


class Tried(Struct, frozen=True, kw_only=True):
    """What a model made of one operation."""

    model: str
    operation_id: str
    bodies: tuple[str, ...]
    tally: Tally
    tokens: int
    cost: float
    seconds: float
    cpu_seconds: float
    """Of this process: where the model runs elsewhere, not its."""


def try_model(
    config: Config,
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    name: str = "",
    operation_id: str = "",
    count: int = 8,
    seed: int = 1,
    addition: models.Addition | None = None,
    progress: Progress = quiet,
) -> Tried:
    """COUNT cases of one operation of PROFILE by the model NAME; stores and sends nothing.

    Without OPERATION_ID the most used one that a model can say something about. Raises what
    `by_model` raises, NothingLearned without such an operation.
    """
    _, model = models.choose(config, name)
    engine = models.open_engine(config, name, addition=addition)
    try:
        budget = Budget(
            tokens_max=model.tokens_max, seconds_max=model.seconds_max, cost_max=model.cost_max
        )
        batcher = Batcher(engine, budget, wanted=count, progress=progress)
        source = LlmSource(
            profile,
            exchanges,
            seed,
            sampler=Sampler(profile, exchanges, seed),
            batcher=batcher,
            temperature=model.temperature,
        )
        chosen = operation_id or _first(profile, source)
        started, cpu_started = time.monotonic(), time.process_time()
        cases = source.cases(chosen, count)
        return Tried(
            model=engine.name,
            operation_id=chosen,
            bodies=tuple(case.request.body.decode("utf-8", "replace") for case in cases),
            tally=batcher.tally,
            tokens=engine.usage.tokens_in + engine.usage.tokens_out,
            cost=engine.usage.cost,
            seconds=time.monotonic() - started,
            cpu_seconds=time.process_time() - cpu_started,
        )
    finally:
        engine.close()


def _first(profile: Profile, source: LlmSource) -> str:
    def usable(operation: OperationProfile) -> bool:
        return source.can(operation.id)

    found = next(filter(usable, profile.operations), None)
    if found is None:
        raise NothingLearned(
            missing="operation with free texts or numbers in its body",
            command="premortem capture har FILE",
        )
    return found.id


def fetch_model(
    name: str = models.BUILT_IN.name,
    *,
    source: Path | None = None,
    progress: Callable[[int, int], None] = lambda _a, _b: None,
) -> Path:
    """The built-in model NAME in the cache; see `models.fetch`. Raises InputError: it is none."""
    if name == models.ENCODER[0].name:
        return models.fetch_several(source=source, progress=progress)[0]
    if name != models.BUILT_IN.name:
        known = f"{models.BUILT_IN.name}, {models.ENCODER[0].name}"
        raise InputError(f"no built-in model is called {name!r}; there are: {known}")
    return models.fetch(source=source, progress=progress)


def listed_models(config: Config) -> list[models.Described]:
    """Every model, configured or built in, and what stands in its way."""
    return [*models.described(config), models.described_encoder()]


def model_settings(config: Config, name: str) -> tuple[models.Described, dict[str, object]]:
    """The model NAME (empty: the one in use) and its settings; secrets are names of variables."""
    chosen, model = models.choose(config, name)
    found = next(one for one in models.described(config) if one.name == chosen)
    return found, msgspec.structs.asdict(model)
