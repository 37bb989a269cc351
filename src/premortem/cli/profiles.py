"""`premortem profile`, `profile merge`, `profile diff`."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from premortem.analyse import difference_view, profile_view
from premortem.analyse.invariants import proposed_invariants
from premortem.analyse.proposed_rules import forbidden_moves, proposed_rules
from premortem.analyse.states import state_views
from premortem.analyse.terminal.states import states_view
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show, warn
from premortem.cli.groups import LEARN
from premortem.cli.progress import spinner
from premortem.domain.traffic import Profile
from premortem.pipeline import learning
from premortem.pipeline.learning import compare, find_profile
from premortem.pipeline.naming import known_operation

CHANGES_SHOWN = 40
CHANGES_MAX = 100_000
"""Changes of one listing."""

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=CHANGES_MAX))]
Flag = Annotated[bool, Parameter(negative="")]


app = App(name="profile", group=LEARN, sort_key=4)


def shown(
    operation: str = "",
    /,
    *,
    version: str = "latest",
    invariants: Flag = False,
    states: Flag = False,
    rules: Flag = False,
    common: Common = COMMON,
) -> int:
    """Show what was learned about the API, or one operation of it in depth.

    For example:

        premortem profile
        premortem profile 'POST /invoices'
        premortem profile --json > monday.json
        premortem profile --states
        premortem profile --rules
        premortem profile --invariants

    Parameters
    ----------
    operation
        Operation id, or a part of one that fits only it, e.g. POST /invoices.
    version
        Profile version, the start of one, previous, or a JSON file of one.
    invariants
        What always held in answers, and what changes always did to
        what is read: lines that count once you paste them below
        [checks] in premortem.toml.
    states
        The states of things: what moves them and what is refused in which, as a
        table and as a diagram (Mermaid).
    rules
        What may happen once only, by somebody else only, in which state not, and
        what is written down of it, as lines for [checks] in premortem.toml.
    """
    with common.opened() as (_, store):
        learned = find_profile(store, version)
    chosen = known_operation(learned, operation) if operation else None
    if invariants:
        return _invariants(learned, chosen.id if chosen is not None else "", common)
    if states:
        return _states(learned, chosen.id if chosen is not None else "", common)
    if rules:
        return _rules(learned, chosen.id if chosen is not None else "", common)
    if common.json:
        print_json(chosen or learned)
    else:
        show(profile_view(learned, operation=chosen))
    return EXIT_CLEAN


def _invariants(profile: Profile, operation_id: str, common: Common) -> int:
    """Print what PROFILE suggests to declare, of one operation where one is named."""
    found = [
        one
        for one in proposed_invariants(profile)
        if not operation_id or operation_id in one.operations
    ]
    if common.json:
        print_json(found)
        return EXIT_CLEAN
    if not found:
        say("nothing always held in answers often enough to be declared; see docs/oracles.md")
        return EXIT_CLEAN
    say("[checks]", "\ninvariants = [")
    for one in found:
        say(f"  # {one.why}")
        say(f"  {json.dumps(one.text, ensure_ascii=False)},")
    say("]")
    return EXIT_CLEAN


def _states(profile: Profile, operation_id: str, common: Common) -> int:
    """Show the state machines of PROFILE, those that one operation moves where one is named."""
    views = [
        view
        for view in state_views(profile)
        if not operation_id or operation_id in (view.maker, *(m.operation_id for m in view.moves))
    ]
    if common.json:
        print_json(views)
    elif views:
        show(states_view(views))
    else:
        say("no field was seen to hold a state that changes; see docs/state.md")
    return EXIT_CLEAN


def _rules(profile: Profile, operation_id: str, common: Common) -> int:
    """Print the rules that PROFILE suggests, each with its grounds."""
    proposed = [*proposed_rules(profile), *forbidden_moves(profile)]
    found = [rule for rule in proposed if rule.text.startswith(operation_id)]
    if common.json:
        print_json(found)
        return EXIT_CLEAN
    if not found:
        say("neither traffic nor specification suggests a rule; see docs/state.md")
        return EXIT_CLEAN
    say("[checks]", "\nrules = [")
    for rule in found:
        say(f"  # {'' if rule.certain else 'suspected: '}{rule.why}")
        say(f"  {json.dumps(rule.text, ensure_ascii=False)},")
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
        profiles = [find_profile(store, name) for name in (first, second, *more)]
        merged, twice = learning.merge(profiles, store=store)
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
        profiles = [find_profile(store, name) for name in (before, after)]
    difference = compare(*profiles)
    if common.json:
        print_json(difference)
    else:
        show(difference_view(difference, limit=limit))
    return EXIT_CLEAN


app.default(shown)
app.command(merge)
app.command(diff)
