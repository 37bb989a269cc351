"""An answer in which a calculation or an order that production always kept does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from premortem.checks.check import Check, Known, Severity, succeeded
from premortem.checks.learned import Learned
from premortem.checks.refusal import refuses
from premortem.checks.selecting import NOTHING, below
from premortem.checks.usual import decimals, is_usual
from premortem.domain.moments import epoch_seconds, moment_of
from premortem.domain.places import Place, body_place
from premortem.domain.relations import Rule
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Field, Request

NAME = "broken_rule"

VERDICTS_MAX = 5
"""Rules that one answer is told to break."""
SURE_SUPPORT_MIN = 100
"""Messages from which a calculation that does not hold is grave."""
NUMBER_MAX = 1e12
"""Larger numbers lose their cents on the way (IEEE 754)."""
RELATIVE = 1e-9
DAY_S = 86_400.0
QUERY_SEEN_MIN = 5
"""Requests that must have named a query parameter before answers to it are judged as wholes."""


def judge(case: Case, sent: Sent, known: Known, _before: Before) -> Iterator[Verdict]:
    """A 2xx answer against the learned rules of its fields (see `Rule`).

    A message that holds something production never showed (another state, a first discount, more
    items than ever) may follow other rules, and is left alone.
    """
    response = sent.response
    learned = known.learned.get(response.status) if response is not None else None
    if response is None or learned is None or not learned.rules or not succeeded(response):
        return
    body = learned.bodies.of(response)
    if body is NOTHING or refuses(response):
        return
    found = 0
    for rule in learned.rules:
        broken = _broken(rule, body, learned, case, sent.request)
        if broken and found < VERDICTS_MAX:
            found += 1
            yield Verdict(
                check=NAME,
                title=_title(rule),
                signature=f"{rule.kind} {' '.join(place.name for place in rule.places)}",
                evidence=f"{broken}; it held in all {rule.support} recorded answers looked at",
                severity=_severity(rule),
            )


def holds(body: Any, learned: Learned) -> bool:
    """Whether BODY certainly keeps all rules."""
    return not any(
        _off(rule, part, learned) for rule in learned.rules for part in _parts(rule, body)
    )


def _broken(rule: Rule, body: Any, learned: Learned, case: Case, request: Request) -> str:
    """How BODY breaks RULE, in words; empty when it does not, or may."""
    for part in _parts(rule, body):
        said = _off(rule, part, learned)
        if said and not _novel(rule, part, learned) and not _narrowed(rule, case, request, learned):
            return said
    return ""


def _parts(rule: Rule, body: Any) -> list[dict[str, Any]]:
    """What RULE speaks of: the message, or each item where all places are within one."""
    tops = [place.tokens for place in rule.places]
    if rule.kind == "count" or not all("*" in tokens for tokens in tops):
        return [body] if isinstance(body, dict) else []
    around = tops[0][: tops[0].index("*") + 1]
    return [item for item in below(body, around) if isinstance(item, dict)]


def _within(place: Place, rule: Rule) -> tuple[str, ...]:
    """PLACE's tokens below what `_parts` gives."""
    tokens = place.tokens
    if rule.kind != "count" and all("*" in p.tokens for p in rule.places):
        return tokens[tokens.index("*") + 1 :]
    return tokens


def _off(rule: Rule, part: dict[str, Any], learned: Learned) -> str:
    """How PART breaks RULE, in words, whatever else it holds; empty when it does not."""
    values = [below(part, _within(place, rule)) for place in rule.places]
    match rule.kind:
        case "sum" | "product":
            return _miscalculated(rule, values, learned)
        case "order":
            return _unordered(rule, values)
        case "equal":
            return _unequal(rule, values)
        case "count":
            count, items = values[0], values[1]
            if len(count) != 1 or type(count[0]) is not int or not _is_list(items):
                return ""
            off = count[0] != len(items[0])
            return f"{_name(rule, 0)} is {count[0]}, with {len(items[0])} items" if off else ""
        case "requires":
            lacking = [i for i, there in enumerate(values) if not there]
            if not values[0] or not lacking:
                return ""
            return f"{_name(rule, 0)} is there without {_name(rule, lacking[0])}"


def _is_list(values: list[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], list)


def _miscalculated(rule: Rule, values: list[list[Any]], learned: Learned) -> str:
    numbers = [_number(value) for several in values for value in several]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or not all(values) or len(values[0]) != 1:
        return ""
    total, rest = known[0], known[1:]
    if rule.kind == "sum":
        wanted = sum(rest)
    else:
        wanted = 1.0
        for number in rest:
            wanted *= number
    if max(map(abs, known)) > NUMBER_MAX:
        return ""
    field = learned.fields.get(str(rule.places[0]))
    digits = field.numbers.decimals if field is not None and field.numbers is not None else 0
    # One more half unit for each term that may itself have been rounded.
    slack = 0.5 * 10**-digits * (1.01 if rule.kind == "product" else 0.02 * len(rest))
    if abs(total - wanted) <= slack + RELATIVE * max(1.0, abs(total)):
        return ""
    word = "sum" if rule.kind == "sum" else "product"
    return f"{_name(rule, 0)} is {total:g}, the {word} of the others {round(wanted, 6):g}"


def _number(value: Any) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _unordered(rule: Rule, values: list[list[Any]]) -> str:
    if any(len(several) != 1 for several in values):
        return ""
    first, second = (_moment(several[0]) for several in values[:2])
    if first is None or second is None:
        return ""
    small, large = first[0], second[0]
    if first[1] != second[1]:
        small, large = small // DAY_S, large // DAY_S
    return f"{_name(rule, 0)} is after {_name(rule, 1)}" if small > large else ""


def _moment(value: Any) -> tuple[float, bool] | None:
    """VALUE as (number, whether it is a day only)."""
    if isinstance(value, str):
        return moment_of(value)
    number = _number(value)
    if number is None:
        return None
    seconds = epoch_seconds(number)
    return (number if seconds is None else seconds, False)


def _unequal(rule: Rule, values: list[list[Any]]) -> str:
    flat = [value for several in values for value in several]
    if not all(values) or any(isinstance(value, dict | list) or value is None for value in flat):
        return ""
    return (
        f"{_name(rule, 0)} and {_name(rule, 1)} differ" if any(v != flat[0] for v in flat) else ""
    )


def _novel(rule: Rule, part: dict[str, Any], learned: Learned) -> bool:
    """Whether PART holds, beside the rule's places, what production never showed."""
    spread = {place.tokens for place in rule.places}
    for parent in {tokens[:-1] for tokens in spread}:
        inner = _within(body_place(*parent), rule) if _is_inside(parent, rule) else ()
        for around in below(part, inner):
            if not isinstance(around, dict):
                continue
            for key, value in around.items():
                place = (*parent, key)
                if place not in spread and _is_new(value, learned.fields.get(_key(place))):
                    return True
    return any(_longer(place, part, rule, learned) for place in rule.places)


def _is_inside(tokens: tuple[str, ...], rule: Rule) -> bool:
    return "*" in tokens or not all("*" in place.tokens for place in rule.places)


def _key(tokens: tuple[str, ...]) -> str:
    return str(body_place(*tokens))


def _is_new(value: Any, field: Field | None) -> bool:
    """Whether production never had the like of VALUE there: a field, a state, a sign, null."""
    if isinstance(value, list | dict):
        return False
    if field is None:
        return True
    if value is None:
        return "null" not in field.types
    if isinstance(value, bool):
        return str(value).lower() not in dict(field.values)
    if isinstance(value, int | float):
        if field.numbers is None:
            return True
        low, high = field.numbers.quantiles[0], field.numbers.quantiles[-1]
        return (low == high == 0 != value) or low >= 0 > value
    if "string" not in field.types:
        return True
    return field.enumeration and not is_usual(value, field)


def _longer(place: Place, part: dict[str, Any], rule: Rule, learned: Learned) -> bool:
    """Whether an array that PLACE is in, or is, has more items than ever seen, or a number there
    more digits."""
    tokens = place.tokens
    field = learned.fields.get(str(place))
    values = below(part, _within(place, rule))
    if field is not None and field.numbers is not None:
        digits = max((decimals(v) for v in values if isinstance(v, float)), default=0)
        if digits > field.numbers.decimals:
            return True
    array = tokens[: tokens.index("*")] if "*" in tokens else tokens
    if "*" in tokens and all("*" in p.tokens for p in rule.places):
        return False  # each item is judged for itself
    known = learned.fields.get(_key(array))
    most = known.length_max if known is not None and "array" in known.types else 0
    return any(isinstance(found, list) and len(found) > most for found in below(part, array))


def _narrowed(rule: Rule, case: Case, request: Request, learned: Learned) -> bool:
    """Whether REQUEST asked for less than all, or in a way that production hardly used."""
    place = case.intent.place
    if place is not None and place.part == "query":
        return True
    listed = rule.kind == "count" or any("*" in p.tokens for p in rule.places)
    for name, text in request.query:
        field = learned.asked.get(f"query:{name}")
        if field is None or field.seen < QUERY_SEEN_MIN:
            return True
        if listed and text.isdigit():
            return True  # a page
    return False


def _name(rule: Rule, index: int) -> str:
    return f"`{rule.places[index].name}`"


def _title(rule: Rule) -> str:
    names = [f"`{place.name}`" for place in rule.places]
    first, rest = names[0], " and ".join(names[1:])
    match rule.kind:
        case "sum":
            return f"{first} is not the sum of {rest}"
        case "product":
            return f"{first} is not the product of {rest}"
        case "order":
            return f"{first} is after {rest}"
        case "equal":
            return f"{first} is not the same as {rest}"
        case "count":
            return f"{first} is not the number of items in {rest}"
        case "requires":
            return f"{first} comes without {rest}"


def _severity(rule: Rule) -> Severity:
    if rule.kind in ("equal", "requires"):
        return "low"
    return "high" if rule.kind != "order" and rule.support >= SURE_SUPPORT_MIN else "medium"


CHECK = Check(
    name=NAME,
    description="fields of an answer break a sum, product, count or order that they always kept",
    severity="medium",
    judge=judge,
)
