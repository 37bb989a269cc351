"""Whom a group of named values is about: the members of an object, an element, a block of lines.

`name` is a person's beside an email address and a product's beside a price. So such a value waits
until its group has said whom it is about.
"""

from __future__ import annotations

from msgspec import Struct

from premortem.capture.kinds import PERHAPS, PERSONAL, TELLING, Kind

WAITING_MAX = 64
"""Values of one object that wait for what its other members say."""
_INHERITING = frozenset((Kind.CONTAINER, Kind.STREET, Kind.NAME, Kind.CALLED, Kind.PERHAPS_NAME))
"""What is inside of these is about whom their object is about."""

_NAMED = (Kind.NAME, Kind.CALLED, Kind.PERHAPS_NAME)
Edits = dict[int, tuple[int, str]]
"""Where a change starts -> where it ends, and what stands there then."""


class Scope(Struct, kw_only=True):
    """An open object or list, or what corresponds to one."""

    is_object: bool
    kind: Kind
    """Of the list's items; in an object, of values whose names say nothing themselves."""
    key: Kind = Kind.PLAIN
    """Of the value to come."""
    label: str = ""
    """`password` in `{"name": "password", "value": ...}`."""
    weak: bool = False
    """The label is one of `_WEAK_LABELS`."""
    labelling: bool = False
    """The value to come is a label."""
    waiting: list[tuple[int, int, str, bool]] = []
    """Values that came before their label: start, end, text, whether a string."""
    about: Kind = Kind.PLAIN
    """PERSON or BUSINESS: whom the object is about, as far as it was said."""
    has_street: bool = False
    undecided: list[tuple[int, int, str, bool, Kind]] = []
    """Values of kinds in `PERHAPS`, until the object has said whom it is about."""

    def decided(self, kind: Kind) -> Kind:
        """What KIND, of one of the object's members, is in the light of what is known of it."""
        if kind in (Kind.POSITION, Kind.STREET) and self.about is Kind.BUSINESS:
            return Kind.PLAIN
        sure = PERHAPS.get(kind)
        if sure is None or self.about is Kind.BUSINESS:
            return kind
        if sure is Kind.CALLED and self.is_object and self.kind in _NAMED:
            return Kind.NAME  # `{"name": {"first": ...}}`
        if self.about is Kind.PERSON or (sure is Kind.PLACE and self.has_street):
            return sure
        return kind

    def hear(self, kind: Kind) -> None:
        """A member of KIND has a value."""
        if kind in TELLING and self.about is Kind.PLAIN:
            self.about = Kind.PERSON
        elif kind is Kind.STREET:
            self.has_street = True


NEIGHBOURLY = PERSONAL | frozenset(PERHAPS) | {Kind.EMAIL}


def about(outer: Scope, kind: Kind) -> Kind:
    """Whom an object or list of KIND inside of OUTER is about."""
    if kind in (Kind.PERSON, Kind.BUSINESS):
        return kind
    if outer.about is Kind.BUSINESS or kind in _INHERITING or not outer.is_object:
        return outer.about
    return Kind.PLAIN


def edited(text: str, edits: Edits) -> str:
    """TEXT with EDITS made; of two that overlap the first."""
    if not edits:
        return text
    out: list[str] = []
    last = 0
    for start, (end, new) in sorted(edits.items()):
        if start >= last:
            out += (text[last:start], new)
            last = end
    return "".join([*out, text[last:]])
