"""Who may do what, as several sources say it: AccessRule, what they come to, what contradicts.

A source is a blueprint, an authorization map, code, a specification, a port's configuration or
recorded traffic. Each is read into rules; an AccessTable holds the rules of all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Grant = Literal["allowed", "denied"]
Gate = Literal["role", "edition"]
Source = Literal[
    "authorization_map", "blueprint", "openapi", "csharp", "python", "port", "run", "traffic"
]
SOURCES: tuple[Source, ...] = (
    "authorization_map",
    "blueprint",
    "openapi",
    "csharp",
    "python",
    "port",
    "run",
    "traffic",
)
"""Which of them is believed first where they contradict: what was written down as the policy,
then what describes the service, then its code, then what it was seen to do."""
OBSERVED: frozenset[Source] = frozenset({"run", "traffic"})
"""Those that show what happened, and declare nothing: our own requests, and recorded ones."""
NOBODY = "anonymous"
"""The role of who is not signed in."""
ANYONE = "*"
"""Every role that the same source does not name otherwise; never who is not signed in."""
REFUSED_MIN = 3
"""Refusals that recorded traffic must hold of a role that was never let through, until they count
against a source that lets it: one or two may have had another reason."""


class AccessRule(Struct, frozen=True, kw_only=True):
    """One source's word on one operation.

    Of several rules of one document the one that names the edition counts before one for all
    editions, and then the one that names the role before `ANYONE`'s.
    """

    operation_id: str = ""
    """Empty: only the handler is known."""
    handler: str = ""
    """As the source calls it: `ApproveInvoiceHandler`."""
    role: str = ANYONE
    edition: str = ""
    """Empty: each that the source does not name otherwise; of what was observed: not known."""
    grant: Grant
    gate: Gate = "role"
    """`role`: who may. `edition`: whether the edition has it at all; both have to let through."""
    scopes: tuple[str, ...] = ()
    """Scopes that the credentials need besides (OAuth 2.0, RFC 6749, 3.3)."""
    source: Source
    document: str = ""
    """A file, or the profile of the traffic."""
    line: int = 0
    """In the document; 0: not known."""
    said: str = ""
    """The source's own words, cut."""
    support: int = 0
    """Of what was observed: the answers that show it."""
    run_id: str = ""
    """Of what was observed: the latest run that showed it; empty: none did, or many may have."""

    @property
    def subject(self) -> str:
        """The operation's id, or where that is not known the handler."""
        return self.operation_id or self.handler

    @property
    def place(self) -> str:
        """`InvoicesController.cs:12`."""
        return f"{self.document}:{self.line}" if self.line else self.document or self.source

    @property
    def words(self) -> str:
        """Where it stands, and in which words."""
        return f"{self.place}: {self.said}" if self.said else self.place


class Opinion(Struct, frozen=True, kw_only=True):
    """What one document says of one role, operation and edition."""

    grant: Grant
    rule: AccessRule
    """The one that decided."""


class Decision(Struct, frozen=True, kw_only=True):
    """What all sources together say of one role, operation and edition."""

    operation_id: str
    role: str
    edition: str
    opinions: tuple[Opinion, ...]
    """The most trusted first; never empty."""

    @property
    def grant(self) -> Grant:
        """What the most trusted source says."""
        return self.opinions[0].grant

    @property
    def declared(self) -> Opinion | None:
        """What the most trusted of those says that wrote it down; None: nobody did."""
        return next((o for o in self.opinions if o.rule.source not in OBSERVED), None)

    @property
    def observed(self) -> Opinion | None:
        """What was seen in just this edition; None: nothing was."""
        seen = (o for o in self.opinions if o.rule.source in OBSERVED)
        return next((o for o in seen if o.rule.edition == self.edition), None)

    @property
    def because(self) -> str:
        """Where it stands, and in which words."""
        return self.opinions[0].rule.words


class Contradiction(Struct, frozen=True, kw_only=True):
    """Two sources that cannot both be right."""

    operation_id: str
    role: str
    editions: tuple[str, ...]
    """In which they disagree; empty: in all."""
    trusted: AccessRule
    """What counts, by the order of SOURCES."""
    against: AccessRule

    @property
    def kind(self) -> Literal["let_in", "kept_out"]:
        """`let_in`: the other source lets through whom the trusted one refuses."""
        return "let_in" if self.against.grant == "allowed" else "kept_out"


class AccessTable(Struct, frozen=True, kw_only=True):
    """The rules of all sources, by what they speak of."""

    by_operation: Mapping[str, tuple[AccessRule, ...]] = {}
    """Operation id, or a handler that nobody placed -> its rules."""
    roles: tuple[str, ...] = ()
    """Signed-in roles in the order they are shown; `NOBODY` is not among them."""
    editions: tuple[str, ...] = ()
    """Empty: there are none."""

    @property
    def rules(self) -> tuple[AccessRule, ...]:
        """All of them."""
        return tuple(rule for rules in self.by_operation.values() for rule in rules)

    def decide(self, operation_id: str, role: str, edition: str = "") -> Decision | None:
        """What the sources say of ROLE (`NOBODY`, too) doing OPERATION_ID in EDITION.

        EDITION empty: wherever it does not matter. None: they say nothing.
        """
        of_documents: dict[tuple[Source, str], list[AccessRule]] = {}
        for rule in self.by_operation.get(operation_id, ()):
            of_documents.setdefault((rule.source, rule.document), []).append(rule)
        found = (_opinion(rules, role, edition) for rules in of_documents.values())
        opinions = sorted(
            (opinion for opinion in found if opinion is not None),
            key=lambda opinion: SOURCES.index(opinion.rule.source),
        )
        if not opinions:
            return None
        return Decision(
            operation_id=operation_id, role=role, edition=edition, opinions=tuple(opinions)
        )

    def grants(self, operation_id: str, grant: Grant, edition: str = "") -> tuple[str, ...]:
        """The signed-in roles that OPERATION_ID is (GRANT) allowed or denied to in EDITION."""
        decided = ((role, self.decide(operation_id, role, edition)) for role in self.roles)
        return tuple(role for role, found in decided if found and found.grant == grant)


def _opinion(rules: Iterable[AccessRule], role: str, edition: str) -> Opinion | None:
    """What the RULES of one document on one operation come to."""
    kept = list(rules)
    licence = _decisive((r for r in kept if r.gate == "edition"), ANYONE, edition)
    if edition and licence is not None and licence.grant == "denied":
        return Opinion(grant="denied", rule=licence)
    who = _decisive((r for r in kept if r.gate == "role"), role, edition)
    return None if who is None else Opinion(grant=who.grant, rule=who)


def _decisive(rules: Iterable[AccessRule], role: str, edition: str) -> AccessRule | None:
    """The rule that names the edition, else one for all; of these the one that names the role."""
    roles = (role,) if role == NOBODY else (role, ANYONE)
    fitting = (r for r in rules if r.role in roles and r.edition in ("", edition))
    return max(fitting, key=lambda r: (bool(r.edition), r.role != ANYONE), default=None)


def listed(rule: AccessRule, roles: Iterable[str]) -> tuple[AccessRule, ...]:
    """RULE as a list of ROLES that may: nobody else may, nor who is not signed in."""
    named = tuple(dict.fromkeys(roles))
    made = [replace(rule, role=role, grant="allowed") for role in named]
    if ANYONE not in named:
        made.append(replace(rule, role=ANYONE, grant="denied"))
    if NOBODY not in named:
        made.append(replace(rule, role=NOBODY, grant="denied"))
    return tuple(made)


def licensed(rule: AccessRule, editions: Iterable[str]) -> tuple[AccessRule, ...]:
    """RULE as a list of EDITIONS that have the operation: no other has it."""
    made = [
        replace(rule, gate="edition", role=ANYONE, edition=edition, grant="allowed")
        for edition in dict.fromkeys(editions)
    ]
    other = replace(rule, gate="edition", role=ANYONE, edition="", grant="denied")
    return (*made, other)


def open_to_all(rule: AccessRule) -> tuple[AccessRule, ...]:
    """RULE as leave for everybody, signed in or not."""
    return tuple(replace(rule, role=role, grant="allowed") for role in (NOBODY, ANYONE))


def merged(
    rules: Iterable[AccessRule],
    *,
    roles: Iterable[str] = (),
    editions: Iterable[str] = (),
    handlers: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> AccessTable:
    """The table of RULES from any sources.

    ROLES and EDITIONS are known names, which come first and in their spelling: a rule's
    `support_agent` is then `SupportAgent`. HANDLERS says which operation a handler performs;
    ALIASES, what else a role is called.
    """
    who, what = Names(roles, aliases or {}), Names(editions)
    placed = {folded(name): operation for name, operation in (handlers or {}).items()}
    made: dict[str, dict[AccessRule, None]] = {}
    for rule in rules:
        named = replace(
            rule,
            role=rule.role if rule.role in (ANYONE, NOBODY) else who.name(rule.role),
            edition=what.name(rule.edition) if rule.edition else "",
            operation_id=rule.operation_id or placed.get(folded(rule.handler), ""),
        )
        made.setdefault(named.subject, {})[named] = None
    return AccessTable(
        by_operation={subject: tuple(found) for subject, found in made.items()},
        roles=who.all,
        editions=what.all,
    )


class Names:
    """One spelling of each name: the first that it was met in."""

    def __init__(self, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        self._spelled: dict[str, str] = {}
        for name in known:
            self._spelled.setdefault(folded(name), name)
        self._aliases = {folded(key): value for key, value in (aliases or {}).items()}

    @property
    def all(self) -> tuple[str, ...]:
        """Each name once, in the order they were met."""
        return tuple(dict.fromkeys(self._spelled.values()))

    def name(self, said: str) -> str:
        """SAID as it is known, whatever its case, spaces, hyphens and underscores."""
        fold = folded(said)
        if fold not in self._spelled and fold in self._aliases:
            said = self._aliases[fold]
            fold = folded(said)
        return self._spelled.setdefault(fold, said)


def folded(name: str) -> str:
    """NAME without case, spaces, hyphens and underscores: `Support Agent` as `supportagent`."""
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def contradictions(table: AccessTable) -> tuple[Contradiction, ...]:
    """Where the sources of TABLE cannot both be right: each pair once per role and operation.

    What was observed contradicts what is declared. Where its edition is not known, it contradicts
    only what holds in all editions; refusals in recorded traffic only where there are REFUSED_MIN
    of them and nobody of the role was let through.
    """
    editions = table.editions or ("",)
    found: dict[tuple[str, str, AccessRule], dict[str, AccessRule]] = {}
    for operation in table.by_operation:
        for role in (*table.roles, NOBODY):
            for edition in editions:
                for trusted, against in _disputes(table.decide(operation, role, edition)):
                    where = found.setdefault((operation, role, against), {})
                    where[edition] = trusted
    pairs = (
        made
        for (operation, role, against), where in found.items()
        if against.source not in OBSERVED or against.edition or len(where) == len(editions)
        for made in _pairs(operation, role, against, where, len(editions))
    )
    return _joined(pairs, len(editions))


def _joined(found: Iterable[Contradiction], all_: int) -> tuple[Contradiction, ...]:
    """FOUND with what was observed alike in several editions as one."""
    made: dict[tuple[str, str, AccessRule, AccessRule], Contradiction] = {}
    for one in found:
        like = replace(one.against, edition="", support=0, run_id="")
        key = (one.operation_id, one.role, one.trusted, like)
        first = made.get(key)
        if first is not None and first.editions and one.editions:
            whole = tuple(dict.fromkeys((*first.editions, *one.editions)))
            one = replace(first, editions=() if len(whole) == all_ else whole)
        made[key] = one
    return tuple(made.values())


def _disputes(decision: Decision | None) -> list[tuple[AccessRule, AccessRule]]:
    first = decision.declared if decision is not None else None
    if decision is None or first is None:
        return []
    return [
        (first.rule, other.rule)
        for other in decision.opinions
        if other.grant != first.grant and _counts(other.rule)
    ]


def _counts(rule: AccessRule) -> bool:
    return rule.source != "traffic" or rule.grant == "allowed" or rule.support >= REFUSED_MIN


def _pairs(
    operation: str, role: str, against: AccessRule, where: Mapping[str, AccessRule], all_: int
) -> Iterator[Contradiction]:
    """AGAINST with each rule that it contradicts, and the editions WHERE it does; one that does not
    tell its edition with the rule about roles alone."""
    if against.source in OBSERVED and not against.edition:
        rules = sorted(where.values(), key=lambda rule: rule.gate == "edition")
        where = dict.fromkeys(where, rules[0])
    for trusted in dict.fromkeys(where.values()):
        editions = tuple(edition for edition, rule in where.items() if rule == trusted)
        yield Contradiction(
            operation_id=operation,
            role=role,
            editions=() if len(editions) == all_ else editions,
            trusted=trusted,
            against=against,
        )
