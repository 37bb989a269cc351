"""Event logs: listings with one entry for each change of the thing that is asked for.

An answer counts when it is about one thing (a query parameter names it, and all entries repeat the
name), is complete, and the thing was made within the recording, so that all of its changes are
known. What makes a thing below another one (a payment of an invoice) is a change of what it makes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from premortem.domain.bodies import goes_on
from premortem.domain.relations import EventLog
from premortem.domain.run import SAFE_METHODS
from premortem.domain.traffic import Request
from premortem.learn.bodies import Body
from premortem.learn.facts import Facts, strong
from premortem.learn.pairings import added, is_own_name

LISTINGS_MAX = 50_000
"""Answers that are remembered, the first ones."""
THINGS_MAX = 100_000
"""Things whose changes are counted, the first ones."""
LOGS_MAX = 100
_TIMES = ("_at", "at", "time", "timestamp", "date", "when")
"""Ends of the names of fields that say when: an entry of a log has one."""


@dataclass(slots=True, frozen=True)
class _Listing:
    operation_id: str
    parameter: str
    thing: str
    entries: int


@dataclass(slots=True)
class _Thing:
    maker: str
    changes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Log:
    changes: Counter[str] = field(default_factory=Counter)
    things: set[str] = field(default_factory=set)
    listings: int = 0
    failed: int = 0


class Listings:
    """Answers that list what happened to one thing; add all exchanges, then ask for `logs`."""

    def __init__(self) -> None:
        self._kept: dict[str, _Listing] = {}

    def add(
        self, exchange_id: str, operation_id: str, request: Request, status: int, answered: Body
    ) -> None:
        """What the answer to REQUEST lists, if it is about one thing and complete."""
        if request.method not in SAFE_METHODS or status != 200 or answered.kind != "json":
            return
        if len(request.query) != 1 or len(self._kept) >= LISTINGS_MAX:
            return  # a second parameter may ask for a part only
        ((name, text),), items = request.query, all_items(answered.value)
        if items and strong(text) and _about(items, text):
            self._kept[exchange_id] = _Listing(operation_id, name, text, len(items))

    def logs(self, rows: Iterable[Facts]) -> tuple[EventLog, ...]:
        """What they and ROWS, the facts of the same exchanges, show."""
        things: dict[str, _Thing] = {}
        found: defaultdict[tuple[str, str, str], _Log] = defaultdict(_Log)
        for facts in rows:
            listing = self._kept.get(facts.id)
            thing = things.get(listing.thing) if listing is not None else None
            if listing is not None and thing is not None:
                key = (listing.operation_id, listing.parameter, thing.maker)
                _count(found[key], listing, thing)
            elif facts.succeeded and not facts.safe:
                _change(facts, things)
        return ranked(
            EventLog(
                listing=listing,
                parameter=parameter,
                maker=maker,
                changes=tuple(sorted(log.changes.items())),
                listings=log.listings,
                things=len(log.things),
                failed=log.failed,
            )
            for (listing, parameter, maker), log in found.items()
        )


def all_items(value: Any) -> list[Any]:
    """The items that an answer lists; empty where it says that there are more, or lists none."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or goes_on(value):
        return []
    lists = [member for member in value.values() if isinstance(member, list)]
    return lists[0] if len(lists) == 1 else []


def _about(items: list[Any], text: str) -> bool:
    """Whether all ITEMS are entries that name TEXT in one field and say when in another."""
    if not all(isinstance(item, dict) for item in items):
        return False
    named = {name for name, value in items[0].items() if value == text}
    named = {name for name in named if all(item.get(name) == text for item in items)}
    return bool(named) and any(name.lower().endswith(_TIMES) for name in items[0])


def _change(facts: Facts, things: dict[str, _Thing]) -> None:
    made = [named.text for named in facts.makes if is_own_name(named)]
    fresh = [text for text in made if text not in things]
    for text in fresh if len(things) < THINGS_MAX else ():
        things[text] = _Thing(maker=facts.operation_id)
        things[text].changes[facts.operation_id] += 1
    if made:
        return  # a retry is told of the thing that is there already, and changes nothing
    named = [used.text for used in facts.uses if used.place.part == "path"]
    known = next((things[text] for text in reversed(named) if text in things), None)
    if known is not None:
        known.changes[facts.operation_id] += 1


def _count(log: _Log, listing: _Listing, thing: _Thing) -> None:
    log.listings += 1
    log.things.add(listing.thing)
    if listing.entries == thing.changes.total():
        log.changes.update(thing.changes)
    else:
        log.failed += 1


def ranked(logs: Iterable[EventLog]) -> tuple[EventLog, ...]:
    """LOGS by listing, parameter and maker; of more than LOGS_MAX those that were read most."""
    most = sorted(logs, key=lambda g: (-g.listings, _key(g)))[:LOGS_MAX]
    return tuple(sorted(most, key=_key))


def _key(log: EventLog) -> tuple[str, str, str]:
    return (log.listing, log.parameter, log.maker)


def merge_logs(a: Iterable[EventLog], b: Iterable[EventLog]) -> tuple[EventLog, ...]:
    """Those of both, counts added; things of both are taken to be different ones."""
    together: defaultdict[tuple[str, str, str], list[EventLog]] = defaultdict(list)
    for log in (*a, *b):
        together[_key(log)].append(log)
    return ranked(_merged(parts) for parts in together.values())


def _merged(parts: list[EventLog]) -> EventLog:
    first = parts[0]
    return EventLog(
        listing=first.listing,
        parameter=first.parameter,
        maker=first.maker,
        changes=added(part.changes for part in parts),
        listings=sum(part.listings for part in parts),
        things=sum(part.things for part in parts),
        failed=sum(part.failed for part in parts),
    )
