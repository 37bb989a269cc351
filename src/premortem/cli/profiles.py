"""`premortem profile`, `profile merge`, `profile diff`."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from premortem import pipeline
from premortem.analyse import difference_view, profile_view
from premortem.analyse.invariants import proposed_invariants
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show, warn
from premortem.cli.data import LEARN
from premortem.cli.progress import spinner
from premortem.domain.traffic import Profile

CHANGES_SHOWN = 40
CHANGES_MAX = 100_000
"""Changes of one listing."""

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=CHANGES_MAX))]


def register(app: App) -> None:
    """Add the commands to APP."""
    profile = App(name="profile", group=LEARN, sort_key=4)
    profile.default(shown)
    profile.command(merge)
    profile.command(diff)
    app.command(profile)


def shown(
    operation: str = "",
    /,
    *,
    version: str = "latest",
    invariants: Annotated[bool, Parameter(negative="")] = False,
    common: Common = COMMON,
) -> int:
    """Show what was learned about the API, or one operation of it in depth.

    For example:

        premortem profile
        premortem profile 'POST /invoices'
        premortem profile --json > monday.json
        premortem profile --invariants

    Parameters
    ----------
    operation
        Operation id, or a part of one that fits only it, e.g. POST /invoices.
    version
        Profile version, the start of one, previous, or a JSON file of one.
    invariants
        What always held in answers, as lines for [checks] in premortem.toml.
    """
    with common.opened() as (_, store):
        learned = pipeline.find_profile(store, version)
    chosen = pipeline.known_operation(learned, operation) if operation else None
    if invariants:
        return _invariants(learned, chosen.id if chosen is not None else "", common)
    if common.json:
        print_json(chosen or learned)
    else:
        show(profile_view(learned, operation=chosen))
    return EXIT_CLEAN


def _invariants(profile: Profile, operation_id: str, common: Common) -> int:
    """Print what PROFILE suggests to declare, of one operation where one is named."""
    texts = [
        text
        for text in proposed_invariants(profile)
        if not operation_id or text.startswith(f"{operation_id}: ")
    ]
    if common.json:
        print_json(texts)
        return EXIT_CLEAN
    if not texts:
        say("nothing always held in answers often enough to be declared; see docs/oracles.md")
        return EXIT_CLEAN
    say("[checks]", "\ninvariants = [")
    for text in texts:
        say(f"  {json.dumps(text, ensure_ascii=False)},")
    say("]")
    return EXIT_CLEAN


def merge(first: str, second: str, /, *more: str, common: Common = COMMON) -> int:
    """Make one profile of several: two services' captures, or two weeks.

    Counts add up, closed sets and shapes are united, rules that one side
    contradicts are dropped. The result is the latest profile from then on. What
    both were learned from counts twice; how much that is, is said.

    For example:

        premortem profile merge 3f9a 81c2
        premortem profile merge latest orders.json billing.json

    Parameters
    ----------
    first
        A version, the start of one, latest, previous, or a JSON file
        (premortem profile --json).
    second
        Another one.
    more
        And more.
    """
    with common.opened() as (_, store), spinner("merging", quiet=common.json):
        profiles = [pipeline.find_profile(store, name) for name in (first, second, *more)]
        merged, twice = pipeline.merge(profiles, store=store)
    if common.json:
        print_json(
            {
                "version": merged.version,
                "parents": merged.parents,
                "exchanges": merged.exchanges,
                "operations": len(merged.operations),
                "counted_twice": twice,
            }
        )
        return EXIT_CLEAN
    say(
        "profile ",
        (merged.version, "bold"),
        f": {len(merged.operations)} operations, {len(merged.links)} links "
        f"from {merged.exchanges:,} exchanges of {len(merged.parents)} profiles",
    )
    if twice:
        warn((f"  {twice:,} exchanges were in two of them and count twice", "yellow"))
    if merged.ambiguous:
        say(f"  {len(merged.ambiguous)} pairs of operations could be one; see premortem profile")
    say("next: premortem profile; premortem plan build")
    return EXIT_CLEAN


def diff(
    before: str = "previous",
    after: str = "latest",
    /,
    *,
    limit: Limit = CHANGES_SHOWN,
    common: Common = COMMON,
) -> int:
    """Show what changed from one profile to another, what matters most first.

    Operations, statuses, roles, fields, types, closed sets, ranges, rules, links
    and timing. What chance explains, or what one side had too little traffic to
    show, is no change.

    For example:

        premortem profile diff
        premortem profile diff 3f9a latest
        premortem profile diff monday.json friday.json --json

    Parameters
    ----------
    before
        A version, the start of one, latest, previous, or a JSON file
        (premortem profile --json).
    after
        The later one.
    limit
        Changes to show.
    """
    with common.opened() as (_, store):
        profiles = [pipeline.find_profile(store, name) for name in (before, after)]
    difference = pipeline.compare(*profiles)
    if common.json:
        print_json(difference)
    else:
        show(difference_view(difference, limit=limit))
    return EXIT_CLEAN
