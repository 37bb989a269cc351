"""Values of one type from wherever they were seen: customers' ids, emails, currencies."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from premortem.domain.places import Place
from premortem.domain.relations import Pool
from premortem.domain.template import split_template
from premortem.domain.traffic import VALUES_MAX
from premortem.learn.facts import nouns_at, nouns_of
from premortem.learn.lexical import singular, words_in
from premortem.learn.values import Scalars

POOLS_MAX = 300
POOL_DISTINCT_MAX = 20_000
"""Distinct values counted per pool; later ones are not."""
PLACES_MAX = 100
"""Places named per pool, those that come first."""
FORMATS = frozenset({"email", "ipv4", "uri"})
"""Formats whose values make a pool of their own, whatever their fields are called."""
CODE_LENGTH = 3
"""Letters of a currency's code."""

_ID_ENDINGS = frozenset({"id", "ids", "uid", "uuid", "guid", "key", "ref", "reference"})
_CURRENCIES = frozenset(
    re.findall(
        "[A-Z]{3}",
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL "
        "BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP "
        "ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR "
        "IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
        "LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR "
        "NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD "
        "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
        "USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG ",
    )
)
"""ISO 4217, active codes."""
_TYPE_WORDS = {
    **dict.fromkeys(("country", "nationality"), "country"),
    **dict.fromkeys(("language", "locale", "lang"), "language"),
    **dict.fromkeys(("timezone", "tz"), "timezone"),
    **dict.fromkeys(("currency",), "currency"),
}
"""Last word of a key -> the type its values have."""


@dataclass(slots=True)
class _Gathered:
    """A pool in the making."""

    format: str = ""
    values: Counter[str] = field(default_factory=Counter)
    places: dict[tuple[str, str], None] = field(default_factory=dict)
    used: int = 0


Source = tuple[str, Place, Scalars]
"""(operation id, place, what was seen there)."""


def find_pools(sources: Iterable[tuple[str, Source]]) -> tuple[Pool, ...]:
    """The pools of SOURCES, each with its operation's template; most used first.

    Redacted values are in none: `Scalars` does not keep them.
    """
    pools: defaultdict[tuple[str, str], _Gathered] = defaultdict(_Gathered)
    for template, (operation_id, place, scalars) in sources:
        if not _speaks(place, scalars):
            continue
        values = scalars.counts()
        for name, form in _types(place, template, scalars, values) if values else ():
            pool = pools[name, _kind(scalars)]
            pool.format = pool.format or form
            pool.used += sum(values.values())
            if len(pool.places) < PLACES_MAX:
                pool.places[operation_id, str(place)] = None
            for value, count in values.items():
                if value in pool.values or len(pool.values) < POOL_DISTINCT_MAX:
                    pool.values[value] += count
    for gathered in pools.values():
        del gathered.values['""']
    made = [_pool(name, gathered) for (name, _), gathered in pools.items() if gathered.values]
    # one place alone is a pool only where a format says what its values are
    kept = [pool for pool in made if len(pool.places) > 1 or pool.name in _NAMED]
    return ranked(kept)


def ranked(pools: Iterable[Pool]) -> tuple[Pool, ...]:
    """POOLS, most used first, at most POOLS_MAX."""
    used = sorted(pools, key=lambda p: (-sum(n for _, n in p.values), p.name, p.format))
    return tuple(used[:POOLS_MAX])


_NAMED = frozenset({*_TYPE_WORDS.values(), *FORMATS})


def _pool(name: str, gathered: _Gathered) -> Pool:
    ordered = sorted(gathered.values.items(), key=lambda pair: (-pair[1], pair[0]))
    return Pool(
        name=name,
        format=gathered.format,
        values=tuple(ordered[:VALUES_MAX]),
        distinct=len(gathered.values),
        places=tuple(gathered.places),
    )


def _speaks(place: Place, scalars: Scalars) -> bool:
    """Whether name or values of PLACE may say what type they are, at a glance."""
    if scalars.format in FORMATS or scalars.length_min == scalars.length_max == CODE_LENGTH:
        return True
    words = words_in(next((t for t in reversed(place.tokens) if t != "*"), ""))
    return bool(words) and (words[-1] in _ID_ENDINGS or singular(words[-1]) in _TYPE_WORDS)


def _kind(scalars: Scalars) -> str:
    """Numbers and texts of one name are two types."""
    numbers = scalars.types["integer"] + scalars.types["number"]
    return "number" if numbers * 2 > scalars.total else "text"


def _types(
    place: Place, template: str, scalars: Scalars, values: dict[str, int]
) -> Iterator[tuple[str, str]]:
    """(name, format) of the pools that values at PLACE belong in."""
    form = scalars.format
    if form in FORMATS:
        yield form, form
        return
    named = [name for name in place.tokens if name != "*"]
    words = words_in(named[-1]) if named else ()
    known = _TYPE_WORDS.get(singular(words[-1])) if words else None
    if known == "currency" or (known is None and _are_currencies(values)):
        if _are_currencies(values):
            yield "currency", ""
    elif known is not None:
        if _mostly(values, _LOOKS[known]):
            yield known, ""
    elif words and words[-1] in _ID_ENDINGS and not scalars.types["boolean"]:
        around = _collection(template) if place.part == "body" else ()
        nouns = nouns_at(tuple(place.tokens), around)
        if nouns and nouns[0] and nouns[0] not in _ID_ENDINGS:
            yield nouns[0].removesuffix("_id") + "_id", form


_LOOKS = {
    "country": re.compile(r"[A-Z]{2,3}|[A-Z][A-Za-z' -]{3,}"),
    "language": re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*"),
    "timezone": re.compile(r"UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_+-]+(/[A-Za-z_]+)?|[+-]\d\d:?\d\d"),
}
"""What values of these types look like: ISO 3166, BCP 47, the IANA database."""


def _mostly(values: dict[str, int], looks: re.Pattern[str]) -> bool:
    """Whether nine in ten values look like that."""
    texts = [json.loads(value) for value in values]
    return sum(bool(looks.fullmatch(str(text))) for text in texts) >= 0.9 * len(texts)


def _collection(template: str) -> tuple[str, ...]:
    """What TEMPLATE's things are called; empty where its last word may be an action.

    A word is a collection's when a parameter follows it, or when it is a plural.
    """
    segments = split_template(template)
    at = max((i for i, segment in enumerate(segments) if "{" not in segment), default=-1)
    if at < 0:
        return ()
    words = words_in(segments[at])
    plural = bool(words) and singular(words[-1]) != words[-1]
    return nouns_of(template)[:1] if plural or at + 1 < len(segments) else ()


def _are_currencies(values: dict[str, int]) -> bool:
    """Whether nine in ten values are codes of currencies, of which there are several."""
    codes = [value for value in values if json.loads(value) in _CURRENCIES]
    return len(codes) > 1 and len(codes) >= 0.9 * len(values)
