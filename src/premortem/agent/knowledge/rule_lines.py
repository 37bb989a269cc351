"""Rules that a blueprint writes as data, in the words of `domain.stated` and `domain.invariant`.

    rules:
      - text: a late fee is charged once
        operation: charge_late_fee
        once: true
      - {operation: create_refund, never_after: lock_invoice}
      - {operation: approve_refund_request, never_by_who_did: request_refund}
      - {operations: [lock_invoice, unlock_invoice], one_entry_in: "log?subject={invoice_id}"}
      - {operation: get_daily_report, day: day, time_zone: time_zone, counts: create_payment}
      - invariant: "GET /reports/tax: due == tax - tax_refunded"
    states:
      invoice:
        transitions:
          approve_invoice: draft -> approved
          cancel_invoice: [draft -> cancelled, approved -> cancelled]

From the transitions follows what a state forbids: what leads from `draft` alone is refused once
something else led to another state, and once it was done itself. Operations are written as their
ids (`POST /invoices`), or as a specification, a handler or the blueprint itself names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from premortem.agent.knowledge.documents import Part, read_parts
from premortem.domain.access import folded
from premortem.domain.invariant import parse_invariant
from premortem.domain.stated import parse_stated

RULES_MAX = 500
"""Of one document."""
SAID_CHARS_MAX = 120
_ID = re.compile(r"[A-Z]+ /\S*")
_MOVE = re.compile(r"\s*([\w -]+?)\s*(?:->|→|=>|\bto\b)\s*([\w -]+?)\s*")
_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("never after", ("never_after", "not_after", "forbidden_after", "refused_after")),
    (
        "never by who did",
        ("never_by_who_did", "not_by_who_did", "four_eyes", "someone_else_than", "other_than"),
    ),
    ("only by who did", ("only_by_who_did", "owner", "only_by_owner", "owned_by_who_did")),
)


class RuleLine(Struct, frozen=True, kw_only=True):
    """One rule of a document."""

    text: str
    """A line as `[checks]` takes it."""
    kind: Literal["rule", "invariant"]
    why: str
    """Where it stands, and in which words."""


class RuleLines(Struct, frozen=True, kw_only=True):
    """All rules of a document that can be tried."""

    lines: tuple[RuleLine, ...] = ()
    left: tuple[str, ...] = ()
    """Those that cannot, each with its place and why."""


def rule_lines(source: bytes, *, origin: str, names: Mapping[str, str]) -> RuleLines:
    """The rules of the blueprint SOURCE, which ORIGIN names. NAMES: what operations are called
    elsewhere -> their ids. Rules in prose alone are left out without a word. Raises InputError when
    SOURCE is neither YAML nor JSON nor Markdown with either."""
    parts = read_parts(source, origin=origin)
    reader = _Reader(origin, names, parts)
    found: list[RuleLine] = []
    for part in parts:
        found += reader.rules(part)
        found += reader.moves(part)
    once = {line.text: line for line in reversed(found)}
    lines = tuple(line for line in found if once[line.text] is line)
    return RuleLines(lines=lines[:RULES_MAX], left=tuple(reader.left))


class _Reader:
    """Reads one document."""

    def __init__(self, origin: str, names: Mapping[str, str], parts: Iterable[Part]) -> None:
        self._origin = origin
        self._names = {folded(name): id_ for name, id_ in names.items()}
        for part in parts:
            self._names |= _own_names(part)
        self.left: list[str] = []

    def rules(self, part: Part) -> Iterator[RuleLine]:
        """What stands under `rules`."""
        found = part.get("rules", "business_rules", "invariants")
        for item in found.items if found is not None else ():
            yield from self._rule(item)
        for key, item in found.fields if found is not None else ():
            if item.fields:
                yield from self._rule(item, said=key.replace("_", " "))

    def _rule(self, item: Part, said: str = "") -> Iterator[RuleLine]:
        if item.text is not None:
            yield from self._plain(item.text, item.line, "")
            return
        said = item.said("text", "description", "rule", "says", "name") or said
        for key in ("line", "invariant", "expression"):
            if item.said(key):
                yield from self._plain(item.said(key), item.line, said)
        for text in self._texts(item):
            yield from self._line(text, item.line, said)

    def _texts(self, item: Part) -> Iterator[str]:
        """The lines that ITEM's members mean."""
        done = self._operations(item, "operations", "operation", "handlers", "handler")
        others = [
            (words, self._operations(item, *keys))
            for words, keys in _KEYS
            if item.get(*keys) is not None
        ]
        entry = item.said("one_entry_in", "writes_entry", "logged_in", "audited_in")
        zone = item.said("time_zone", "timezone", "zone")
        once = item.get("once", "only_once", "at_most_once")
        for operation in done:
            if once is not None and once.is_true:
                yield f"{operation}: once"
            for words, named in others:
                yield from (f"{operation}: {words} {other}" for other in named)
            if entry:
                name, mark, query = entry.partition("?")
                listing = self._id(name, item.line)
                yield from (f"{operation}: one entry in {id_}{mark}{query}" for id_ in listing)
            if zone and item.said("day", "date"):
                for other in self._operations(item, "counts", "counted"):
                    yield f"{operation}: {item.said('day', 'date')} by {zone} counts {other}"

    def moves(self, part: Part) -> Iterator[RuleLine]:
        """What follows from the transitions under `states`."""
        found = part.get("states", "state_machines", "lifecycles")
        for name, machine in found.fields if found is not None else ():
            listed = machine.get("transitions", "moves")
            known: dict[str, tuple[frozenset[str], frozenset[str], int]] = {}
            for key, moves in listed.fields if listed is not None else ():
                pairs = [p for text in _all(moves) if (p := _MOVE.fullmatch(text)) is not None]
                before = frozenset(folded(p[1]) for p in pairs)
                after = frozenset(folded(p[2]) for p in pairs)
                for id_ in self._id(key, moves.line):
                    if pairs:
                        known[id_] = (before, after, moves.line)
            yield from self._forbidden(name, known)

    def _forbidden(
        self, name: str, known: Mapping[str, tuple[frozenset[str], frozenset[str], int]]
    ) -> Iterator[RuleLine]:
        for operation, (before, _, line) in known.items():
            for move, (_, after, _) in known.items():
                if len(after) != 1 or after <= before:
                    continue  # it may lead to a state in which the operation is let through
                (state,) = after
                said = f"{name}: {operation} from {' or '.join(sorted(before))}, not {state}"
                text = f"{operation}: never after {move}"
                yield from self._line(
                    f"{operation}: once" if move == operation else text, line, said
                )

    def _plain(self, text: str, line: int, said: str) -> Iterator[RuleLine]:
        """TEXT, if it is a line as it stands."""
        text = " ".join(text.split())
        if _ID.match(text) or text.startswith("after "):
            yield from self._line(text, line, said)

    def _line(self, text: str, line: int, said: str) -> Iterator[RuleLine]:
        kind: Literal["rule", "invariant"] = "rule"
        try:
            parse_stated(text)
        except ValueError as error:
            try:
                parse_invariant(text)
            except ValueError:
                self.left.append(f"{self._origin}:{line}: `{text}`: {error}")
                return
            kind = "invariant"
        place = f"{self._origin}:{line}"
        why = f"{place} says {said[:SAID_CHARS_MAX]!r}" if said else f"{place} says so"
        yield RuleLine(text=text, kind=kind, why=why)

    def _operations(self, item: Part, *keys: str) -> list[str]:
        found = item.get(*keys)
        if found is None:
            return []
        texts = list(_all(found))
        if not all(map(_ID.fullmatch, texts)):
            texts = [name for text in texts for name in re.split(r"\s*[,;]\s*", text) if name]
        return [id_ for text in texts for id_ in self._id(text, item.line)]

    def _id(self, name: str, line: int) -> list[str]:
        """The operation's id, if NAME is known; else it is noted."""
        name = " ".join(name.split())
        if _ID.fullmatch(name):
            return [name]
        fold = folded(name)
        known = self._names.get(fold) or self._names.get(fold.removesuffix("handler"))
        if known is None:
            self.left.append(f"{self._origin}:{line}: nobody knows an operation called `{name}`")
            return []
        return [known]


def _own_names(part: Part) -> dict[str, str]:
    """What the document itself says where its handlers are: name -> operation id."""
    found: dict[str, str] = {}
    declared = part.get("handlers", "use_cases", "operations")
    pairs = [*(declared.fields if declared is not None else ())]
    pairs += [(item.said("name", "handler", "id"), item) for item in getattr(declared, "items", ())]
    for name, plan in pairs:
        route = plan.said("route", "endpoint", "operation", "path") if plan.fields else ""
        method = plan.said("method", "verb").upper() if plan.fields else ""
        route = f"{method} {route}" if method and route.startswith("/") else route
        if name and _ID.fullmatch(route):
            found[folded(name)] = route
    return found


def _all(part: Part) -> Iterator[str]:
    if part.text is not None:
        yield part.text.strip()
    for item in part.items:
        yield from _all(item)
