"""Checks that look at what came of earlier cases of the same sequence."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from premortem.checks import Checker
from premortem.domain.run import Case, Intent, Sent
from premortem.domain.traffic import Answer, Operation, OperationProfile, Request
from tests.checks.judging import answer, answered, case, operation, profile

THING = operation()
CHECKER = Checker(profile(THING))


def expecting(expects: Any, *, of: OperationProfile = THING, against: int = 0, **more: Any) -> Case:
    intent = Intent(kind="adversarial", breaks="order", expects=expects, against=against)
    return case(of, intent=intent, **more)


def did(method: str, status: int, body: Any = None, *, path: str = "/invoices/7") -> Sent:
    request = Request(method=method, origin="", path=path)
    return replace(answered(case(THING), status, body), request=request)


def names(given: Case, sent: Sent, *before: Sent | None, checker: Checker = CHECKER) -> list[str]:
    return [v.check for v in checker.check(given, sent, before)]


def test_what_was_deleted_is_not_to_be_served():
    given = expecting("gone")
    served = answered(given, 200, {"id": "7"})
    assert names(given, served, did("DELETE", 204)) == ["use_after_free"]
    assert not names(given, answered(given, 404), did("DELETE", 204))


@pytest.mark.parametrize("deletion", [None, did("DELETE", 202), did("DELETE", 404)])
def test_a_deletion_that_did_not_happen_yet_says_nothing(deletion):
    given = expecting("gone")
    assert not names(given, answered(given, 200, {"id": "7"}), deletion)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"items": []},
        {"errors": ["gone"]},
        {"id": "7", "deleted": True},
        {"id": "7", "deleted_at": "2026-01-01"},
        {"data": {"id": "7", "status": "archived"}},
    ],
)
def test_services_that_keep_what_was_deleted_say_so(body):
    given = expecting("gone")
    assert not names(given, answered(given, 200, body), did("DELETE", 200))


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_deleting_again_and_making_anew_may_succeed(method):
    of = operation(operation=Operation(method=method, template="/invoices/{invoice_id}"))
    given = expecting("gone", of=of)
    checker = Checker(profile(of))
    assert not names(given, answered(given, 200, {"id": 1}), did("DELETE", 204), checker=checker)


def test_what_was_made_is_to_be_found():
    given = expecting("there")
    assert names(given, answered(given, 404), did("POST", 201)) == ["not_available"]
    assert not names(given, answered(given, 200, {"id": "7"}), did("POST", 201))
    assert not names(given, answered(given, 404), did("POST", 202))
    assert not names(given, answered(given, 404), did("POST", 422))
    assert not names(given, answered(given, 404), did("POST", 200, {"errors": ["no"]}))
    assert not names(given, answered(given, 403), did("POST", 201))
    assert not names(given, answered(given, 404))


def test_revoked_credentials_are_not_to_be_taken():
    of = operation(secured=True)
    checker = Checker(profile(of))
    given = expecting("denied", of=of)
    served = answered(given, 200, {"id": "7"})
    assert names(given, served, did("DELETE", 204), checker=checker) == ["revoked_access"]
    assert not names(given, answered(given, 401), did("DELETE", 204), checker=checker)
    assert not names(given, served, did("DELETE", 403), checker=checker)
    anybody = Checker(profile(operation(secured=True, roles={"": {"200": 4}})))
    assert not names(given, served, did("DELETE", 204), checker=anybody)


def test_of_several_at_once_one_passes():
    given = expecting("once", against=1)
    mine = answered(given, 201, {"id": "b"})
    setup, other = did("POST", 201, {"id": "s"}), did("POST", 201, {"id": "a"})
    refused = did("POST", 409, {"error": "already"})
    assert names(given, mine, setup, other, mine) == ["more_than_once"]
    assert not names(given, mine, setup, refused, mine)
    assert not names(given, mine, setup, None, mine)
    assert not names(given, refused, setup, other, refused)


def test_the_first_answer_again_is_no_second_effect():
    given = expecting("once", against=0)
    mine = answered(given, 201, {"id": "a"})
    assert not names(given, mine, did("POST", 201, {"id": "a"}), mine)
    empty = answered(given, 204)
    assert names(given, empty, did("POST", 204), empty) == ["more_than_once"]


def same(was: tuple[int, Any], now: tuple[int, Any], **more: Any) -> list[str]:
    of = operation(answers=(answer(200, volatile=("body:/rank",)),), **more)
    given = expecting("same", of=of)
    before = did(of.operation.method, *was)
    return [
        v.signature for v in Checker(profile(of)).check(given, answered(given, *now), (before,))
    ]


def test_an_answer_that_changed_without_a_reason_is_told_by_place():
    assert same((200, {"total": 5}), (200, {"total": 6})) == ["/total changed"]
    assert same((200, {"a": [{"n": 1}]}), (200, {"a": [{"n": 2}]})) == ["/a/*/n changed"]
    assert same((200, [1]), (200, [1, 2])) == ["the body changed"]
    assert same((200, {"a": 1}), (404, None)) == ["2xx became 4xx"]
    assert same((404, None), (200, {"a": 1})) == ["4xx became 2xx"]


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"rank": 1}, {"rank": 2}),
        ({"updatedAt": "x"}, {"updatedAt": "y"}),
        ({"when": "2026-01-01T00:00:00Z"}, {"when": "2026-01-02T00:00:00Z"}),
        ({"seen": 1_700_000_000}, {"seen": 1_700_000_009}),
        ({"ref": "a81bc81b-dead-4e5d-abff-90865d1e13b1"}, {"ref": "0b1bc81b-dead-4e5d-abff-1"}),
        ([1, 2], [2, 1]),
        ({"id": 1}, {"id": 1}),
    ],
)
def test_what_changes_by_itself_is_left_out(was, now):
    if "ref" in was:
        now = {"ref": "0b1bc81b-dead-4e5d-abff-90865d1e13b2"}
    assert not same((200, was), (200, now))


@pytest.mark.parametrize(("was", "now"), [(200, 500), (500, 200), (200, 429), (201, 200)])
def test_statuses_that_say_nothing_about_what_was_changed(was, now):
    assert "became" not in " ".join(same((was, None), (now, None)))


def test_a_repeated_deletion_may_find_nothing():
    deleting = Operation(method="DELETE", template="/invoices/{invoice_id}")
    assert not same((204, None), (404, None), operation=deleting)


def test_the_answer_to_another_request_is_not_compared():
    given = expecting("same")
    now = answered(given, 200, {"a": 1})
    assert not names(given, now, did("GET", 200, {"a": 2}, path="/invoices/8"))
    assert not names(given, now, None)
    assert not names(given, now)


def test_an_expectation_about_no_case_is_none():
    for expects in ("gone", "there", "denied", "same", "once"):
        given = expecting(expects, against=-1)
        assert not names(given, answered(given, 200, {"id": "7"}), did("DELETE", 204))


def test_answers_keep_what_they_know_of_volatile_places():
    assert isinstance(answer(200, volatile=("body:/x",)), Answer)
