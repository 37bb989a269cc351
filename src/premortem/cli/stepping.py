"""`premortem steps`: what can be said in a scenario."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cyclopts import App

from premortem.agent.steps.lexicon import Explained, Sayable
from premortem.cli.context import COMMON, EXIT_CLEAN, EXIT_FINDINGS, Common, print_json, say
from premortem.cli.groups import TEST
from premortem.errors import NothingLearned
from premortem.pipeline import stepping

app = App(
    name="steps",
    help="""What can be said in a scenario: the step catalogue, and phrases of your own.

Scenarios are made of the catalogue's steps, which every runner carries out
alike. Phrases say several of them in the words of your business; they stand in
premortem.bindings.toml, and mean nothing until a person accepted them.
docs/steps.md tells all of it.
""",
    group=TEST,
    sort_key=6,
)


def list_steps(area: str = "", /, *, common: Common = COMMON) -> int:
    """List all steps and phrases, by area.

    For example:

        premortem steps list
        premortem steps list race

    Parameters
    ----------
    area
        Only these: actors, world, state, HTTP, capture, SQL, repeat, race, events,
        phrases.
    """
    _list(stepping.known_steps(common.load(), area=area), common)
    return EXIT_CLEAN


def search(*words: str, common: Common = COMMON) -> int:
    """Find steps and phrases that hold all of these words.

    For example:

        premortem steps search at once
    """
    found = stepping.search_steps(" ".join(words), config=common.load())
    if not found and not common.json:
        say("nothing holds all of these words; `premortem steps explain` finds near ones")
    _list(found, common)
    return EXIT_CLEAN


def explain(*text: str, common: Common = COMMON) -> int:
    """Say what a text means as a step, or which steps come nearest to it.

    It says whether the step binds: whether the roles, states, tables and events that
    it names are known. Exit 1 if it does not.

    For example:

        premortem steps explain 'the response has status 200'
    """
    explained = stepping.explain_step(" ".join(text), config=common.load())
    if common.json:
        print_json(explained)
    else:
        _print_explained(explained)
    return EXIT_CLEAN if explained.binds else EXIT_FINDINGS


def propose(*, common: Common = COMMON) -> int:
    """Propose phrases for the operations that were learned.

    For example:

        premortem steps propose
        premortem steps accept 6723c3
    """
    with common.opened() as (config, store):
        proposed = stepping.proposed_phrases(config, store)
    if common.json:
        rows = [
            {
                "id": one.id,
                "text": one.text,
                "operation_id": one.operation_id,
                "steps": one.phrase.steps,
            }
            for one in proposed
        ]
        print_json(rows)
        return EXIT_CLEAN
    for one in proposed:
        say((one.id, "bold"), f"  {one.text}")
        for step in one.phrase.steps:
            say((f"        {' '.join(step.split())}", "dim"))
    say(f"{len(proposed)} phrases are proposed; accept one: premortem steps accept ID")
    return EXIT_CLEAN


def accept(phrase: str, /, *, by: str = "", common: Common = COMMON) -> int:
    """Accept a phrase: from then on scenarios may say it.

    It is written into the binding file, with who accepted it; what stands there stays
    as it is.

    For example:

        premortem steps accept 6723c3 --by "Ann"

    Parameters
    ----------
    phrase
        Id or text of a proposed one, or the text of one in the binding file.
    by
        Who accepts it; default: the user who is logged in.
    """
    who = by or os.environ.get("USER") or os.environ.get("USERNAME") or "somebody"
    with ExitStack() as stack:
        try:
            config, store = stack.enter_context(common.opened())
        except NothingLearned:
            config, store = common.load(), None  # one that was written by hand needs no profile
        text = stepping.accept_phrase(phrase, config=config, store=store, by=who, clock=time.time)
    if common.json:
        print_json({"text": text, "by": who})
    else:
        say("accepted: ", (text, "bold"), f"  ({config.path(config.bindings)})")
    return EXIT_CLEAN


def csharp(
    file: Path | None = None,
    /,
    *,
    namespace: str = "Premortem.Specs",
    common: Common = COMMON,
) -> int:
    """Write a C# step class for Reqnroll.

    It holds the catalogue and your phrases. Its steps are carried out by
    `premortem steps serve`, so scenarios mean the same as under behave and pytest-bdd.

    For example:

        premortem steps csharp Steps/PremortemSteps.cs --namespace Payments.Specs

    Parameters
    ----------
    file
        Where it is written; default: standard output.
    namespace
        Its namespace.
    """
    config = common.load()
    if file is None:
        sys.stdout.write(stepping.step_class(config, namespace=namespace))
        return EXIT_CLEAN
    stepping.write_step_class(config, file, namespace=namespace)
    if common.json:
        print_json({"file": str(file)})
    else:
        say("written: ", (str(file), "bold"))
    return EXIT_CLEAN


def serve(*, common: Common = COMMON) -> int:
    """Carry out steps for test runners of other languages.

    Reads a JSON document from each line of standard input and answers it with one
    on standard output; docs/steps.md tells what they hold. Ends with its input.
    """

    def answer(line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    stepping.serve_steps(common.load(), sys.stdin.buffer, answer)
    return EXIT_CLEAN


def _list(found: Sequence[Sayable], common: Common) -> None:
    if common.json:
        print_json(found)
        return
    area = ""
    for one in found:
        if one.area != area:
            area = one.area
            say((area, "bold"))
        below = {"": "", "docstring": "  + docstring", "table": "  + data table"}[one.below]
        keyword = "" if one.kind == "phrase" else one.keyword
        say((f"  {keyword:<5} ", "cyan"), one.text, (below, "dim"))
        say((f"        {one.means}", "dim"))
        for step in one.steps:
            say((f"          {step}", "dim"))


def _print_explained(explained: Explained) -> None:
    if explained.sayable is None:
        say((explained.problem, "yellow"), "; the nearest:")
        for near in explained.nearest:
            say((f"  {near.sayable.keyword:<5} ", "cyan"), near.written)
            say((f"        {near.sayable.means}", "dim"))
        return
    one = explained.sayable
    say((f"{one.kind}, {one.area}: ", "dim"), (one.text, "bold"))
    say(f"  {one.means}")
    if one.below:
        say(f"  A {'data table' if one.below == 'table' else 'docstring'} stands below it.")
    for step in explained.steps if one.kind == "phrase" else ():
        say((f"    {step}", "dim"))
    say(("  it binds", "green") if explained.binds else (f"  {explained.problem}", "yellow"))


app.command(list_steps, name="list", sort_key=1)
app.command(search, sort_key=2)
app.command(explain, sort_key=3)
app.command(propose, sort_key=4)
app.command(accept, sort_key=5)
app.command(csharp, sort_key=6)
app.command(serve, sort_key=7)
