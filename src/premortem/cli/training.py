"""`premortem train`, `premortem quality`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from premortem.analyse.realism import quality_view, render_quality_html
from premortem.analyse.report_html import write_file
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show
from premortem.cli.data import Seed
from premortem.cli.groups import LEARN
from premortem.cli.progress import spinner
from premortem.cli.tuning import llm as train_language_model
from premortem.errors import NothingLearned
from premortem.generate.traffic import HELD_OUT_SHARE
from premortem.pipeline.generate import recorded
from premortem.pipeline.promoting import language_models
from premortem.pipeline.realism import measured
from premortem.pipeline.training import COMMAND, train_traffic

app = App(
    name="train",
    help="Train a model on recorded traffic, to make requests like it.",
    group=LEARN,
    sort_key=5,
)


def traffic(
    *,
    held_out: Annotated[float, Parameter(validator=Number(gte=0, lte=0.8))] = HELD_OUT_SHARE,
    common: Common = COMMON,
) -> int:
    """Train the traffic model of the latest profile: seconds, on one core.

    It learns how production writes each request: which members go together, which
    values come again, how numbers and days lie, which words follow which, what is
    copied of earlier answers. Nothing is downloaded. It is kept with the profile,
    encrypted, and used where a plan gives `traffic` a weight.

    For example:

        premortem train traffic
        premortem quality
        premortem plan build --source traffic=70,mutate=30

    Parameters
    ----------
    held_out
        Share of the sessions that it never sees: premortem quality compares with them.
    """
    with common.opened() as (_, store):
        profile = store.profile()
        with spinner("training", quiet=common.json):
            exchanges = recorded(store, profile)
            model = train_traffic(store, profile, exchanges, held_out_share=held_out)
    if common.json:
        print_json(
            {
                "version": model.version,
                "profile": model.profile_version,
                "requests": model.requests,
                "sessions": model.sessions,
                "operations": len(model.operations),
                "held_out": model.held_out_share,
                "seconds": model.seconds,
            }
        )
        return EXIT_CLEAN
    say(
        "trained ",
        (f"traffic {model.version}", "bold"),
        f": {model.requests:,} requests of {model.sessions:,} sessions, "
        f"{len(model.operations)} operations, {model.seconds:.1f} CPU-seconds",
    )
    say("next: premortem quality; premortem plan build --source traffic=70,mutate=30")
    return EXIT_CLEAN


def quality(
    *,
    html: Path | None = None,
    llm: Annotated[int, Parameter(validator=Number(gte=0, lte=2_000))] = 0,
    model: str = "",
    seed: Seed = 1,
    common: Common = COMMON,
) -> int:
    """How like production generated requests are, on sessions held out from training.

    Two classifiers try to tell them from production's (AUC: 0.5 nobody can, 1 always);
    beside that, how far values, pairs, presence and operations lie apart, and how much
    is copied. Read every number beside production against production, which is never
    0, and beside shuffled production, which shows that the measure sees. Nothing is
    sent. It takes a minute or so, and scikit-learn: pip install 'premortem[stats]'.

    For example:

        premortem quality
        premortem quality --html quality.html
        premortem quality --llm 120

    Parameters
    ----------
    html
        Write a page with pictures, operation by operation, to this file.
    llm
        So many by the language model, alone and as it was trained: 1 s each.
    model
        The trained one (premortem models list); default: the promoted one.
    seed
        Seed of what is drawn and of how sessions are put into folds.
    """
    with common.opened() as (config, store):
        profile = store.profile()
        drawn = store.traffic_model(profile.version)
        if drawn is not None and not drawn.held_out_share:
            raise NothingLearned(missing="session held out from training", command=COMMAND)
        with (
            spinner("measuring", quiet=common.json),
            language_models(config, store, profile, count=llm, trained=model) as asked,
        ):
            exchanges = recorded(store, profile)
            found = measured(profile, exchanges, model=drawn, asked=asked, seed=seed)
    if html is not None:
        write_file(html, render_quality_html(found))
    if common.json:
        print_json(found)
        return EXIT_CLEAN
    show(quality_view(found))
    if html is not None:
        say(f"wrote {html}")
    if drawn is None:
        say(f"next: {COMMAND}")
    return EXIT_CLEAN


app.command(traffic, sort_key=1)
app.command(train_language_model, name="llm", sort_key=2)
