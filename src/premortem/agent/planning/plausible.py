"""Values that a person would write where nothing was recorded and the specification gives none.

By the field's name and format. A schema decides whether one is allowed; where it is not, or where
the schema brings examples, a default or a pattern of its own, those are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from premortem.agent.understanding.words import stems
from premortem.domain.shape import Branch, Shape, read_shape, types_of
from premortem.domain.traffic import OperationProfile
from premortem.generate.kept import recorded_at

_OWN = ("const", "enum", "examples", "default", "pattern")
"""What a schema says of a value itself."""
_TEXT_FORMS = """
    name: Ann Miller; first name: Ann; given name: Ann; last name: Miller; family name: Miller;
    surname: Miller; user name: ann.miller; username: ann.miller; login: ann.miller;
    nickname: ann; display name: Ann Miller; full name: Ann Miller; company: Miller & Sons;
    organization: Miller & Sons; email: ann.miller@example.org; mail: ann.miller@example.org;
    phone: +49 30 5550100; mobile: +49 170 5550100; fax: +49 30 5550101;
    street: Main Street 1; address: Main Street 1; line: Main Street 1; city: Berlin; town: Berlin;
    zip: 10115; postcode: 10115; postal code: 10115; country: DE; region: BE; state: BE;
    language: en; locale: en; currency: EUR; unit: piece; colour: blue; color: blue; size: M;
    title: A first title; subject: A first subject; headline: A first title; label: urgent;
    tag: urgent; category: general; kind: standard; type: standard; topic: general;
    description: Written for a test; text: Written for a test; body: Written for a test;
    message: Written for a test; note: Written for a test; comment: Written for a test;
    content: Written for a test; instruction: Written for a test; summary: Written for a test;
    question: Written for a test; answer: Written for a test; reason: asked for by phone;
    cause: asked for by phone; code: A-1001; sku: SKU-1001; serial: SN-1001; number: 1001;
    no: 1001; lot: L-1001; reference: REF-1001; key: first-key; slug: first-slug; path: first/path;
    url: https://example.org/a; uri: https://example.org/a; link: https://example.org/a;
    website: https://example.org; callback: https://example.org/hook; host: host.example.org;
    ip: 192.0.2.10; iban: DE02120300000000202051; bic: BYLADEM1001; vat: DE123456789;
    password: Correct-Horse-7; token: first-token; filename: first.txt; file: first.txt;
    version: 1.0.0; room: 12; seat: 12A; plate: B AM 1234; model: M-100; brand: Miller;
    time zone: Europe/Berlin; timezone: Europe/Berlin; query: tea; q: tea; item: tea;
    product: tea; author: Ann Miller; owner: ann.miller; location: Berlin; place: Berlin
"""


def _phrases(forms: str) -> dict[tuple[str, ...], str]:
    pairs = (pair.partition(":") for pair in forms.split(";"))
    return {tuple(stems(name)): " ".join(text.split()) for name, _, text in pairs}


_TEXTS = _phrases(_TEXT_FORMS)
_BEGINS = frozenset(stems("start starts begin begins from since departure departs pickup"))
_ENDS = frozenset(
    stems("end ends until to finish return arrival arrives due deadline expiry expires")
)
_AHEAD = frozenset(
    stems("valid expire expires due deadline delivery schedule scheduled appointment book booking")
)
_BORN = frozenset(stems("birth born birthday dob"))
_MONEY = frozenset(
    stems("amount price cost total fee sum balance budget salary limit value rate wage deposit")
)
_COUNT = frozenset(stems("quantity count number pieces items units stock"))
_PEOPLE = frozenset(stems("seats guests passengers people persons adults children"))


def plausible_at(operation: OperationProfile) -> Any:
    """Pointer (`*` for items) of OPERATION's body -> values to try there: recorded ones, else those
    that a person would write. For `generate.filler.Filler`."""
    recorded = recorded_at(operation, {})
    shape = read_shape(operation.request_schema)

    def known(at: tuple[str, ...]) -> Sequence[Any]:
        seen = recorded(at)
        if seen or shape is None:
            return seen
        place = shape.at(tuple("0" if part == "*" else part for part in at))
        return plausible(at, place) if place is not None else ()

    return known


def plausible(at: Sequence[str], place: Shape) -> tuple[Any, ...]:
    """Values for PLACE, which stands AT; empty: its schema says itself, or nothing is known."""
    branches = place.branches
    if not branches or any(name in branch for branch in branches for name in _OWN):
        return ()
    name = next((part for part in reversed(at) if part != "*" and not part.isdigit()), "")
    words = tuple(stems(name))
    kinds = {kind for branch in branches for kind in types_of(branch)}
    form = next((str(b["format"]) for b in branches if "format" in b), "")
    if "string" in kinds:
        if form in ("date", "date-time", "time"):
            return _moment(words, form)
        if form not in ("", "email", "uri", "url", "hostname", "ipv4", "password"):
            return ()
        found = _text(words)
        return (found,) if found else ()
    if kinds & {"integer", "number"}:
        return _number(words, branches)
    return ()


def _text(words: tuple[str, ...]) -> str:
    """The text for a field whose name ends in WORDS, or has one of them; empty: none."""
    for start in range(len(words)):
        if words[start:] in _TEXTS:
            return _TEXTS[words[start:]]
    return next((_TEXTS[(word,)] for word in reversed(words) if (word,) in _TEXTS), "")


def _moment(words: tuple[str, ...], form: str) -> tuple[str, ...]:
    said = set(words)
    if said & _BORN:
        day = "1990-05-17"
    elif said & _ENDS:
        day = "2030-06-07"
    elif said & (_BEGINS | _AHEAD):
        day = "2030-06-03"
    else:
        day = "2026-03-02"
    if form == "date":
        return (day,)
    at = "17:00:00" if said & _ENDS else "09:00:00"
    return (f"{at}Z", at) if form == "time" else (f"{day}T{at}Z",)


def _number(words: tuple[str, ...], branches: Sequence[Branch]) -> tuple[int | float, ...]:
    said = set(words)
    if said & (_COUNT | _PEOPLE):
        return (10, 2, 1) if said & _COUNT else (2, 1)
    if not said & _MONEY:
        return ()
    bounds: Mapping[str, Any] = branches[0]
    most = bounds.get("maximum")
    if isinstance(most, int | float) and most < 100:
        return (most / 2, 10, 1)
    return (100, 10, 1)
