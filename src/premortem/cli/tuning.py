"""`premortem train llm`, and how a trained model is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FINDINGS,
    Common,
    err,
    print_json,
    say,
    warn,
)
from premortem.cli.data import Seed
from premortem.domain.trained import Guard, Point, Recipe, TrainedModel
from premortem.generate.traffic import HELD_OUT_SHARE
from premortem.models import Stepped, require_training
from premortem.pipeline.finetuning import train_llm
from premortem.pipeline.generate import recorded

LOG_EVERY_S = 15.0
_USUAL = Recipe()
_METRICS = {
    "loss": "nats per token, held-out sessions",
    "loss_untuned": "  of the base model",
    "valid_free": "valid without a grammar",
    "valid_free_untuned": "  of the base model",
    "valid_grammar": "valid under the grammar",
    "answers_per_cpu_second": "answers a CPU-second",
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Limits:
    """How it learns, and how long."""

    epochs: Annotated[int, Parameter(validator=Number(gte=1, lte=20))] = _USUAL.epochs
    """Times that the sample is gone through."""
    rank: Annotated[int, Parameter(validator=Number(gte=1, lte=64))] = _USUAL.rank
    """Of what is added to each layer; more learns, and keeps, more."""
    rate: Annotated[float, Parameter(validator=Number(gt=0, lte=0.1))] = _USUAL.rate
    """Highest learning rate."""
    answers: Annotated[int, Parameter(validator=Number(gte=1, lte=50_000))] = _USUAL.answers_max
    """At most so many requests in the sample."""
    steps: Annotated[int, Parameter(validator=Number(gte=1, lte=20_000))] = _USUAL.steps_max
    """At most so many steps."""
    minutes: Annotated[float, Parameter(validator=Number(gt=0, lte=1440))] = 60.0
    """At most so long; what was learned until then counts."""

    def recipe(self, seed: int) -> Recipe:
        """As the pipeline takes them."""
        return Recipe(
            epochs=self.epochs,
            rank=self.rank,
            alpha=2.0 * self.rank,
            rate=self.rate,
            answers_max=self.answers,
            steps_max=self.steps,
            seconds_max=60 * self.minutes,
            seed=seed,
        )


USUAL = Limits()


def llm(
    *,
    limits: Limits = USUAL,
    held_out: Annotated[float, Parameter(validator=Number(gte=0.1, lte=0.8))] = HELD_OUT_SHARE,
    resume: bool = False,
    seed: Seed = 1,
    common: Common = COMMON,
) -> int:
    """Fine-tune the language model in use on the latest profile's requests: LoRA.

    It learns from a sample of the redacted requests: distinct ones, rare operations
    more than their share. A quarter of an hour for a few hundred of them on two
    cores, 3 GB of memory; a checkpoint is kept every minute. Then it is measured,
    and goes through the privacy gate: planted secrets, copies, membership. Nobody
    uses it before premortem models promote. It takes extras:
    pip install 'premortem[train,llm]'.

    Exit 1: the privacy gate was not passed.

    For example:

        premortem train llm
        premortem train llm --epochs 4 --resume
        premortem models promote 3f2a

    Parameters
    ----------
    held_out
        Share of the sessions that it never sees.
    resume
        Go on from the last checkpoint; give the same options.
    seed
        Seed of everything random.
    """
    require_training()  # said before anything is read
    with common.opened() as (config, store):
        profile = store.profile()
        exchanges = recorded(store, profile)
        with _progress(quiet=common.json) as (tell, stepped):
            card = train_llm(
                config,
                store,
                profile,
                exchanges,
                recipe=limits.recipe(seed),
                held_out_share=held_out,
                resume=resume,
                tell=tell,
                stepped=stepped,
            )
    if common.json:
        print_json(card)
        return EXIT_CLEAN if card.guarded else EXIT_FINDINGS
    print_card(card)
    if not card.guarded:
        say("next: train another one: more sessions, fewer --epochs or a lower --rank")
        return EXIT_FINDINGS
    say(f"next: premortem models promote {card.id}")
    return EXIT_CLEAN


def print_card(card: TrainedModel) -> None:
    """Everything that is known of a trained model."""
    say((card.id, "bold"), f"  {card.state}  for profile {card.profile_version}")
    say(f"  {'on top of':<34} {card.base}" + (f", after {card.parent}" if card.parent else ""))
    say(
        f"  {'trained on':<34} {card.requests:,} requests of {card.sessions:,} sessions, "
        f"{card.distinct:,} different; {_day(card.window[0])} to {_day(card.window[1])}; "
        f"{card.sessions_held_out:,} sessions held out"
    )
    say(
        f"  {'took':<34} {card.steps:,} steps, {card.tokens:,} tokens, {card.seconds:.0f} s "
        f"({card.cpu_seconds:.0f} CPU-seconds), {card.memory_bytes / 2**30:.1f} GiB, {card.device}"
    )
    say(f"  {'weights':<34} {card.bytes / 2**20:.1f} MiB, rank {card.recipe.rank}")
    if card.losses:
        say(f"  {'nats per token, step by step':<34} {_curve(card.losses)}")
    for name, value in card.metrics.items():
        shown = f"{value:.0%}" if name.startswith("valid") else f"{value:.3f}"
        say(f"  {_METRICS.get(name, name):<34} {shown}")
    print_guards(card.privacy)
    for turn in card.history:
        say(f"  {_day(turn.at)} {turn.state} by {turn.by}")


def print_guards(guards: Iterable[Guard]) -> None:
    """What the privacy gate found."""
    for guard in guards:
        mark = ("passed", "green") if guard.passed else ("FAILED", "bold red")
        say("  ", mark, f" {guard.name}: {guard.says}")


def _curve(losses: tuple[Point, ...]) -> str:
    """A tenth of the steps each, and what watched sessions said."""
    size = max(1, len(losses) // 10)
    parts = [losses[at : at + size] for at in range(0, len(losses), size)]
    means = " ".join(f"{sum(p.loss for p in part) / len(part):.2f}" for part in parts)
    watched = " ".join(f"{point.watched:.2f}" for point in losses if point.watched)
    return means + (f"; sessions set aside: {watched}" if watched else "")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


@contextmanager
def _progress(
    *, quiet: bool
) -> Iterator[tuple[Callable[[str], None], Callable[[Stepped, Point], None]]]:
    """What is being done; for training the loss and the time that is left."""
    if quiet:
        yield (lambda _what: None, lambda _step, _point: None)
        return
    if not err.is_terminal:
        lines = _Lines()
        yield (lambda what: warn(f"  {what}"), lines)
        return
    columns = (
        TextColumn("{task.description} ..."),
        BarColumn(pulse_style="cyan"),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task("", total=None, detail="")

        def tell(what: str) -> None:
            bars.update(task, description=what, total=None, detail="")

        def stepped(step: Stepped, point: Point) -> None:
            bars.update(task, completed=step.step, total=step.steps, detail=_spelled(step, point))

        yield tell, stepped


class _Lines:
    """Tells now and then, for those who read a log."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, step: Stepped, point: Point) -> None:
        now = time.monotonic()
        if now - self._told >= LOG_EVERY_S or point.watched or step.step == step.steps:
            self._told = now
            warn(f"  {_spelled(step, point)}")


def _spelled(step: Stepped, point: Point) -> str:
    watched = f" (sessions set aside {point.watched:.3f})" if point.watched else ""
    return (
        f"step {step.step}/{step.steps}, {step.loss:.3f} nats per token{watched}, "
        f"{step.tokens:,} tokens, about {step.left_s:.0f} s left"
    )
