"""Pages that are read while others write, changes at once, and rules that were stated."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from premortem.checks import Checker
from premortem.domain.run import Case, Intent, Sent, Verdict
from premortem.domain.stated import PREFIX
from tests.checks.judging import answered, case, operation, profile
from tests.checks.test_with_memory import did

THING = operation()
CHECKER = Checker(profile(THING))


def reading(breaks: str, *, against: int = 0, if_passed: int = -1, certain: bool = True) -> Case:
    intent = Intent(
        kind="adversarial", breaks=breaks, against=against, if_passed=if_passed, certain=certain
    )
    return case(THING, intent=intent)


def page(*names: str) -> Sent:
    return did("GET", 200, {"items": [{"id": name} for name in names], "next": None})


def paged(first: Sent, made: Sent, second: Sent, whole: Sent) -> list[str]:
    given = reading("order pages", against=0, if_passed=2)
    return [v.signature for v in CHECKER.check(given, whole, (first, made, second))]


MADE = did("POST", 201, {"id": "d"})


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ((("a", "b"), ("c", "d"), ("a", "b", "c", "d")), []),
        ((("a", "b"), ("b", "c"), ("d", "a", "b", "c")), ["twice"]),
        ((("a", "b"), ("d", "e"), ("a", "b", "c", "e")), ["left out"]),
        ((("a", "b"), ("c",), ("d", "a", "b", "c")), []),
        (((), ("b",), ("b",)), []),
    ],
    ids=["as it should be", "shifted", "skipped", "new ones come first", "empty"],
)
def test_two_pages_hold_what_one_long_page_holds(pages, said):
    first, second, whole = (page(*names) for names in pages)
    assert paged(first, MADE, second, whole) == said


def test_items_without_identifiers_say_nothing():
    bare = did("GET", 200, {"items": [{"at": 1}, {"at": 2}]})
    assert paged(bare, MADE, bare, bare) == []


def both(*answers: int, shown: dict[str, Any]) -> list[Verdict]:
    bodies = (b'{"email": "a@b.example"}', b'{"name": "Ann"}')
    sent = []
    for status, body in zip(answers, bodies, strict=True):
        one = did("PATCH", status, {})
        request = replace(one.request, body=body, headers=(("content-type", "application/json"),))
        sent.append(replace(one, request=request))
    given = reading("order both changes", against=0, if_passed=1)
    return list(CHECKER.check(given, answered(given, 200, shown), tuple(sent)))


def test_of_two_changes_at_once_both_are_there():
    assert both(200, 200, shown={"id": "7", "email": "a@b.example", "name": "Ann"}) == []
    (lost,) = both(200, 200, shown={"id": "7", "email": "old", "name": "Ann"})
    assert (lost.check, lost.signature) == ("at_one_time", "lost email")


def test_a_change_that_was_refused_is_not_missed():
    assert both(409, 200, shown={"id": "7", "email": "old", "name": "Ann"}) == []
    assert both(200, 412, shown={"id": "7", "email": "old", "name": "old"}) == []


ENTRY = f"{THING.id}: one entry in GET /log?thing={{invoice_id}}"


def logged(before: int, after: int, *, status: int = 200, certain: bool = True) -> list[Verdict]:
    lists = [did("GET", 200, {"items": [{"n": n} for n in range(k)]}) for k in (before, after)]
    given = reading(f"{PREFIX}{ENTRY} because the log tells", certain=certain)
    change = did("POST", status, {})
    return list(CHECKER.check(given, lists[1], (lists[0], change)))


def test_a_change_has_one_entry_and_a_refused_one_has_none():
    assert logged(2, 3) == []
    assert logged(2, 2, status=409) == []
    (none,) = logged(2, 2)
    assert (none.check, none.severity, none.signature) == ("stated_rule", "high", ENTRY)
    assert "because the log tells" in none.evidence
    assert len(logged(2, 4)) == len(logged(2, 3, status=409)) == 1


def test_what_is_only_suspected_is_low():
    (found,) = logged(2, 2, certain=False)
    assert found.severity == "low"
    assert "is suspected because" in found.evidence


def closed(*refusals: Sent, status: int = 200) -> list[Verdict]:
    given = reading("order closed InvoiceLocked", against=1, if_passed=0, certain=False)
    moved = did("POST", 200, {"locked": True})
    return list(CHECKER.check(given, did("POST", status, {"id": "7"}), (moved, *refusals)))


LOCKED = did("POST", 409, {"error": "InvoiceLocked"})


def test_what_passes_where_all_its_siblings_are_refused_is_suspected():
    (found,) = closed(LOCKED, LOCKED, LOCKED)
    assert (found.check, found.severity) == ("closed_state", "low")
    assert closed(LOCKED, LOCKED, LOCKED, status=409) == []


@pytest.mark.parametrize(
    "siblings",
    [
        (LOCKED, LOCKED),
        (LOCKED, LOCKED, LOCKED, did("POST", 200, {"id": "7"})),
        (LOCKED, LOCKED, LOCKED, did("POST", 409, {"error": "NotDraft"})),
        (LOCKED, LOCKED, did("GET", 409, {"error": "InvoiceLocked"})),
    ],
    ids=["too few", "one passes", "another word", "readings do not count"],
)
def test_a_sibling_that_passes_or_says_something_else_ends_the_suspicion(siblings):
    assert closed(*siblings) == []
