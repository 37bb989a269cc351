"""Keys that production uses for one request only: which they are, and new ones for a copy.

A copy of a sequence under the recorded key is answered with what the recorded request made, or
refused, because the key came with another request. A recorded retry keeps its equality.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from hashlib import sha256
from itertools import chain, islice
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from premortem.domain.bodies import general, is_json, leaves, read_body
from premortem.domain.once import names_one_request, same_request
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Profile, Request
from premortem.generate.bindings import CONDITIONAL_HEADERS, identifier_like
from premortem.generate.renaming import renamed_code, with_names
from premortem.generate.replay import sendable
from premortem.generate.told import CODE, EXCHANGES_MAX, body_codes, told_codes

DISTINCT_MIN = 10
"""Different values from which it is no chance that none came with two requests."""
KEY_LENGTH_MIN = 8
_BETWEEN = re.compile(r'["/?&:=]')
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Once = Mapping[str, frozenset[Place]]
"""Operation id -> places whose values name one request, `*` for items."""


def once_places(profile: Profile, exchanges: Mapping[str, Exchange]) -> Once:
    """Places whose values no two requests of EXCHANGES shared, but for retries of the same, and
    that no answer brought. In bodies only codes count, as other texts may have to stay, and none
    that another request has anywhere: those name a thing, not a request."""
    matcher, told = Matcher(o.operation for o in profile.operations), told_codes(profile, exchanges)
    linked = {(link.consumer, link.place) for link in profile.links}
    users: dict[tuple[str, Place], dict[str, int]] = {}
    shared: set[tuple[str, Place]] = set()
    for exchange in list(exchanges.values())[:EXCHANGES_MAX]:
        request = exchange.request
        match = matcher.match_request(request)
        if match is None or request.method in SAFE_METHODS:
            continue
        whole = same_request(request)
        for place, value in _candidates(exchange):
            spot = (match.operation.id, place)
            if spot in linked or spot in shared:
                continue
            if users.setdefault(spot, {}).setdefault(value, whole) != whole:
                shared.add(spot)
    found: dict[str, set[Place]] = {}
    for (operation_id, place), values in users.items():
        named = place.part != "body" or (operation_id, place) in told.alone
        if named and (operation_id, place) not in shared and len(values) >= DISTINCT_MIN:
            found.setdefault(operation_id, set()).add(place)
    return {operation_id: frozenset(places) for operation_id, places in found.items()}


def _candidates(exchange: Exchange) -> Iterator[tuple[Place, str]]:
    for name, value in sendable(exchange.request.headers):
        told_apart = identifier_like(value) or CODE.fullmatch(value)
        if told_apart and len(value) >= KEY_LENGTH_MIN and name not in CONDITIONAL_HEADERS:
            yield Place(part="header", name=name), value
    for place, value in body_codes(exchange.request):
        yield general(place), value


def _body(request: Any) -> Iterator[tuple[Place, str]]:
    try:
        found = list(leaves(read_body(request)))
    except ValueError:
        return
    yield from ((place, value) for place, value in found if isinstance(value, str) and value)


class _Keys:
    """The new keys of one row of cases. What was recorded under one key stays under one."""

    def __init__(self, salt: str, once: Once) -> None:
        self._salt = salt
        self._once = once
        self._owners: dict[str, int] = {}
        """Old key -> the request that had it first."""
        self._names: dict[str, str] = {}
        """Old key -> its owner's new one, for keys that are not to be found by chance."""

    def renewed(self, case: Case, index: int) -> Case:
        """CASE, the INDEX-th, with its keys new, also where else it has them."""
        named = self._once.get(case.operation_id, frozenset())
        left = {*(binding.place for binding in case.bindings), case.intent.place}
        whole, own = same_request(case.request), dict[str, str]()
        asked, told = _asked(case.request), _told(case.request)
        headers: list[tuple[str, str]] = []
        for name, value in case.request.headers:
            place = Place(part="header", name=name)
            if value and place not in left and (names_one_request(name) or place in named):
                new = self._new(value, case, whole, index)
                if value not in asked | told:  # else it is what the request is about
                    own[value] = new
                value = new
            headers.append((name, value))
        body = case.request.body
        for place, value in _body(case.request) if is_json(case.request.media_type) else ():
            key = place.tokens[-1] if place.tokens else ""
            if place not in left and (names_one_request(key) or general(place) in named):
                new = self._new(value, case, whole, index)
                if value not in asked:
                    own[value] = new
                body = _put(body, place, new)
        if body != case.request.body or tuple(headers) != case.request.headers:
            request = replace(case.request, headers=tuple(headers), body=body)
            case = replace(case, request=request)
        own = {old: new for old, new in own.items() if _told_apart(old)}
        for old, new in own.items():
            self._names.setdefault(old, new)
        known = ChainMap(own, self._names)
        found = {text: known[text] for text in asked | told if text in known}
        return with_names(case, found) if found else case

    def _new(self, value: str, case: Case, whole: int, index: int) -> str:
        owner = self._owners.setdefault(value, whole)
        same = case.origin.source == "replay" or owner == whole
        return _new_key(value, self._salt if same else f"{self._salt} {index}")


def _told_apart(value: str) -> bool:
    return len(value) >= KEY_LENGTH_MIN and (identifier_like(value) or bool(CODE.fullmatch(value)))


def _asked(request: Request) -> set[str]:
    return {*map(unquote, request.path.split("/")), *(value for _, value in request.query)}


def _told(request: Request) -> set[str]:
    """The texts of the body of REQUEST that may be keys."""
    return set(_BETWEEN.split(request.body.decode("utf-8", "surrogateescape")))


def with_new_keys(cases: tuple[Case, ...], *, salt: str, once: Once) -> tuple[Case, ...]:
    """CASES with new keys, the same ones for the same SALT; CASES itself where there are none.

    What was recorded under one key stays under one, and who asks by a key asks by the new one. A
    generated case has a key of its own, unless it is the very request that had the key before.
    """
    keys = _Keys(salt, once)
    changed = tuple(keys.renewed(case, index) for index, case in enumerate(cases))
    return changed if any(a is not b for a, b in zip(cases, changed, strict=True)) else cases


def rekeyed(sequence: Sequence, *, salt: str, once: Once) -> Sequence:
    """SEQUENCE with new keys; see `with_new_keys`."""
    cases = with_new_keys(sequence.cases, salt=salt, once=once)
    return sequence if cases is sequence.cases else Sequence(cases=cases)


def first_cycle(flows: Many[Sequence], *, salt: str) -> list[Sequence]:
    """The recorded FLOWS, to be sent to a target that has none of it yet: as they were.

    But for idempotency keys, by their names, which a target may remember from the last run; one
    that several flows have is one.
    """
    cases = with_new_keys(tuple(chain.from_iterable(f.cases for f in flows)), salt=salt, once={})
    rest = iter(cases)
    return [Sequence(cases=tuple(islice(rest, len(flow.cases)))) for flow in flows]


def _put(body: bytes, place: Place, text: str) -> bytes:
    document = msgspec.json.decode(body)
    parent = document
    for token in place.tokens[:-1]:
        parent = parent[int(token)] if isinstance(parent, list) else parent[token]
    last = place.tokens[-1]
    parent[int(last) if isinstance(parent, list) else last] = text
    return msgspec.json.encode(document)


def _new_key(key: str, salt: str) -> str:
    """A key that looks like KEY: every letter and digit by another of its kind."""
    digest = sha256(f"{salt}\0{key}".encode()).digest()
    if CODE.fullmatch(key) and not key.isdigit():
        return renamed_code(key, digest)
    if sum(c.isalnum() for c in key) < KEY_LENGTH_MIN:
        return key + digest.hex()[:KEY_LENGTH_MIN]
    bytes_ = (digest[i % len(digest)] + i // len(digest) for i in range(len(key)))
    return "".join(map(_like, key, bytes_))


def _like(character: str, byte: int) -> str:
    if character.isdigit() and character.isascii():
        return str(byte % 10)
    if character.isalpha() and character.isascii():
        letter = _LETTERS[byte % 26]
        return letter.upper() if character.isupper() else letter
    return character
