"""Names that clients choose, chosen anew, so that sequences do not meet in one resource.

Identifiers that the service makes differ by themselves from run to run. Those that a client
makes (`PUT /buckets/tasks`) do not: two sequences that bring about their own `tasks` would
refuse each other, and a second cycle of a recording would find what the first one left. So do
values in bodies that production never sent twice where the service knows conflicts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from urllib.parse import unquote

import msgspec

from premortem.domain.bodies import general, leaves, read_body
from premortem.domain.conform import compiled
from premortem.domain.places import Place
from premortem.domain.run import Case, Sequence
from premortem.domain.traffic import Exchange, Field, OperationProfile, Profile, Request
from premortem.generate.mentioned import mentioned_places, refers
from premortem.generate.naming import made_by
from premortem.generate.once import Once, rekeyed
from premortem.generate.renaming import renamed_code, with_names
from premortem.generate.starts import LINK_CONFIDENCE
from premortem.generate.told import CODE, Told, told_codes

SUFFIX_LENGTH = 4
DIGITS_MIN = 4
"""Shorter numbers are counts and choices, no identifiers."""
UNIQUE_SEEN_MIN = 2
UNIQUE_SEEN_UNDECLARED_MIN = 10
"""Where no specification says that a text is free, more of them have to differ."""
_ACCOUNT = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
"""ISO 13616."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_CODES = frozenset({"hex", "uuid"})
_LIMITS = frozenset({"enum", "const", "pattern", "format", "maxLength"})
_CREATING = frozenset({"POST", "PUT"})
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


Unique = Mapping[str, Collection[Place]]
"""Operation id -> places of its body whose values must not come twice, `*` for items."""


def unique_places(profile: Profile, exchanges: Mapping[str, Exchange] | None = None) -> Unique:
    """The places whose values production never repeated, because they name what is made.

    Codes (hexadecimal, UUIDs) anywhere; other names only where the operation knows conflicts.
    Values that a link leads to name what is there already; so do codes that another of EXCHANGES
    had told before. Without those, counts have to do. What comes to be by being named counts, too,
    and what names a thing when it is made names it when it is changed.
    """
    told = told_codes(profile, exchanges or {})
    linked = {(k.consumer, k.place) for k in profile.links if k.confidence >= LINK_CONFIDENCE}
    found: dict[str, frozenset[Place]] = {}
    for operation in profile.operations:
        if operation.operation.method in _CREATING:
            places = (f.place for f in operation.fields if _is_unique(f, operation, told))
            found[operation.id] = frozenset(p for p in places if (operation.id, p) not in linked)
    for operation_id, place in mentioned_places(profile, exchanges or {}):
        found[operation_id] = found.get(operation_id, frozenset()) | {place}
    for operation in profile.operations:
        maker = made_by(operation, profile)
        named = found.get(maker.id, frozenset()) if maker is not None else frozenset()
        own = {f.place for f in operation.fields if not f.enumeration and not f.redacted} & named
        new = {place for place in own if (operation.id, place) not in linked}
        if new:
            found[operation.id] = found.get(operation.id, frozenset()) | new
    return found


def _is_unique(field: Field, operation: OperationProfile, told: Told) -> bool:
    told_apart = UNIQUE_SEEN_MIN <= field.seen <= field.distinct
    spot = (operation.id, field.place)
    if field.format in _CODES and spot in told.codes:
        told_apart = spot in told.first
    if field.place.part != "body" or set(field.types) != {"string"} or not told_apart:
        return False
    if field.redacted or field.enumeration:
        return False
    document = operation.request_schema if operation.request_source == "spec" else ""
    conformance = compiled(document)
    shape = conformance.shape.at(field.place.tokens) if conformance is not None else None
    free = shape.branch("string") if shape is not None else None
    if field.format in _CODES:
        # An account number of digits and a D or an E looks like one, and has check digits.
        known = (msgspec.json.decode(value) for value, _ in field.values)
        return not ({"pattern"} & set(free or ())) and not any(map(_ACCOUNT.fullmatch, known))
    if field.format or not (
        409 in operation.declared or any(a.status == 409 and a.count for a in operation.answers)
    ):
        return False
    if free is None:
        return field.seen >= UNIQUE_SEEN_UNDECLARED_MIN
    return not _LIMITS & set(free)


def isolated(
    sequence: Sequence,
    *,
    salt: str,
    keep: Collection[str] = (),
    unique: Unique | None = None,
    once: Once | None = None,
    run: str = "",
) -> Sequence:
    """SEQUENCE with the outermost identifiers it creates under names of its own, and new keys.

    The same SALT gives the same names. KEEP: names that stay, such as roles' accounts. What lies
    below a renamed resource keeps its name: it is apart already. UNIQUE: as of `unique_places`.
    ONCE: as of `once_places`; idempotency keys by their names are made anew without it, too, and
    RUN tells those of one run from those of the next: a target may remember them.
    """
    sequence = rekeyed(sequence, salt=f"{salt} {run}", once=once or {})
    names: dict[str, str] = {}
    for index, case in enumerate(sequence.cases):
        for name, called in _never_twice(case, sequence.cases[:index], unique or {}):
            # An identifier is one thing whatever lies above it; a plain name need not be.
            apart = not (called or CODE.fullmatch(name)) and _below(case, names)
            if name not in names and name not in keep and not apart:
                names[name] = _renamed(name, salt)
        for name in _created(case, sequence.cases[index + 1 :]):
            if name not in names and name not in keep and not _below(case, names):
                names[name] = _renamed(name, salt)
    cases = sequence.cases
    if names:
        cases = tuple(with_names(case, names) for case in cases)
    if unique:
        cases = _apart(cases, salt, unique)
    return sequence if cases is sequence.cases else Sequence(cases=cases)


def _apart(cases: tuple[Case, ...], salt: str, unique: Unique) -> tuple[Case, ...]:
    """CASES, the made ones that end a sequence with codes of their own: those made of one request
    have the same ones, and are not to meet in what they make. A repeated request keeps them."""
    ends = [index for index, case in enumerate(cases) if not case.setup and _generated(case)]
    ends = [index for index in ends if unique.get(cases[index].operation_id)]
    if len(ends) < 2:
        return cases
    known = [case for case in cases if case.setup or not _generated(case)]
    # Those that break something may be let through for all that, so their codes are taken first.
    ends.sort(key=lambda index: (cases[index].intent.kind == "realistic", index))
    taken: dict[str, Request] = {}
    out = list(cases)
    for index in ends:
        case = cases[index]
        own = {v for v, _ in _named(case, unique) if CODE.fullmatch(v) and not _told(v, known)}
        others = sorted(c for c in own if taken.setdefault(c, case.request) != case.request)
        if others and case.intent.kind == "realistic":
            names = {code: _renamed(code, f"{salt} {index}") for code in others}
            out[index] = with_names(case, names)
    return tuple(out)


def _generated(case: Case) -> bool:
    return case.origin.source != "replay"


def _told(text: str, cases: Iterable[Case]) -> bool:
    known = text.encode()
    return any(known in case.request.body or text in case.request.path for case in cases)


def _never_twice(
    case: Case, earlier: tuple[Case, ...], unique: Unique
) -> Iterator[tuple[str, bool]]:
    """Values of CASE that must not come twice, and that no case EARLIER has told the service,
    leaving out other ends of the same sequence; and whether each is called a reference."""
    made = _generated(case) and case.intent.kind == "realistic"
    if not (200 <= case.recorded_status < 300 or made):
        return
    if made:
        earlier = tuple(before for before in earlier if before.setup or not _generated(before))
    for value, called in _named(case, unique):
        if (CODE.fullmatch(value) or _WORD.fullmatch(value)) and not _told(value, earlier):
            yield value, called


def _named(case: Case, unique: Unique) -> Iterator[tuple[str, bool]]:
    """The texts of CASE at places whose values must not come twice, and whether those are called
    references."""
    places = unique.get(case.operation_id, ())
    if not places:
        return
    bound = {binding.place for binding in case.bindings}
    try:
        found = list(leaves(read_body(case.request)))
    except ValueError:
        return
    for place, value in found:
        if place not in bound and isinstance(value, str) and general(place) in places:
            yield value, refers(place)


def _created(case: Case, later: tuple[Case, ...]) -> Iterator[str]:
    """Identifiers that CASE brings about and that the client chose."""
    if not 200 <= case.recorded_status < 300:
        return
    request = case.request
    if request.method == "PUT" and case.operation_id.endswith("}"):
        segments = request.path.rstrip("/").split("/")
        bound = {binding.place.name for binding in case.bindings if binding.place.part == "path"}
        if str(len(segments) - 2) not in bound:
            yield unquote(segments[-1])
    elif request.method == "POST" and request.body:
        try:
            chosen = {value for _, value in leaves(read_body(request)) if isinstance(value, str)}
        except ValueError:
            return
        below = request.path.rstrip("/") + "/"
        for other in later:
            if other.request.path.startswith(below):
                name = unquote(other.request.path[len(below) :].split("/", 1)[0])
                if name in chosen:
                    yield name


def _below(case: Case, names: Collection[str]) -> bool:
    parents = case.request.path.rstrip("/").split("/")[:-1]
    return any(unquote(parent) in names for parent in parents)


def _renamed(name: str, salt: str) -> str:
    digest = sha256(f"{salt}\0{name}".encode()).digest()
    if CODE.fullmatch(name) and not name.isdigit():
        return renamed_code(name, digest)
    if name.isdigit() and len(name) >= DIGITS_MIN:
        return name[0] + str(int.from_bytes(digest, "big"))[-len(name) + 1 :]
    return name + "".join(_ALPHABET[byte % 36] for byte in digest[:SUFFIX_LENGTH])
