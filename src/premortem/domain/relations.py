"""What holds between the fields of messages, and between requests: Rule, Echo, Correlation, Follow.

All of it is learned, so all of it carries its support: how often it was seen to hold, and how
often it could have failed.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from premortem.domain.histogram import Bins
from premortem.domain.places import Place

RuleKind = Literal["sum", "product", "order", "equal", "count", "requires"]


class Rule(Struct, frozen=True, kw_only=True):
    """A relation between fields of one message that production always kept.

    `sum`: the first place is the sum of the others (a place with `*` stands for all its items).
    `product`: the first is the product of the others. `order`: no later place is smaller (dates,
    times, numbers). `equal`: the same value in all places. `count`: the first is the number of
    items in the second. `requires`: where the first is present, so are the others.
    """

    kind: RuleKind
    places: tuple[Place, ...]
    support: int
    """Messages in which all places were there and it held."""
    failed: int = 0
    """Messages in which all places were there and it did not hold."""
    status: int = 0
    """Of an answer with this status; 0: of the request."""


class Echo(Struct, frozen=True, kw_only=True):
    """A value of the request that every answer of production repeated: who asks for one
    customer's invoices gets invoices of that customer, what was sent is what is there then."""

    asked: Place
    """In the request."""
    answered: Place
    """In the answer; with a `*` all items repeat it."""
    support: int
    """Answers in which both were there, and were the same."""
    distinct: int
    """Different values among them."""


class View(Struct, frozen=True, kw_only=True):
    """A field of an answer that one role never saw whole while others did."""

    place: Place
    role: str
    form: Literal["absent", "null", "masked"]
    """What the role saw: no such field, null, or stars and the like in place of the value."""
    support: int
    """Answers to the role in which it was so: all of them."""
    whole: int
    """Answers to other roles that held it whole."""


class Correlation(Struct, frozen=True, kw_only=True):
    """Two fields of the requests of one operation whose values go together."""

    first: Place
    second: Place
    strength: float
    """Cramer's V, bias corrected (Bergsma 2013), for closed sets; |Spearman's rho| for numbers;
    within (0, 1]."""
    kind: Literal["set", "number", "presence"]
    """`presence`: whether the second is there depends on the first's value, or on whether it is
    there; strength as for `set`."""
    support: int
    """Requests that it was measured on."""
    pairs: tuple[tuple[str, str, int], ...] = ()
    """Most frequent first, at most `PAIRS_MAX`. For `set`: (JSON text, JSON text, count). For
    `presence`: (JSON text, `true`, count), an empty text for what was not there; where the first
    is no closed set, `true` stands for each of its values."""


PAIRS_MAX = 200
"""Value pairs kept of one correlation."""


class Follow(Struct, frozen=True, kw_only=True):
    """Which request followed which within one session, by role."""

    role: str
    before: str
    """Operation id; empty: the session began."""
    after: str
    """Operation id; empty: the session ended."""
    count: int
    gap_ms: tuple[float, ...] = ()
    """Quantiles of the time between the two starts, at 10, 50, 90 %; empty at an end."""
    gap_bins: Bins = ()
    """The same as counts that add up, milliseconds."""


class Transition(Struct, frozen=True, kw_only=True):
    """What came of an operation on things that were in one state."""

    operation_id: str
    before: str
    """The state, as JSON text."""
    after: str = ""
    """The state that the answer showed; empty: it showed none."""
    reason: str = ""
    """The word of the refusals; empty: it was let through, or they had none."""
    passed: int = 0
    refused: int = 0
    """For the state of things (409, 422, 423)."""


class StateMachine(Struct, frozen=True, kw_only=True):
    """How production moved the things that one operation makes through the values of one field.

    Counted is only what was asked while the state was known: shown by an answer, and nothing let
    through since that could have changed it.
    """

    maker: str
    """Operation id."""
    field: str
    """`str(place)` in an answer that shows the thing: `body:/status`."""
    things: int
    """Things that were seen in more than one state."""
    states: tuple[tuple[str, int], ...]
    """(JSON text, things that were in it), most frequent first."""
    transitions: tuple[Transition, ...]
    """By operation, state and reason."""

    def forbids(self, operation_id: str, state: str) -> bool:
        """Whether production refused OPERATION_ID in STATE for that state: more than once, for a
        reason that it never gave where it let the same through, and never let it through there."""
        known = [t for t in self.transitions if t.operation_id == operation_id]
        open_states = {t.before for t in known if t.passed}
        excused = {t.reason for t in known if t.before in open_states}
        refused = sum(
            t.refused for t in known if t.before == state and t.reason and t.reason not in excused
        )
        return bool(open_states) and state not in open_states and refused >= REFUSED_MIN

    def leads_to(self, operation_id: str) -> str:
        """The one state that OPERATION_ID was seen to lead to; empty: none, or several."""
        led = {t.after for t in self.transitions if t.operation_id == operation_id and t.passed}
        return led.pop() if len(led) == 1 else ""


REFUSED_MIN = 2
"""Refusals of one operation in one state from which that is no chance."""


class Volatile(Struct, frozen=True, kw_only=True):
    """A value of an answer that changes though nothing was changed, and how that is known."""

    place: str
    """`str(place)` in the answer."""
    why: Literal["clock", "generated", "differs"]
    """`clock`: it was the time of the answer. `generated`: a new identifier on each creation.
    `differs`: equal safe requests, nothing changed between, got different values."""
    support: int
    """Answers (for `differs`: pairs of answers) that show it."""
    tried: int
    """Those that could have shown it."""
    confidence: float
    """Lower end of the 95 % interval of `support` over `tried` (Wilson 1927); within [0, 1]."""


class Pool(Struct, frozen=True, kw_only=True):
    """Values of one type, whatever operation showed them: emails, currencies, customers' ids."""

    name: str
    """`email`, `currency`, `customer_id`: a format, or the name that its fields share."""
    format: str = ""
    values: tuple[tuple[str, int], ...]
    """(JSON text, count), most frequent first, at most `VALUES_MAX`."""
    distinct: int
    places: tuple[tuple[str, str], ...] = ()
    """(operation id, `str(place)`) where they were seen."""


class Pairing(Struct, frozen=True, kw_only=True):
    """Who did one operation to things that another operation made: who made them, or somebody
    else. A role stands for a person, as recordings rarely tell more."""

    maker: str
    """Operation id."""
    doer: str
    """Operation id; its path names the thing."""
    own: int = 0
    """Times it was let through to the role that made the thing."""
    others: int = 0
    """Times it was let through to another role."""
    refused_own: tuple[tuple[str, int], ...] = ()
    """(word of the refusal, times), of the role that made the thing; by word."""
    refused_others: tuple[tuple[str, int], ...] = ()


class EventLog(Struct, frozen=True, kw_only=True):
    """A listing that had one entry for each change of the thing asked for, whenever it was read."""

    listing: str
    """Operation id."""
    parameter: str
    """Query parameter that names the thing."""
    maker: str
    """Operation id of what made the things."""
    changes: tuple[tuple[str, int], ...]
    """(operation id, entries that stood for it); by id."""
    listings: int
    """Complete answers that were counted."""
    things: int
    """Different ones that they were about."""
    failed: int = 0
    """Answers that held more or fewer entries than there had been changes."""

    @property
    def entries(self) -> int:
        """All that were counted."""
        return sum(count for _, count in self.changes)


class Effect(Struct, frozen=True, kw_only=True):
    """What a change always did to what a reading shows: the number of a thing that was paid went
    up by what was sent."""

    after: str
    """Operation id of the change."""
    refused: bool = False
    """It is about those that were refused."""
    read: str
    """Operation id."""
    where: tuple[tuple[str, str], ...] = ()
    """(path parameter of the reading, the change's path parameter or `sent.x` that it is); an empty
    one is known from elsewhere. Empty: both paths begin alike."""
    query: tuple[tuple[str, str], ...] = ()
    """What the reading asks for, in an invariant's words."""
    holds: str
    """The same: `balance changes by -sent.amount`."""
    support: int
    """Pairs of readings, between which everything that was done is known, that show it."""
    things: int
    """Different ones that were read."""
    sessions: int
    failed: int = 0
    """Pairs that do not."""
    confidence: float = 0.0
    """Lower end of the 95 % interval of the share of those that do (Wilson 1927)."""

    @property
    def text(self) -> str:
        """The line, as an invariant."""
        path = self.read
        for name, place in self.where:
            path = path.replace(f"{{{name}}}", f"{{{name}={place}}}") if place else path
        asked = "&".join(f"{name}={value}" for name, value in self.query)
        what = f"{path}?{asked}" if asked else path
        return f"after {'refused ' * self.refused}{self.after}: {what}: {self.holds}"
