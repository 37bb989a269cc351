"""What a correct service should answer, and how we know.

Where several sources speak, what production did wins over what the specification says, and
both over what siblings do and over convention. Every expectation says where it comes from.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from premortem.agent.failure_modes import ANONYMOUS
from premortem.agent.inputs import InputField
from premortem.agent.words import stems
from premortem.domain.bodies import at, leaves, read_body, readings
from premortem.domain.once import names_one_request
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, OperationProfile, Profile, Request, Response

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.:-]?[A-Za-z0-9]+)*")
CODE_LENGTH_MAX = 60
FACTS_MAX = 2
"""Fields of a captured refusal that a scenario asks for beside the status."""
_INVALID = (422, 400)
_DENIED = (403, 401)


class Expectation(Struct, frozen=True, kw_only=True):
    """The outcome that a scenario asks for."""

    status: int
    because: str
    """In words, for a person: where it comes from."""
    source: Literal["captured", "specification", "roles", "sibling", "convention"]
    facts: tuple[tuple[str, str], ...] = ()
    """(JSON pointer, text) of the answer that hold as well."""
    own_reason: bool = False
    """The facts were never captured with another kind of request: they name this very cause."""
    certain: bool = True
    """Nothing known speaks against it. Otherwise an answer that differs is no finding."""

    @property
    def refused(self) -> bool:
        """A correct service refuses."""
        return self.status >= 400


class Evidence:
    """The captured exchanges, by operation and in their order."""

    def __init__(self, profile: Profile, exchanges: Mapping[str, Exchange]) -> None:
        self.profile = profile
        matcher = Matcher(o.operation for o in profile.operations)
        self._by_operation: dict[str, list[Exchange]] = defaultdict(list)
        for exchange in sorted(exchanges.values(), key=lambda e: e.started_at):
            found = matcher.match_request(exchange.request)
            if found is not None:
                self._by_operation[found.operation.id].append(exchange)

    def of(self, operation: OperationProfile) -> list[Exchange]:
        """The captured exchanges of OPERATION, oldest first."""
        return self._by_operation.get(operation.id, [])


def of_repetition(operation: OperationProfile, evidence: Evidence) -> Expectation:
    """What OPERATION should answer to a request that it answered well a moment before."""
    return (
        _captured_repetition(evidence.of(operation))
        or _conflict(operation)
        or _sibling_conflict(operation, evidence.profile)
        or _repetition_by_convention(operation)
    )


def _captured_repetition(exchanges: list[Exchange]) -> Expectation | None:
    """From equal requests that production sent one after the other.

    A retry under the same idempotency key is no repetition: it is to have no effect.
    """
    before: dict[tuple[str, ...], Exchange] = {}
    seconds: list[Exchange] = []
    others: list[Exchange] = []
    for exchange in exchanges:
        request = exchange.request
        key = (request.path, repr(request.query), request.body.hex(), exchange.tags.role)
        repeats = key in before and 200 <= before[key].response.status < 300
        if repeats and _same_key(request, before[key].request):
            continue
        (seconds if repeats else others).append(exchange)
        if exchange.response.status < 400:
            before[key] = exchange
    refused = [e for e in seconds if 400 <= e.response.status < 500]
    answered = [e for e in seconds if 200 <= e.response.status < 300]
    chosen = refused or answered
    if not chosen:
        return None
    status, count = Counter(e.response.status for e in chosen).most_common(1)[0]
    alike = [e.response for e in chosen if e.response.status == status]
    facts = _facts(alike) if refused else ()
    elsewhere = (set(facts) <= set(_codes(e.response)) for e in others)
    mixed = bool(refused and answered)
    but = f", and let {len(answered)} others through" if mixed else ""
    return Expectation(
        status=status,
        because=f"production answered {status} to repetitions ({count} captured){but}",
        source="captured",
        facts=facts,
        own_reason=bool(facts) and not answered and not any(elsewhere),
        certain=not mixed,
    )


def _same_key(request: Request, other: Request) -> bool:
    """Whether both come with one idempotency key."""
    keys = [v for name, v in request.headers if names_one_request(name)]
    return bool(keys) and keys == [v for name, v in other.headers if names_one_request(name)]


def _takes_amounts(operation: OperationProfile) -> bool:
    """Whether a request says how much: half of something can be taken twice, all of it once."""
    return any(
        f.place.part == "body" and f.numbers is not None and not f.enumeration
        for f in operation.fields
    )


def _conflict(operation: OperationProfile) -> Expectation | None:
    """A 409 for whatever reason; for POST only: the others may be repeated, and say so."""
    if operation.operation.method != "POST":
        return None
    captured = [a for a in operation.answers if a.status == 409 and a.count]
    if captured:
        return Expectation(
            status=409,
            because=f"production answered 409 to this operation ({captured[0].count} captured)",
            source="captured",
            certain=not _takes_amounts(operation),
        )
    if 409 in operation.declared:
        return Expectation(
            status=409,
            because="the specification declares 409",
            source="specification",
            certain=not _takes_amounts(operation),
        )
    return None


def _sibling_conflict(operation: OperationProfile, profile: Profile) -> Expectation | None:
    """Operations of the same method that refuse conflicts, where the specification is no help."""
    if operation.operation.method != "POST":
        return None
    siblings = [
        o
        for o in profile.operations
        if o.operation.method == "POST"
        and o.id != operation.id
        and any(a.status == 409 and a.count for a in o.answers)
    ]
    if not siblings or (operation.in_spec and _lists_refusals(operation)):
        return None
    return Expectation(
        status=409,
        because=f"{siblings[0].id} answers conflicts with 409",
        source="sibling",
        certain=not _takes_amounts(operation),
    )


def _lists_refusals(operation: OperationProfile) -> bool:
    return any(400 <= status < 500 for status in operation.declared)


def _repetition_by_convention(operation: OperationProfile) -> Expectation:
    method = operation.operation.method
    if method == "DELETE" and (404 in operation.declared or _captured(operation, 404)):
        return Expectation(
            status=404,
            because="what is deleted is gone: the operation knows 404",
            source="specification" if 404 in operation.declared else "captured",
        )
    status = success_status(operation)
    if method == "PATCH":
        why = "the same change again changes nothing"
    elif method in ("PUT", "DELETE"):
        why = f"{method} is idempotent (RFC 9110, 9.2.2)"
    else:
        why = "nothing known says that a repetition is refused, so it counts as a new request"
    return Expectation(status=status, because=f"convention: {why}", source="convention")


def success_status(operation: OperationProfile) -> int:
    """What OPERATION answers when all is well: as captured, declared, or by convention."""
    captured = [a for a in operation.answers if 200 <= a.status < 300 and a.count]
    if captured:
        return max(captured, key=lambda a: a.count).status
    usual = 201 if operation.operation.method == "POST" else 200
    declared = sorted(status for status in operation.declared if 200 <= status < 300)
    return usual if usual in declared or not declared else declared[0]


def of_role(
    operation: OperationProfile, role: str, evidence: Evidence, *, roles: Iterable[str]
) -> Expectation:
    """What OPERATION should answer to ROLE (`anonymous`: to nobody signed in)."""
    return (
        _captured_role(operation, role, evidence)
        or _named_roles(operation, role, roles)
        or _open_to_all(operation)
        or _known_denial(operation, _denial(role))
        or _elsewhere(operation, role, evidence.profile)
        # 403 is for who is signed in, 401 for who is not; services and documents mix them up.
        or _known_denial(operation, 403 if role == ANONYMOUS else 401)
        or Expectation(
            status=_denial(role),
            because="convention: the role was never seen doing this (RFC 9110, 15.5)",
            source="convention",
        )
    )


def _captured_role(
    operation: OperationProfile, role: str, evidence: Evidence
) -> Expectation | None:
    name = "" if role == ANONYMOUS else role
    counts = {int(s): n for s, n in operation.roles.get(name, {}).items() if n}
    denied = {s: n for s, n in counts.items() if s in _DENIED}
    allowed = {s: n for s, n in counts.items() if 200 <= s < 300}
    if not denied and not allowed:
        return None
    # A role that is let through sometimes may do it: its denials had other reasons.
    chosen = allowed or denied
    status = max(chosen, key=lambda s: chosen[s])
    alike = [
        e.response
        for e in evidence.of(operation)
        if e.tags.role == name and e.response.status == status
    ]
    return Expectation(
        status=status,
        because=f"production answered {status} to {role} ({chosen[status]} captured)",
        source="captured",
        facts=_facts(alike) if status >= 400 else (),
    )


def _named_roles(
    operation: OperationProfile, role: str, roles: Iterable[str]
) -> Expectation | None:
    """From a summary like `Approve an invoice (FinanceManager, CFO)`."""
    said = stems(operation.summary)
    named = [r for r in roles if _within(stems(r), said)]
    if not named or role == ANONYMOUS:
        return None
    if role in named:
        return Expectation(
            status=success_status(operation),
            because=f"the specification's summary names {role}",
            source="roles",
        )
    return Expectation(
        status=403,
        because=f"the specification's summary names {', '.join(named)} only",
        source="roles",
    )


def _within(part: list[str], whole: list[str]) -> bool:
    span = len(part)
    return bool(part) and any(whole[i : i + span] == part for i in range(len(whole) - span + 1))


def _open_to_all(operation: OperationProfile) -> Expectation | None:
    """Nobody was ever refused, signed in or not, and the specification knows no refusal."""
    seen = {role: counts for role, counts in operation.roles.items() if role != "unknown"}
    everyone = len(seen) >= 2 and all(any(s[0] == "2" for s in c) for c in seen.values())
    refuses = any(_captured(operation, s) or s in operation.declared for s in _DENIED)
    if everyone and "" in seen and not operation.secured and not refuses:
        return Expectation(
            status=success_status(operation),
            because="production let everybody do this, signed in or not",
            source="captured",
        )
    return None


def _known_denial(operation: OperationProfile, status: int) -> Expectation | None:
    """STATUS, if production answered it to somebody here or the specification declares it."""
    if _captured(operation, status):
        return Expectation(
            status=status,
            because=f"production answered {status} to other callers of this operation",
            source="captured",
        )
    if status in operation.declared:
        return Expectation(
            status=status,
            because=f"the specification declares {status}",
            source="specification",
        )
    return None


def _elsewhere(operation: OperationProfile, role: str, profile: Profile) -> Expectation | None:
    """What the role was answered by operations that change data, or read it, alike."""
    name = "" if role == ANONYMOUS else role
    safe = operation.operation.method in SAFE_METHODS
    counts: Counter[int] = Counter()
    for other in profile.operations:
        if (other.operation.method in SAFE_METHODS) == safe:
            counts.update({int(s): n for s, n in other.roles.get(name, {}).items()})
    denied = {s: n for s, n in counts.items() if s in _DENIED}
    allowed = sum(n for s, n in counts.items() if 200 <= s < 300)
    if not denied or sum(denied.values()) < allowed:
        return None
    status = max(denied, key=lambda s: denied[s])
    return Expectation(
        status=status,
        because=f"production answered {status} to {role} for operations like this",
        source="sibling",
    )


def _denial(role: str) -> int:
    return 401 if role == ANONYMOUS else 403


def of_value(
    operation: OperationProfile,
    field: InputField,
    *,
    present: bool,
    value: Any,
    valid: bool | None,
    evidence: Evidence,
) -> Expectation:
    """What OPERATION should answer when FIELD holds VALUE, or is absent where not PRESENT.

    VALID: what the schema says of the request, None where there is none.
    """
    exchanges = evidence.of(operation)
    captured = _captured_value(exchanges, field.place, present=present, value=value)
    if captured is not None:
        return captured
    if valid and field.declared:
        return Expectation(
            status=success_status(operation),
            because="the specification allows it",
            source="specification",
        )
    status, how = _invalid_status(operation, evidence.profile)
    if valid is False and (field.declared or operation.request_source == "spec"):
        because = f"the specification forbids it; {how}"
        return Expectation(status=status, because=because, source="specification")
    if _is_usual(exchanges, field.place, present=present, value=value):
        return Expectation(
            status=success_status(operation),
            because="production was answered well with values like it",
            source="captured",
        )
    if valid and not _was_checked(exchanges, field.place):
        return Expectation(
            status=success_status(operation),
            because="convention: nothing known forbids it",
            source="convention",
        )
    because = f"convention: production never sends it; {how}"
    return Expectation(status=status, because=because, source="convention")


def _captured_value(
    exchanges: Iterable[Exchange], place: Place, *, present: bool, value: Any
) -> Expectation | None:
    alike = [e for e in exchanges if _holds(e, place, present=present, value=value)]
    answered = [e for e in alike if 200 <= e.response.status < 300]
    refused = [e for e in alike if e.response.status in (*_INVALID, 409)]
    chosen = answered or refused
    if not chosen:
        return None
    status, count = Counter(e.response.status for e in chosen).most_common(1)[0]
    return Expectation(
        status=status,
        because=f"production answered {status} to the same value ({count} captured)",
        source="captured",
    )


def _is_usual(exchanges: Iterable[Exchange], place: Place, *, present: bool, value: Any) -> bool:
    """Whether requests that were answered well held values like this there, or none."""
    good = [e for e in exchanges if 200 <= e.response.status < 300]
    held = [found for e in good for found in _values_at(e, place)]
    if not present:
        return len(held) < len(good)
    return _is_within(value, held)


def _was_checked(exchanges: Iterable[Exchange], place: Place) -> bool:
    """Whether production refused a request whose value there was like none that it took."""
    exchanges = list(exchanges)
    good = [e for e in exchanges if 200 <= e.response.status < 300]
    held = [found for e in good for found in _values_at(e, place)]
    for exchange in exchanges:
        if exchange.response.status in _INVALID:
            found = _values_at(exchange, place)
            if not all(_is_within(value, held) for value in found):
                return True
    return False


def _is_within(value: Any, held: list[Any]) -> bool:
    """Whether VALUE is like one of HELD: a number between them, a text as long as them."""
    if isinstance(value, bool) or value is None:
        return value in held
    if isinstance(value, int | float):
        numbers = [v for v in held if isinstance(v, int | float) and not isinstance(v, bool)]
        return bool(numbers) and min(numbers) <= value <= max(numbers)
    if isinstance(value, str | list | dict):
        sizes = [len(v) for v in held if isinstance(v, type(value))]
        return bool(sizes) and min(sizes) <= len(value) <= max(sizes)
    return False


def _values_at(exchange: Exchange, place: Place) -> list[Any]:
    if place.part == "query":
        texts = [text for name, text in exchange.request.query if name == place.name]
        return [readings(text)[0] for text in texts]
    try:
        return [at(read_body(exchange.request), place.tokens)]
    except (ValueError, LookupError, TypeError):
        return []


def _holds(exchange: Exchange, place: Place, *, present: bool, value: Any) -> bool:
    if place.part == "query":
        texts = [text for name, text in exchange.request.query if name == place.name]
        return (str(value) in texts) if present else not texts
    try:
        found = at(read_body(exchange.request), place.tokens)
    except ValueError:
        return False
    except (LookupError, TypeError):
        return not present
    return present and type(found) is type(value) and bool(found == value)


def _invalid_status(operation: OperationProfile, profile: Profile) -> tuple[int, str]:
    """The status for requests that cannot be processed, and how that is known."""
    own = {status: _captured(operation, status) for status in _INVALID}
    if any(own.values()):
        status = max(own, key=lambda s: own[s])
        return status, f"production answered {status} to other bad requests of this operation"
    declared = [status for status in _INVALID if status in operation.declared]
    used = {s: sum(_captured(o, s) for o in profile.operations) for s in _INVALID}
    if len(declared) == 1:
        return declared[0], f"the specification declares {declared[0]}"
    if any(used.values()):
        status = max(used, key=lambda s: used[s])
        return status, f"the service answers bad requests with {status}"
    spoken = {s: sum(s in o.declared for o in profile.operations) for s in _INVALID}
    status = declared[0] if declared else max(spoken, key=lambda s: spoken[s])
    if any(spoken.values()):
        return status, f"the specification uses {status} for bad requests"
    return 400, "400 is what RFC 9110, 15.5.1 has for it"


def _captured(operation: OperationProfile, status: int) -> int:
    return sum(a.count for a in operation.answers if a.status == status)


def _facts(responses: list[Response]) -> tuple[tuple[str, str], ...]:
    """Codes that all RESPONSES hold alike, such as `/error` = `DuplicateRefund`."""
    if not responses:
        return ()
    common = dict(_codes(responses[0]))
    for response in responses[1:]:
        common = {p: c for p, c in _codes(response) if common.get(p) == c}
    return tuple(common.items())[:FACTS_MAX]


def _codes(response: Response) -> Iterator[tuple[str, str]]:
    try:
        value = read_body(response)
    except (ValueError, msgspec.DecodeError):
        return
    for place, leaf in leaves(value):
        coded = isinstance(leaf, str) and len(leaf) <= CODE_LENGTH_MAX and _CODE.fullmatch(leaf)
        # An id is no code: codes are words, ids hold digits.
        if coded and not any(c.isdigit() for c in leaf) and len(place.tokens) <= 2:
            yield place.name, leaf
