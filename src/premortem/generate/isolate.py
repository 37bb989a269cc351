"""Names that clients choose, chosen anew, so that sequences do not meet in one resource.

Identifiers that the service makes differ by themselves from run to run. Those that a client
makes (`PUT /buckets/tasks`) do not: two sequences that bring about their own `tasks` would
refuse each other, and a second cycle of a recording would find what the first one left. So do
values in bodies that production never sent twice where the service knows conflicts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from urllib.parse import unquote

import msgspec

from premortem.domain.bodies import general, leaves, read_body
from premortem.domain.conform import compiled
from premortem.domain.places import Place
from premortem.domain.run import Case, Sequence
from premortem.domain.traffic import Exchange, Field, OperationProfile, Profile
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
    had told before. Without those, counts have to do.
    """
    told = told_codes(profile, exchanges or {})
    linked = {(k.consumer, k.place) for k in profile.links if k.confidence >= LINK_CONFIDENCE}
    found: dict[str, frozenset[Place]] = {}
    for operation in profile.operations:
        if operation.operation.method in _CREATING:
            places = (f.place for f in operation.fields if _is_unique(f, operation, told))
            found[operation.id] = frozenset(p for p in places if (operation.id, p) not in linked)
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
        for name in _never_twice(case, sequence.cases[:index], unique or {}):
            apart = not CODE.fullmatch(name) and _below(case, names)
            if name not in names and name not in keep and not apart:
                names[name] = _renamed(name, salt)
        for name in _created(case, sequence.cases[index + 1 :]):
            if name not in names and name not in keep and not _below(case, names):
                names[name] = _renamed(name, salt)
    if not names:
        return sequence
    return Sequence(cases=tuple(with_names(case, names) for case in sequence.cases))


def _never_twice(case: Case, earlier: tuple[Case, ...], unique: Unique) -> Iterator[str]:
    """Values of CASE that must not come twice, and that no case EARLIER has."""
    places = unique.get(case.operation_id, ())
    made = case.origin.source != "replay" and case.intent.kind == "realistic"
    if not places or not (200 <= case.recorded_status < 300 or made):
        return
    bound = {binding.place for binding in case.bindings}
    try:
        found = list(leaves(read_body(case.request)))
    except ValueError:
        return
    for place, value in found:
        if place in bound or not isinstance(value, str) or general(place) not in places:
            continue
        known = value.encode()
        if (CODE.fullmatch(value) or _WORD.fullmatch(value)) and not any(
            known in before.request.body or value in before.request.path for before in earlier
        ):
            yield value


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
