"""Recorded requests -> the traffic model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from premortem.domain.conform import compiled
from premortem.domain.traffic import Exchange, Field, OperationProfile, Profile
from premortem.domain.traffic_model import Column, Group, OperationModel, Token, TrafficModel
from premortem.generate.bindings import identifier_like
from premortem.generate.kept import reused_places
from premortem.generate.replay import Replayer
from premortem.generate.traffic import copying
from premortem.generate.traffic.parents import Codes, levels_of
from premortem.generate.traffic.rows import BEFORE, COLUMNS_MAX, ROLE, TOLD, Row, row_of
from premortem.generate.traffic.situations import (
    HELD_OUT_SHARE,
    Situation,
    held_out,
    situations,
)
from premortem.generate.traffic.texts import learned_texts
from premortem.generate.traffic.tokens import (
    DAY_FORMATS,
    DAYS,
    NOTHING_THERE,
    Lexicon,
    alone,
    day_at,
    day_of,
    found_tokens,
)

SESSIONS_HELD_MIN = 20
"""With fewer sessions than these none is held out: too few were left to judge by, and whether
anything is left to learn from would hang on their names."""
REQUESTS_MIN = 2
"""Of an operation, before anything is learned of how it is written."""
REQUESTS_MAX = 6_000
"""Of an operation, the latest ones."""
ITEMS_ROWS_MAX = 12_000
GIVEN_VALUES_MAX = 40
"""Different values of something given: more of them are names, and say nothing about others."""
REFERENCE_SHARE = 0.5
"""From this share on, a place whose values came from earlier answers holds references."""
DECIMALS_MAX = 9
ORDERS_MAX = 500
"""Sets of places whose order is known."""
SEEN_MIN = 2
"""Requests in which a place was there before it is written."""
MADE_FORMATS = frozenset({"uuid", "email", "ipv4", "hex", "digits", "token", "uri", "url"})


class Rows:
    """Requests of one operation, or items of one array, column by column."""

    def __init__(self, rows: Sequence[Row], sessions: Sequence[str], days: Sequence[int]) -> None:
        self.rows, self.sessions, self.days = rows, sessions, days
        self.halves: Codes = np.array([_half(session) for session in sessions], dtype=np.int64)

    def column(self, place: str) -> list[Any]:
        """What each row holds at PLACE."""
        return [row.get(place, NOTHING_THERE) for row in self.rows]

    @property
    def places(self) -> list[str]:
        """Places that are there often enough, in the order in which they are mostly written."""
        seen: Counter[str] = Counter()
        order: defaultdict[str, int] = defaultdict(int)
        for row in self.rows:
            for index, place in enumerate(row):
                seen[place] += 1
                order[place] += index
        kept = [place for place, count in seen.items() if count >= SEEN_MIN]
        return sorted(kept, key=lambda p: (order[p] / seen[p], p))[:COLUMNS_MAX]


def train(
    profile: Profile,
    exchanges: Mapping[str, Exchange],
    *,
    now: float,
    clock: Callable[[], float],
    held_out_share: float = HELD_OUT_SHARE,
) -> TrafficModel:
    """A model of how PROFILE's requests are written, from the recorded EXCHANGES.

    Sessions that `held_out` names are left out, of SESSIONS_HELD_MIN at least. NOW: seconds since
    the epoch; CLOCK: seconds of CPU time. The same traffic gives the same model.
    """
    begun = clock()
    by_operation: dict[str, list[Situation]] = defaultdict(list)
    sessions: set[str] = set()
    count = 0
    known = list(situations(profile, exchanges, Replayer(profile).standing_in("")))
    if len({situation.session for situation in known}) < SESSIONS_HELD_MIN:
        held_out_share = 0.0
    for situation in known:
        if not held_out(situation.session, held_out_share):
            by_operation[situation.final.operation_id].append(situation)
            sessions.add(situation.session)
            count += 1
    reused = reused_places(profile)
    made = [
        _operation(operation, by_operation[operation.id], reused.get(operation.id, frozenset()))
        for operation in profile.operations
        if len(by_operation[operation.id]) >= REQUESTS_MIN
    ]
    model = TrafficModel(
        version="",
        profile_version=profile.version,
        created_at=now,
        requests=count,
        sessions=len(sessions),
        seconds=0.0,
        held_out_share=held_out_share,
        operations=tuple(made),
    )
    bare = msgspec.json.encode(replace(model, created_at=0.0), order="deterministic")
    version = sha256(bare).hexdigest()[:12]
    return replace(model, version=version, seconds=clock() - begun)


def _operation(
    operation: OperationProfile, found: Sequence[Situation], reused: frozenset[tuple[str, ...]]
) -> OperationModel:
    found = sorted(found, key=lambda s: (s.exchange.started_at, s.exchange_id))[-REQUESTS_MAX:]
    conformance = compiled(operation.request_schema)
    shape = conformance.shape if conformance is not None else None
    taken = list(found)
    rows = Rows(
        [row_of(situation.final.request, shape) for situation in taken],
        [situation.session for situation in taken],
        [day_at(situation.exchange.started_at) for situation in taken],
    )
    columns, codes = _given(taken, operation)
    fields = {str(field.place): field for field in operation.fields}
    told = copying.told(taken)
    for place in rows.places:
        values = rows.column(place)
        if references(place, values, taken, reused):
            column, tokens = _there(place, [value is not NOTHING_THERE for value in values])
        else:
            for key in copying.sources(values, told):
                if all(c.place != f"{TOLD}{key}" for c in columns):
                    column, tokens = _there(f"{TOLD}{key}", [key in said for said in told])
                    columns.append(column)
                    codes.append(tokens)
            column, tokens = _column(place, values, rows, fields, codes, told)
        columns.append(column)
        codes.append(tokens)
    return OperationModel(
        operation_id=operation.id,
        requests=len(taken),
        group=Group(columns=tuple(columns)),
        orders=_orders(rows.rows),
    )


def _orders(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    counts = Counter(tuple(row) for row in rows)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for order, _ in counts.most_common():
        found.setdefault(frozenset(order), order)
    return tuple(found.values())[:ORDERS_MAX]


def _given(
    found: Sequence[Situation], operation: OperationProfile
) -> tuple[list[Column], list[Codes]]:
    """What is known before a request is written: who sends it, after what, with which headers."""
    names = [f.place.name for f in operation.fields if f.place.part == "header" and f.enumeration]
    columns: list[Column] = []
    codes: list[Codes] = []
    for place in (ROLE, BEFORE, *(f"header:{name}" for name in names)):
        texts = [given_text(situation, place) for situation in found]
        common = [text for text, _ in Counter(texts).most_common(GIVEN_VALUES_MAX)]
        if len(common) < 2:
            continue
        atoms = [Token(kind="atom", text=msgspec.json.encode(text).decode()) for text in common]
        tokens = (*atoms, Token(kind="other"))
        lexicon = Lexicon(tokens)
        columns.append(Column(place=place, tokens=tokens, given=True))
        codes.append(np.array([lexicon.of(text) for text in texts], dtype=np.int64))
    return columns, codes


def given_text(situation: Situation, place: str) -> str:
    """What SITUATION says of something that is given."""
    if place == ROLE:
        return situation.role
    if place == BEFORE:
        return situation.setup[-1].operation_id if situation.setup else ""
    return situation.final.request.header(place.partition(":")[2]) or ""


def references(
    place: str,
    values: Sequence[Any],
    found: Sequence[Situation],
    reused: frozenset[tuple[str, ...]],
) -> bool:
    """Whether PLACE names things that are there: a link leads to it, or earlier answers brought
    most of its values that look like identifiers."""
    part, _, name = place.partition(":")
    key = tuple(name[1:].split("/")) if part == "body" else (part, name)
    if key in reused:
        return True
    there = bound = 0
    for value, situation in zip(values, found, strict=True):
        if value is NOTHING_THERE or value is None:
            continue
        there += 1
        bound += any(str(b.place) == place for b in situation.final.bindings)
    texts = [v for v in values if isinstance(v, str)]
    alike = texts and all(identifier_like(text) for text in texts)
    return there > 0 and bound >= REFERENCE_SHARE * there and bool(alike)


def _there(place: str, there: Sequence[bool]) -> tuple[Column, Codes]:
    """A given column that tells only whether something is there."""
    tokens = (Token(kind="absent"), Token(kind="kept"))
    return Column(place=place, tokens=tokens, given=True), np.array(there, dtype=np.int64)


def _column(
    place: str,
    values: Sequence[Any],
    rows: Rows,
    fields: Mapping[str, Field],
    earlier: Sequence[Codes],
    told: Sequence[Mapping[str, Any]],
    above: str = "",
) -> tuple[Column, Codes]:
    whole = f"{above}{place}"
    field = fields.get(whole)
    dated = _dated(values, field)
    relative = copying.limit(values, told)
    shown = copying.shares(values, told, relative) if relative else list(values)
    tokens, found = found_tokens(shown, rows.sessions, rows.days, dated=dated)
    if not relative:
        tokens, found = copying.with_copies(tokens, found, values, told)
    if field is not None and field.format in MADE_FORMATS:
        tokens = [replace(t, kind="new") if t.kind == "text" else t for t in tokens]
    codes: Codes = np.array(found, dtype=np.int64)
    texts = [
        (value, session)
        for value, session, token in zip(values, rows.sessions, found, strict=True)
        if tokens[token].kind == "text" and isinstance(value, str)
    ]
    column = Column(
        place=place,
        tokens=tuple(tokens),
        levels=levels_of(codes, len(tokens), earlier, rows.halves),
        relative=relative,
        whole=not any(isinstance(v, float) and v.is_integer() for v in values),
        decimals=max((_decimals(v) for v in values if isinstance(v, float)), default=0),
        texts=learned_texts(texts) if texts else None,
        suffixes=_suffixes(values) if dated else (),
        seen=alone(values, rows.sessions) if not relative else (),
        items=_items(whole, values, rows, fields, (*earlier, codes)),
    )
    return column, codes


def _decimals(value: float) -> int:
    return min(DECIMALS_MAX, len(f"{value:.9f}".rstrip("0").partition(".")[2]))


def _dated(values: Sequence[Any], field: Field | None) -> bool:
    if field is not None and field.format in DAY_FORMATS:
        return True
    texts = [value for value in values if isinstance(value, str)]
    return bool(texts) and all(day_of(text) is not None for text in texts)


def _suffixes(values: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for value in values:
        match = DAYS.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            counts[match[2] or ""] += 1
    return tuple(counts.most_common(GIVEN_VALUES_MAX))


def _items(
    place: str,
    values: Sequence[Any],
    rows: Rows,
    fields: Mapping[str, Field],
    above: Sequence[Codes],
) -> Group | None:
    """How the items of an array are written, given what they stand in and their index."""
    pairs = [
        (row, at, item)
        for row, value in enumerate(values)
        if isinstance(value, list)
        for at, item in enumerate(value)
    ][:ITEMS_ROWS_MAX]
    if not pairs:
        return None
    parents = np.array([row for row, _, _ in pairs])
    inner = Rows(
        [item for _, _, item in pairs],
        [rows.sessions[row] for row, _, _ in pairs],
        [rows.days[row] for row, _, _ in pairs],
    )
    codes = [known[parents] for known in above]
    codes.append(np.array([min(at, 2) for _, at, _ in pairs], dtype=np.int64))
    nothing: list[Mapping[str, Any]] = [{}] * len(pairs)
    columns: list[Column] = []
    for name in inner.places:
        column, tokens = _column(
            name, inner.column(name), inner, fields, codes, nothing, above=f"{place}/*"
        )
        columns.append(column)
        codes.append(tokens)
    return Group(columns=tuple(columns))


def _half(session: str) -> int:
    return blake2b(session.encode(), digest_size=1, person=b"half").digest()[0] & 1
