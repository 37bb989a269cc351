"""What a value can be, as far as redaction is concerned."""

from __future__ import annotations

from enum import IntEnum


def word_set(text: str) -> frozenset[str]:
    """The words of TEXT."""
    return frozenset(text.split())


class Kind(IntEnum):
    """What the values under a name are."""

    SECRET = 1
    """Credentials and payment data: texts, and numbers where numbers can be secret."""
    SECRET_TEXT = 2
    """Texts alone: numbers under such a name count or measure something."""
    EMAIL = 3
    IDENTITY = 4
    """Ids, hashes, cursors: random by nature, and needed to join requests."""
    CONTAINER = 5
    """Says nothing itself: `value`, `data`; inside something secret it is secret."""
    PLAIN = 6
    ALLOWED = 7
    """On the configuration's allow list: nothing is changed."""
    NAME = 8
    """Of a person."""
    STREET = 9
    """A postal address or the part of one that tells a house."""
    BIRTH = 10
    """A date of birth."""
    PHONE = 11
    IP = 12
    """A client's address."""
    POSITION = 13
    """Latitude, longitude, or both."""
    DEVICE = 14
    NATIONAL = 15
    """A number that a state gave to a person, or to a paper of theirs."""
    CARD = 16
    ACCOUNT = 17
    """An IBAN or another number of a bank account."""
    SENSITIVE = 18
    """Health, faith, descent: GDPR, article 9."""
    PERHAPS_NAME = 19
    """Of a person where its neighbours are a person's, else of anything: `name`."""
    PERHAPS_PLACE = 20
    """City or post code: of a person's address, or of anything: `city`, `zip`."""
    PERSON = 21
    """What is inside is about a person: `customer`."""
    BUSINESS = 22
    """What is inside is about a company or a place open to all: `store`."""
    PLACE = 23
    """City or post code in a person's address."""
    CALLED = 25
    """Of a person, or of an account: `name` beside an email address."""
    OPENING = 24
    """Opens something where it is long and random: a session's id."""
    OWN = 26
    """Named by the configuration: replaced in its own form."""
    DROPPED = 27
    """Named by the configuration: left empty."""


SECRET = frozenset((Kind.SECRET, Kind.SECRET_TEXT))
PERSONAL = frozenset(
    (
        Kind.NAME,
        Kind.STREET,
        Kind.BIRTH,
        Kind.PHONE,
        Kind.IP,
        Kind.POSITION,
        Kind.DEVICE,
        Kind.NATIONAL,
        Kind.CARD,
        Kind.ACCOUNT,
        Kind.SENSITIVE,
        Kind.PLACE,
        Kind.CALLED,
    )
)
"""Kinds whose values are replaced in their own form."""
HIDDEN = SECRET | PERSONAL | {Kind.EMAIL, Kind.OPENING, Kind.OWN, Kind.DROPPED}
"""Kinds whose values never remain, whatever they look like."""
TELLING = frozenset((Kind.NAME, Kind.EMAIL, Kind.PHONE, Kind.BIRTH, Kind.NATIONAL))
"""Kinds that say of their neighbours that they are a person's, too."""
PERHAPS = {Kind.PERHAPS_NAME: Kind.CALLED, Kind.PERHAPS_PLACE: Kind.PLACE}
"""Kinds that their neighbours decide on -> what they are beside a person's data."""
