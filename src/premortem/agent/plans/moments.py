"""Dates and times at their edges: days that do not exist, ends before begins, past and future."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from msgspec import Struct

from premortem.agent.outcomes.value import values_at
from premortem.agent.planning import titles
from premortem.agent.planning.draft import DoesNotApply
from premortem.agent.planning.expectation import Expectation, invalid_status, success_status
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.days import cut_in_zone
from premortem.agent.plans.ground import Ground
from premortem.agent.plans.valued import Put, allowed, expectation, named_field, valued
from premortem.agent.understanding.boundaries import EdgeValue
from premortem.agent.understanding.inputs import InputField, input_fields
from premortem.agent.understanding.preconditions import MOMENTS
from premortem.agent.understanding.words import stems, tokens
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.traffic import OperationProfile

EDGES_MAX = 3
PAST, FUTURE = date(2000, 1, 1), date(2099, 12, 31)
"""Far enough from any clock that a test may run by."""
_EPOCH_MS_MIN = 10**11
"""Numbers from here on are milliseconds: as seconds they would lie beyond the year 5000."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = "(?:" + "|".join(_MONTHS) + ")"
_DAY = re.compile(
    rf"\b(?:the )?(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\.?(?: of)? (?P<m1>{_MONTH})[a-z]*\.?,?"
    rf"(?: (?P<y1>\d{{4}}))?|\b(?P<m2>{_MONTH})[a-z]* (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b,?"
    r"(?: (?P<y2>\d{4}))?|\b(?P<y3>\d{4})-(?P<m3>\d{2})-(?P<d3>\d{2})\b"
)
_REVERSED = re.compile(
    r"\b(?:ends?|ending|until|to|finish\w*)\b.{0,40}\b(?:before|earlier|prior)\b|"
    r"\b(?:start|starts|begin\w*|from)\b.{0,40}\b(?:after|later)\b|\b(?:reversed?|swapped|backwards?|"
    r"wrong way round|inverted)\b"
)
_FUTURE = re.compile(
    r"\b(?:future|tomorrow|ahead|next (?:week|month|year|century)|post-?dat\w+|hundred years|"
    r"not yet)\b"
)
_PAST = re.compile(
    r"\b(?:past|yesterday|ago|back-?dat\w+|last (?:week|month|year|century)|already (?:over|gone)|"
    r"behind|earlier than today)\b"
)
_ZONE = re.compile(r"\btime[ -]?zone\w*|\butc\b|\boffsets?\b|\bdaylight|\bdst\b|\bsummer ?time")
_OTHER = re.compile(r"\b(?:another|different|other|foreign)\b.{0,20}\bzone")
_FAR_ZONE = "Pacific/Kiritimati"
"""Fourteen hours ahead of UTC: there it is another day more often than not."""
_LEAP = re.compile(r"\bleap (?:day|year)")
_AHEAD_WORDS = """
    due deadline expire expiry expires delivery deliver schedule appointment booking reservation
    departure valid
"""
_AHEAD = frozenset(stems(_AHEAD_WORDS))
"""Words of moments that lie ahead when they are set."""
_BEHIND = frozenset(
    stems("birth born create created issue issued paid sign signed happened invoice")
)
"""Words of moments that have been."""
_BEGINS = frozenset(stems("start begin from since after"))
_ENDS = frozenset(stems("end until to before finish"))
_TIMES = frozenset(stems("time at timestamp"))
_ZONES = frozenset(stems("zone timezone tz"))


class _Moment(Struct, frozen=True, kw_only=True):
    """A moment that a question means."""

    kind: str
    """`no day`, `day`, `past`, `future`, `zone` or `reversed`."""
    says: str
    text: str
    """As a date, `YYYY-MM-DD`, or as it stands where it is none."""


def time_edge(ground: Ground, operation: OperationProfile, reached: Reached) -> Iterator[Scenario]:
    """The request with the moment that the question means."""
    if _ZONE.search(ground.understood.prompt.lower()):
        yield from cut_in_zone(ground, operation, reached)
    fields = [f for f in input_fields(operation) if _is_moment(f)]
    named = named_field(ground, operation)
    field = named if named in fields else next(iter(fields), None)
    if field is None:
        raise DoesNotApply("it takes no date and no time")
    for moment in islice(_moments(ground, field, fields), EDGES_MAX):
        puts = _puts(moment, field, fields)
        if not puts:
            continue
        expected = _expected(ground, operation, reached, puts, moment)
        title = titles.with_value(operation, puts[0].field.name, moment.says)
        yield valued(ground, operation, reached, puts, title=title, expected=expected)


def _is_moment(field: InputField) -> bool:
    formatted = str(field.constraints.get("format", "")).startswith("date")
    return formatted or bool(set(field.stems) & (MOMENTS | _ZONES))


def _moments(ground: Ground, field: InputField, fields: list[InputField]) -> Iterator[_Moment]:
    low = ground.understood.prompt.lower()
    pair = _pair(field, fields)
    if _REVERSED.search(low) and pair is not None:
        yield _Moment(kind="reversed", says=_before(pair), text="")
    day = _DAY.search(low)
    if day is not None:
        yield _said(day)
    if _LEAP.search(low) and day is None:
        yield _Moment(kind="day", says="on a leap day", text="2028-02-29")
    if _ZONE.search(low):
        if _OTHER.search(low):
            yield _Moment(kind="day", says="far away", text=_FAR_ZONE)
        else:
            yield _Moment(kind="zone", says="that does not exist", text="Nowhere/Atlantis")
    future, past = _FUTURE.search(low), _PAST.search(low)
    if future:
        yield _Moment(kind="future", says="in the future", text=FUTURE.isoformat())
    if past:
        yield _Moment(kind="past", says="in the past", text=PAST.isoformat())
    if not (future or past or day or _ZONE.search(low) or (pair and _REVERSED.search(low))):
        yield _Moment(kind="no day", says="on a day that does not exist", text="2027-02-29")
        behind = bool(set(field.stems) & _BEHIND)
        yield _Moment(
            kind="future" if behind else "past",
            says="in the future" if behind else "in the past",
            text=(FUTURE if behind else PAST).isoformat(),
        )
        if pair is not None:
            yield _Moment(kind="reversed", says=_before(pair), text="")


def _before(pair: tuple[InputField, InputField]) -> str:
    return f"before {' '.join(tokens(pair[1].name))}"


def _said(found: re.Match[str]) -> _Moment:
    day = int(found["d1"] or found["d2"] or found["d3"])
    month_text = found["m1"] or found["m2"]
    month = _MONTHS.index(month_text) + 1 if month_text else int(found["m3"])
    # A year without a leap day, where none is named.
    year = int(found["y1"] or found["y2"] or found["y3"] or 2027)
    text = f"{year:04}-{month:02}-{day:02}"
    try:
        date(year, month, day)
    except ValueError:
        return _Moment(kind="no day", says=f"on {text}", text=text)
    return _Moment(kind="day", says=f"on {text}", text=text)


def _pair(field: InputField, fields: list[InputField]) -> tuple[InputField, InputField] | None:
    """The end and the begin of the window that FIELD is one side of."""
    ends = [f for f in fields if set(f.stems) & _ENDS]
    begins = [f for f in fields if set(f.stems) & _BEGINS]
    for end in ends:
        for begin in begins:
            same = set(end.stems) - _ENDS == set(begin.stems) - _BEGINS
            if same and field in (end, begin):
                return end, begin
    return (ends[0], begins[0]) if ends and begins and field in (*ends, *begins) else None


def _puts(moment: _Moment, field: InputField, fields: list[InputField]) -> list[Put]:
    if moment.kind == "reversed":
        pair = _pair(field, fields)
        if pair is None:
            return []
        end, begin = pair
        values = ((end, date(2024, 5, 1)), (begin, date(2024, 6, 1)))
        return [
            Put(
                field=f,
                edge=EdgeValue(boundary="time", says="", value=_written(f, day.isoformat())),
            )
            for f, day in values
        ]
    if moment.kind == "zone" or moment.text == _FAR_ZONE:
        zones = [f for f in fields if set(f.stems) & _ZONES]
        timed = [f for f in fields if f.constraints.get("format") == "date-time"]
        if not zones and not timed:
            return []
        field = (zones or timed)[0]
        is_zone = bool(zones)
        other = "2024-06-30T12:00:00" + ("+99:00" if moment.kind == "zone" else "+14:00")
        value = moment.text if is_zone else other
        return [Put(field=field, edge=EdgeValue(boundary="time", says="", value=value))]
    if set(field.stems) & _ZONES:
        others = [f for f in fields if not set(f.stems) & _ZONES]
        if not others:
            return []
        field = others[0]
    edge = EdgeValue(boundary="time", says="", value=_written(field, moment.text))
    return [Put(field=field, edge=edge)]


def _written(field: InputField, day: str) -> str | int:
    """DAY as FIELD has moments: a date, a date and time, or a number since the epoch."""
    if field.types and not field.types - {"integer", "number"}:
        # A number stands for some day in any case: the 30th of February is the 2nd of March.
        year, month, of_month = map(int, day.split("-"))
        moment = datetime(year, month, 1, tzinfo=UTC) + timedelta(days=of_month - 1)
        seconds = int(moment.timestamp())
        usual = field.usual
        in_seconds = isinstance(usual, int | float) and 0 < usual < _EPOCH_MS_MIN
        return seconds if in_seconds else seconds * 1000
    form = str(field.constraints.get("format", ""))
    usual = str(field.usual or "")
    if form == "date-time" or (form != "date" and "T" in usual):
        return f"{day}T12:00:00Z"
    timed = "T" in usual or set(field.stems) & _TIMES
    return f"{day}T12:00:00Z" if form != "date" and timed else day


def _expected(
    ground: Ground,
    operation: OperationProfile,
    reached: Reached,
    puts: list[Put],
    moment: _Moment,
) -> Expectation:
    status, how = invalid_status(operation, ground.profile)
    good = success_status(operation)
    reads = operation.operation.method in SAFE_METHODS
    if moment.kind == "no day" and isinstance(puts[0].edge.value, int):
        moment = _Moment(kind="day", says=moment.says, text=moment.text)
    if moment.kind in ("no day", "zone"):
        because = f"{_NO[moment.kind]}; {how}"
        formed = allowed(operation, reached, puts) is False
        return Expectation(
            status=status,
            because=because,
            source="specification" if formed else "convention",
            certain=formed or not reads,
        )
    if moment.kind == "reversed":
        because = f"convention: no time ends before it begins; {how}"
        return Expectation(status=status, because=because, source="convention", certain=False)
    found = expectation(ground, operation, reached, puts)
    if found.refused or reads or moment.kind == "day" or found.source == "captured":
        return found
    field = puts[0].field
    if _SETTLED[moment.kind].search(str(field.schema.get("description", "")).lower()):
        because = f"the specification says so of {field.name}; {how}"
        return Expectation(status=status, because=because, source="specification")
    words = set(field.stems)
    odd = (moment.kind == "past" and words & _AHEAD) or (
        moment.kind == "future" and words & _BEHIND
    )
    if odd and not _was_so(ground, operation, field, moment):
        # A schema has no words for it, and many a service has a rule: whoever asks expects it.
        return Expectation(
            status=status,
            because=f"convention: {field.name} does not lie in the {moment.kind}; {how}",
            source="convention",
            certain=False,
        )
    return Expectation(
        status=good,
        because=f"{found.because}: nothing says that it must not lie in the {moment.kind}",
        source=found.source,
    )


_SETTLED: Mapping[str, re.Pattern[str]] = {
    "past": re.compile(
        r"\b(?:must|has to|have to|needs to|only|cannot|never|not)\b.{0,40}\b(?:future|past|later|"
        r"after (?:today|now)|from (?:today|now)|today or)\b"
    ),
    "future": re.compile(
        r"\b(?:must|has to|have to|needs to|only|cannot|never|not)\b.{0,40}\b(?:past|future|"
        r"earlier|before (?:today|now)|until (?:today|now))\b"
    ),
}
"""What descriptions say where a moment may not lie in the past, or the future."""
_NO: Mapping[str, str] = {
    "no day": "the calendar has no such day (RFC 3339, 5.7)",
    "zone": "there is no such time zone",
}


def _was_so(
    ground: Ground, operation: OperationProfile, field: InputField, moment: _Moment
) -> bool:
    """Whether production took moments that lay before (or behind) the request they came with."""
    for exchange in ground.evidence.of(operation):
        if not 200 <= exchange.response.status < 300:
            continue
        sent = datetime.fromtimestamp(exchange.started_at, UTC)
        for value in values_at(exchange, field.place):
            try:
                day = datetime.fromisoformat(str(value)[:10]).replace(tzinfo=UTC)
            except ValueError:
                continue
            apart = timedelta(days=1)
            if day < sent - apart if moment.kind == "past" else day > sent + apart:
                return True
    return False
