"""Operators about one thing: made and read, deleted and used, read before and after what must not
change it, and what others do to theirs meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from premortem.domain.run import SAFE_METHODS, Case, Sequence
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile
from premortem.generate.order_again import keyed
from premortem.generate.order_kit import Kit, is_own, loose
from premortem.generate.replay import UNKNOWN
from premortem.generate.starts import Start
from premortem.generate.steps import Row, tried, unkeyed

CHANGES_MAX = 12
"""Other operations between two readings of one thing, each in a sequence of its own."""
STRANGERS_MAX = 4
"""Visits of others between two readings of one thing."""
DELETIONS_MAX = 4
CREATED = 201
WORKS_MAX = 6
"""Ways to bring about what a list or a report shows."""


def made_and_read(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """What was made with 2xx is there for who made it (RFC 9110, 15.3.2)."""
    # What is below a thing may well be there later than the thing itself.
    template = start.operation.operation.template
    if start.final.request.method != "GET" or not template.endswith("}"):
        return
    for binding in start.final.bindings:
        if binding.place.part != "path":
            continue
        maker = start.setup[binding.step]
        role = start.final.role
        if maker.role != role:
            role = maker.role if kit.passes(maker.role, start.operation) else ""
        if not role and start.operation.secured:
            continue
        row = Row(kit.starts, start.setup[: binding.step + 1])
        final = replace(start.final, role=role)
        if any(b.step > binding.step for b in final.bindings):
            continue
        yield row.ending(
            tried(
                final,
                kit.origin,
                operator="make and read",
                breaks="order read after creation",
                expects="there",
                against=binding.step,
            )
        )


def deleted_and_used(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """The request after what its path names was deleted: it is gone (RFC 9110, 15.5.5), as far as
    production showed it so, or where the very thing is read that was deleted."""
    if not start.setup:
        return
    for deletion in islice(_deletions(kit, start.operation), DELETIONS_MAX):
        row = kit.row(start)
        case = row.on_same(deletion, through=start.final)
        if case is None or not _made_here(row, case, deletion.operation):
            continue
        role = kit.role_for(deletion.operation, start.final.role)
        deleted = row.add(replace(loose(case), role=role))
        pair = (deletion.operation.id, start.operation.id)
        same = start.operation.operation.template == deletion.operation.operation.template
        read = start.final.request.method == "GET" and same
        gone = pair in kit.shown.gone or (read and pair not in kit.shown.kept)
        yield row.ending(
            tried(
                start.final,
                kit.origin,
                operator="late",
                breaks="order after deletion",
                expects="gone" if gone else "answer",
                against=deleted if gone else -1,
            )
        )
        yield _made_anew(kit, row, start)


def _made_anew(kit: Kit, row: Row, start: Start) -> Sequence | None:
    """What was deleted is made once more under its name, then used."""
    made = next((c for c in reversed(start.setup) if c.request.method in ("PUT", "POST")), None)
    if made is None:
        return None
    row = row.copy()
    row.add(loose(unkeyed(made)))
    return row.ending(
        tried(start.final, kit.origin, operator="revive", breaks="order after making it anew")
    )


def _deletions(kit: Kit, operation: OperationProfile) -> Iterator[Start]:
    template = operation.operation.template
    for other in kit.profile.operations:
        deleted = other.operation.template
        own = other.id == operation.id
        if other.operation.method != "DELETE" or not deleted.endswith("}") or own:
            continue
        if template == deleted or template.startswith(deleted + "/"):
            start = kit.recorded(other.id)
            if start is not None:
                yield start


def _made_here(row: Row, case: Case, operation: OperationProfile) -> bool:
    """Whether what CASE deletes is what ROW made, by an answer of its or under that name."""
    last = len(split_template(operation.operation.template)) - 1
    bound = any(b.place.part == "path" and int(b.place.name) == last for b in case.bindings)
    path = case.request.path.rstrip("/")
    return bound or any(
        c.request.method == "PUT" and c.request.path.rstrip("/") == path for c in row.cases
    )


def read_around(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A thing read, then what must not change it, then read again: it is the same.

    A refused request changes nothing; neither does a retry under the key of the first one. What
    is refused is found out by trying: each change twice, and where the second was let through
    nothing is expected.
    """
    if start.final.request.method != "GET" or not is_own(start.final):
        return
    for other in islice(_on_same(kit, start), CHANGES_MAX):
        row = kit.row(other)
        row.add(loose(unkeyed(other.final)))
        read = row.on_same(start)
        if read is None or not is_own(read):
            continue
        first = row.add(loose(read))
        refused = row.add(loose(unkeyed(other.final)))
        yield row.ending(
            tried(
                read,
                kit.origin,
                operator="read around a refusal",
                breaks=f"order {other.operation.id} refused",
                expects="same",
                against=first,
                if_refused=refused,
            )
        )


def read_around_retry(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A thing read after a request with a key, and once more after its retry: it is the same
    (draft-ietf-httpapi-idempotency-key-header-06, 2.6)."""
    if start.final.request.method != "GET" or not is_own(start.final):
        return
    for other in islice(_on_same(kit, start), CHANGES_MAX):
        case = keyed(other.final, other.operation)
        if case is None:
            continue
        row = kit.row(other)
        done = row.add(loose(case))
        read = row.on_same(start)
        if read is None or not is_own(read):
            continue
        first = row.add(loose(read))
        row.add(loose(case))
        yield row.ending(
            tried(
                read,
                kit.origin,
                operator="read around a retry",
                breaks=f"order {other.operation.id} again with one key",
                expects="same",
                against=first,
                if_passed=done,
            )
        )


def _on_same(kit: Kit, start: Start) -> Iterator[Start]:
    """Changing operations that can be done to what START reads, the closest ones first."""
    template = start.operation.operation.template
    found: list[tuple[bool, int, int, Start]] = []
    for other in kit.changing():
        row = kit.row(other)
        row.add(other.final)
        if row.on_same(start) is not None:
            close = other.operation.operation.template != template
            found.append((close, len(other.setup), len(found), other))
    yield from (other for *_, other in sorted(found, key=lambda one: one[:3]))


def interleaved(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """Two visits side by side: what another does to things of its own changes nothing here."""
    if start.final.request.method != "GET" or not is_own(start.final):
        return
    makers = {b.step for b in start.final.bindings}
    # Who names things by themselves would meet in one name; so may who is not told `created`.
    made = [start.setup[step] for step in makers]
    if any(c.request.method != "POST" or c.recorded_status != CREATED for c in made):
        return
    mine = {start.setup[step].operation_id for step in makers}
    for other in islice(_strangers(kit, mine), STRANGERS_MAX):
        row = kit.row(start)
        first = row.add(loose(start.final))
        row.instance(other)
        yield row.ending(
            tried(
                start.final,
                kit.origin,
                operator="interleave",
                breaks="order of two visits",
                expects="same",
                against=first,
            )
        )


def read_after_work(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """What shows things of all, read once there are some: a list, a report."""
    if start.final.request.method != "GET" or "{" in start.operation.operation.template:
        return
    roles = [r for r in sorted(start.operation.roles) if kit.passes(r, start.operation)]
    others = islice(_work(kit, start.operation.operation.template), WORKS_MAX)
    for index, other in enumerate(others):
        row = kit.row()
        row.instance(other)
        for role in roles if index == 0 else [start.final.role]:
            if role and role != UNKNOWN:
                yield row.ending(
                    tried(
                        replace(start.final, role=role, bindings=()),
                        kit.origin,
                        operator="read after work",
                        breaks=f"order after {other.operation.id}",
                    )
                )


def _work(kit: Kit, template: str) -> Iterator[Start]:
    """What is made below TEMPLATE first, then the starts that do the most besides."""
    seen: set[str] = set()
    starts = list(kit.changing())
    for start in starts:
        if start.operation.operation.template == template:
            seen.add(start.operation.id)
            yield start
    left = [(_done(start), start) for start in starts]
    while left:
        left.sort(key=lambda one: -len(one[0] - seen))
        done, start = left.pop(0)
        if not done - seen:
            return
        seen |= done
        yield start


def _done(start: Start) -> set[str]:
    cases = (*start.setup, start.final)
    return {case.operation_id for case in cases if case.request.method not in SAFE_METHODS}


def _strangers(kit: Kit, makers: set[str]) -> Iterator[Start]:
    """Starts that make a thing as MAKERS do and go on to do the most with it."""
    found = []
    for operation in kit.profile.operations:
        start = kit.recorded(operation.id)
        if start is None:
            continue
        cases = (*start.setup, start.final)
        made = [i for i, case in enumerate(cases) if case.operation_id in makers]
        done = {
            case.operation_id
            for case in cases
            if case.request.method not in SAFE_METHODS
            and any(b.step in made for b in case.bindings)
        }
        if made and done and made[0] == min(b.step for c in cases for b in c.bindings):
            found.append((done, start))
    seen: set[str] = set()
    while found:
        found.sort(key=lambda one: (-len(one[0] - seen), len(one[1].setup)))
        done, start = found.pop(0)
        if not done - seen:
            return
        seen |= done
        yield start
