"""Who was let through and who was refused, as recorded traffic shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from premortem.domain.access import ANYONE, NOBODY, AccessRule, Grant
from premortem.domain.template import Matcher
from premortem.domain.traffic import Exchange, Profile

UNKNOWN = "unknown"
"""The role of recorded credentials that nobody knows."""
LACKING_MIN = 3
"""Refusals in an edition, and none let through there, until it is said to lack an operation."""
_Key = tuple[str, str, str]


class Shown(Struct, frozen=True, kw_only=True):
    """How often somebody was answered what."""

    operation_id: str
    role: str
    """`NOBODY`: not signed in."""
    edition: str
    """Empty: the requests do not tell."""
    statuses: Mapping[int, int]

    @property
    def passed(self) -> int:
        """Answers of success."""
        return sum(n for status, n in self.statuses.items() if 200 <= status < 300)


def shown_by(
    exchanges: Iterable[Exchange], profile: Profile, *, edition_header: str = ""
) -> tuple[Shown, ...]:
    """What EXCHANGES of PROFILE show, by operation, role and edition."""
    matcher = Matcher(operation.operation for operation in profile.operations)
    counts: dict[_Key, Counter[int]] = {}
    header = edition_header.lower()
    for exchange in exchanges:
        match = matcher.match_request(exchange.request)
        if match is None or not exchange.response.status:
            continue
        edition = exchange.tags.edition or (exchange.request.header(header) or "" if header else "")
        key = (match.operation.id, exchange.tags.role or NOBODY, edition)
        counts.setdefault(key, Counter())[exchange.response.status] += 1
    return _shown(counts)


def shown_in(profile: Profile) -> tuple[Shown, ...]:
    """The same from PROFILE alone, which counts by role without telling editions."""
    return _shown(
        {
            (o.id, role or NOBODY, ""): Counter({int(s): n for s, n in statuses.items() if n})
            for o in profile.operations
            for role, statuses in o.roles.items()
        }
    )


def _shown(counts: Mapping[_Key, Counter[int]]) -> tuple[Shown, ...]:
    return tuple(
        Shown(operation_id=operation, role=role, edition=edition, statuses=dict(statuses))
        for (operation, role, edition), statuses in sorted(counts.items())
        if role != UNKNOWN
    )


def access_in_traffic(shown: Iterable[Shown], *, document: str) -> tuple[AccessRule, ...]:
    """The access rules that SHOWN amounts to; DOCUMENT names the traffic.

    Who was let through once may do it: refusals had another reason then. Where who is signed in
    and may not gets 403, a 401 is about a token that had ended.
    """
    given = tuple(shown)
    tells_apart = any(s.role != NOBODY and 403 in s.statuses for s in given)
    found: list[AccessRule] = []
    for one in given:
        denied = (401, 403) if one.role == NOBODY or not tells_apart else (403,)
        refused = sum(one.statuses.get(status, 0) for status in denied)
        if one.passed:
            found.append(_rule(one, "allowed", one.passed, document))
        elif refused:
            found.append(_rule(one, "denied", refused, document))
    return (*found, *_lacking(given, document))


def _rule(one: Shown, grant: Grant, support: int, document: str) -> AccessRule:
    answers = ", ".join(f"{n} x {status}" for status, n in sorted(one.statuses.items()))
    return AccessRule(
        operation_id=one.operation_id,
        role=one.role,
        edition=one.edition,
        grant=grant,
        source="traffic",
        document=document,
        said=answers,
        support=support,
    )


def _lacking(shown: tuple[Shown, ...], document: str) -> Iterator[AccessRule]:
    """Editions that refused an operation to roles which others let do it."""
    passing = {(s.operation_id, s.role) for s in shown if s.passed}
    by_edition: dict[tuple[str, str], list[Shown]] = {}
    for one in shown:
        if one.edition:
            by_edition.setdefault((one.operation_id, one.edition), []).append(one)
    for (operation, edition), all_ in by_edition.items():
        refused = sum(s.statuses.get(403, 0) for s in all_ if (operation, s.role) in passing)
        if refused >= LACKING_MIN and not any(s.passed for s in all_):
            yield AccessRule(
                operation_id=operation,
                role=ANYONE,
                edition=edition,
                grant="denied",
                gate="edition",
                source="traffic",
                document=document,
                said=f"{refused} x 403 for roles that other editions let through",
                support=refused,
            )
