"""Answers that tell nothing, or too much, are asked for again before they count.

A role may be answered something for many reasons: what others did before it, a thing that is not
there, credentials that do not work. What is left over when those are ruled out is leave or denial;
the rest is said to be unknown, with why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from premortem.domain.access import NOBODY, AccessTable, Grant
from premortem.domain.denial import grant_shown, may_hide, shows_denial
from premortem.domain.traffic import OperationProfile, Profile
from premortem.pipeline.observing_looks import Observed, Watching
from premortem.send.patience import TOO_MANY

FRESH_S_MAX = 600.0
"""Seconds that fresh states for second looks may take altogether; then answers count as they
are."""
UNTOLD = "answered {status}, which is neither leave nor denial"
TOO_OFTEN = "answered 429 (too many requests), and waiting did not help"
GONE = "answered 404, and nobody was let through who could show that it is there"
REFUSED_TO_ALL = (
    "answered {status}, as everybody was, {owner} too, who should be let through: what it is about "
    "may not be there"
)
OF_ANOTHER_KIND = (
    "answered 401, as everybody was, whose credentials are taken elsewhere: others, in the request "
    "itself, may be meant"
)
NEVER_TAKEN = "answered 401, and its credentials were taken nowhere; mend [roles.{role}]"


class Doubts:
    """Looks again at what the roles were answered by one operation in one edition."""

    def __init__(
        self,
        *,
        table: AccessTable,
        profile: Profile,
        watching: Watching,
        look: Callable[[Observed], Observed],
        again: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """LOOK: once more at the same. AGAIN: brings the target back to a fresh state; False: there
        is no way to one."""
        self._table, self._profile, self._watching = table, profile, watching
        self._look_again = look
        self._again, self._clock = again, clock
        self._fresh_s = 0.0

    def settled(self, seen: Sequence[Observed]) -> list[Observed]:
        """SEEN, of all roles by one operation in one edition, with what each of it shows."""
        looked = list(seen)
        if _asks_all_to_sign_in(looked):
            return [_unknown(one, OF_ANOTHER_KIND) if one.status else one for one in looked]
        self._doubtful(looked)
        self._refused_to_all(looked)
        self._hidden(looked)
        stopped = {one.role for one in looked if shows_denial(one.status) and not one.why_not}
        if NOBODY in stopped:
            for one in looked:
                if 200 <= one.status < 300 and one.role != NOBODY:
                    self._watching.trust(one.role)
        return [_told(one, _grant(one, looked)) for one in looked]

    def _doubtful(self, looked: list[Observed]) -> None:
        """From a fresh state those that tell nothing, that tell of leave by a conflict alone, and
        that are not as declared."""
        useless = False
        for at, one in enumerate(looked):
            if not one.status or one.status == TOO_MANY or may_hide(one.status, one.operation_id):
                continue
            grant = _grant(one, looked)
            passed = any(200 <= other.status < 300 for other in looked)
            if not grant and useless and not passed:
                continue  # it told nothing of anybody before
            inferred = grant == "allowed" and not 200 <= one.status < 300
            if (not grant or inferred or self._is_against(one, grant)) and self._fresh():
                looked[at] = self._look(one)
                useless = useless or not _grant(looked[at], looked)

    def _is_against(self, one: Observed, grant: Grant) -> bool:
        """Whether ONE, which shows GRANT, is not what is declared."""
        decision = self._table.decide(one.operation_id, one.role, one.edition)
        declared = decision.declared if decision is not None else None
        return declared is not None and declared.grant != grant

    def _refused_to_all(self, looked: list[Observed]) -> None:
        """A thing that is not there is refused to all, by services that do not say so."""
        owner = self._owner(looked)
        if owner is None:
            return
        if self._fresh():
            looked[owner] = self._look(looked[owner])
        passed = 200 <= looked[owner].status < 300
        for at, one in enumerate(looked):
            if passed and at != owner:
                looked[at] = self._look(one)
            elif not passed and one.status and not (one.role == NOBODY and one.status == 401):
                why = REFUSED_TO_ALL.format(status=one.status, owner=looked[owner].role)
                looked[at] = replace(one, why_not=why)

    def _owner(self, looked: Sequence[Observed]) -> int | None:
        """Where in LOOKED the role stands that should have been let through to what all were
        refused; None: there is none."""
        operation = self._profile.operation(looked[0].operation_id) if looked else None
        if operation is None or any(_grant(one, looked) == "allowed" for one in looked):
            return None
        for at, one in enumerate(looked):
            refused = one.role != NOBODY and shows_denial(one.status)
            if refused and self._should_pass(operation, one):
                return at
        return None

    def _should_pass(self, operation: OperationProfile, one: Observed) -> bool:
        """Whether production let ONE's role through, or nobody was seen trying on a thing; and
        nothing that is declared denies it."""
        if self._is_against(one, "allowed"):
            return False
        if not any(_passes(statuses) for statuses in operation.roles.values()):
            return "{" in operation.operation.template
        there = not one.edition or _passes(operation.editions.get(one.edition, {}))
        return there and _passes(operation.roles.get(one.role, {}))

    def _hidden(self, looked: list[Observed]) -> None:
        """404 on a thing that is there, as whoever is let through to it shows, is denial."""
        passing = [at for at, one in enumerate(looked) if 200 <= one.status < 300]
        for at, one in enumerate(looked):
            if not may_hide(one.status, one.operation_id) or one.why_not:
                continue
            looked[at] = self._held(one, looked, passing[0]) if passing else _unknown(one, GONE)

    def _held(self, one: Observed, looked: Sequence[Observed], control: int) -> Observed:
        """ONE, a 404, held against the like request of who is let through, right after it."""
        for fresh in (False, True):
            if fresh and not self._fresh():
                break
            one = self._look(one)
            if not may_hide(one.status, one.operation_id):
                return one
            shown = self._look(looked[control])
            one = replace(one, requests=one.requests + shown.requests - looked[control].requests)
            if 200 <= shown.status < 300:
                return one if one.role == NOBODY else self._watching.own(self._table, one)
        return _unknown(one, GONE)

    def _look(self, one: Observed) -> Observed:
        again = self._look_again(one)
        return replace(again, requests=one.requests + again.requests)

    def _fresh(self) -> bool:
        """A fresh state, where there is a way to one and it has not taken too long already."""
        if self._fresh_s > FRESH_S_MAX:
            return False
        began = self._clock()
        done = self._again()
        self._fresh_s += max(0.0, self._clock() - began)
        return done


class Trust:
    """Holds back what a role was refused until its credentials were taken somewhere.

    A role whose credentials are wrong is answered 401 by everything: that denies it nothing.
    """

    def __init__(self) -> None:
        self._held: dict[str, list[Observed]] = {}
        self._taken: set[str] = {NOBODY}

    def told(self, group: Sequence[Observed]) -> Iterator[Observed]:
        """What may be told of GROUP, one operation in one edition, and of what was held back."""
        asked = {one.role: one for one in group}
        gated = NOBODY not in asked or shows_denial(asked[NOBODY].status)
        for one in group:
            if one.status == 403 or (gated and 200 <= one.status < 300):
                self._taken.add(one.role)
                yield from self._held.pop(one.role, ())
            if one.status == 401 and one.role not in self._taken:
                self._held.setdefault(one.role, []).append(one)
            else:
                yield one

    def rest(self) -> Iterator[Observed]:
        """What was held back to the end."""
        for role, held in self._held.items():
            why = NEVER_TAKEN.format(role=role)
            yield from (replace(one, grant="", why_not=why) for one in held)


def _grant(one: Observed, looked: Sequence[Observed]) -> Grant | Literal[""]:
    """What ONE of LOOKED shows by itself; of a 404 on a thing: denial, unless it says why not."""
    if one.why_not:
        return ""
    stopped = {other.role for other in looked if shows_denial(other.status) and not other.why_not}
    by_role = bool(stopped - {NOBODY})
    return grant_shown(one.status, one.operation_id, gated=bool(stopped), by_role=by_role)


def _asks_all_to_sign_in(looked: Sequence[Observed]) -> bool:
    """Whether even those are told to sign in who are: a log-in with a password that is gone."""
    answered = [one for one in looked if one.status]
    signed_in = [one for one in answered if one.role != NOBODY]
    return len(signed_in) > 1 and all(one.status == 401 for one in answered)


def _told(one: Observed, grant: Grant | Literal[""]) -> Observed:
    if grant or one.why_not:
        return replace(one, grant=grant)
    return _unknown(one, TOO_OFTEN if one.status == TOO_MANY else UNTOLD)


def _unknown(one: Observed, why: str) -> Observed:
    said = f": {one.said}" if one.said and why == UNTOLD else ""
    return replace(one, grant="", why_not=why.format(status=one.status) + said)


def _passes(statuses: Mapping[str, int]) -> bool:
    return any(status[0] == "2" and count for status, count in statuses.items())
