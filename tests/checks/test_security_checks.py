"""Checks of security tests: what a correct service may answer, and what is held against it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.checks import Checker
from premortem.checks.foreign_thing import OBJECT
from premortem.checks.no_limit import LIMITS
from premortem.checks.raised_member import MEMBER
from premortem.domain.injected import ARITHMETIC, MARKUP, PRODUCT
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Intent
from premortem.domain.stated import PREFIX
from premortem.domain.token_change import FORGERIES, TokenChange
from premortem.domain.traffic import Field, Operation
from tests.checks.judging import answer, answered, case, operation, profile

SECURED = operation(secured=True, roles={"clerk": {"200": 9}}, answers=(answer(200), answer(401)))
BCRYPT = "$2b$12$" + "a" * 53


def found(given, sent, before=(), *, of=SECURED, check=""):
    said = Checker(profile(of)).check(given, sent, before)
    return [v for v in said if v.check == check]


def forged(status=200, *, without=401, with_true=200, forgery="expired", body=None):
    intent = Intent(
        kind="adversarial",
        breaks=f"auth token {forgery}",
        expects="denied",
        against=1,
        if_passed=0,
    )
    given = case(SECURED, intent=intent, role="clerk", token=TokenChange(forgery=forgery))
    before = tuple(answered(given, s, {"id": 7}) for s in (with_true, without))
    return found(given, answered(given, status, body or {"id": 7}), before, check="forged_token")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_that_opens_the_door_is_named(forgery):
    (verdict,) = forged(forgery=forgery)
    assert verdict.signature == forgery
    assert FORGERIES[forgery].because in verdict.evidence


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 500])
def test_a_forged_token_that_is_refused_is_right(status):
    assert not forged(status)


def test_nobody_is_accused_where_the_door_stood_open_or_the_true_token_did_not_open_it():
    assert not forged(without=200)
    assert not forged(with_true=403)
    assert not forged(body={"error": "no"})


def test_one_finding_for_a_forged_token_and_none_of_other_checks():
    intent = Intent(
        kind="adversarial", breaks="auth token expired", expects="denied", against=1, if_passed=0
    )
    given = case(SECURED, intent=intent, role="clerk", token=TokenChange(forgery="expired"))
    before = tuple(answered(given, status, {"id": 7}) for status in (200, 401))
    said = Checker(profile(SECURED)).check(given, answered(given, 200, {"id": 7}), before)
    assert [v.check for v in said] == ["forged_token"]


def foreign(status=200, *, mine, theirs, body=None, method="GET"):
    of = operation(
        operation=Operation(method=method, template="/notes/{note_id}"),
        secured=True,
        roles={"ann": {"200": 9}, "bob": {"200": 9}},
        answers=(answer(200),),
    )
    binding = Binding(
        step=0, select=body_place("id"), place=Place(part="path", name="1"), recorded="n1"
    )
    intent = Intent(
        kind="adversarial", breaks=f"{OBJECT} POST /notes", expects="denied", against=1, if_passed=2
    )
    given = case(of, path="/notes/n7", intent=intent, role="bob", bindings=(binding,))
    before = (
        answered(given, 201, {"id": "n7"}),
        answered(given, 200, mine),
        answered(given, 200, theirs),
    )
    said = {"id": "n7"} if body is None else body
    return found(given, answered(given, status, said), before, of=of, check="foreign_thing")


def test_what_is_in_nobody_elses_list_is_nobody_elses_to_read():
    (verdict,) = foreign(mine=[{"id": "n7"}], theirs=[])
    assert verdict.title == "reads another's thing"
    (verdict,) = foreign(mine={"items": [{"id": "n7"}]}, theirs={"items": []}, method="DELETE")
    assert verdict.title == "deletes another's thing"


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([{"id": "n7"}], [{"id": "n7"}]),
        ([{"id": "n7"}], [{"id": "n1"}, {"id": "n2"}]),
        ([{"id": "n8"}], []),
        ({"a": [1], "b": [2]}, {"a": [], "b": []}),
    ],
)
def test_lists_that_show_it_to_both_or_may_be_cut_off_say_nothing(mine, theirs):
    assert not foreign(mine=mine, theirs=theirs)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_denial_is_right(status):
    assert not foreign(status, mine=[{"id": "n7"}], theirs=[])


ROLE = Field(
    place=body_place("role"),
    seen=9,
    presence=1.0,
    types={"string": 9},
    values=(('"member"', 9),),
    distinct=1,
)


def raised(told, *, sent="admin", plain=None, field=ROLE):
    of = operation(
        operation=Operation(method="POST", template="/users"),
        answers=(answer(201, fields=(field,)),),
    )
    place = body_place("role")
    intent = Intent(
        kind="adversarial", breaks=f"{MEMBER}{place}", place=place, expects="answer", against=0
    )
    given = case(of, path="/users", body=b'{"name":"x","role":"%s"}' % sent.encode(), intent=intent)
    before = (answered(given, 201 if plain else 409, {"role": plain} if plain else None),)
    answer_ = answered(given, 201, {"name": "x", "role": told})
    return found(given, answer_, before, of=of, check="raised_member")


def test_what_a_request_sets_that_is_not_its_to_set_is_seen():
    assert raised("admin", plain="member")
    assert raised("admin"), "production never showed it"


def test_what_is_ignored_or_was_so_before_is_right():
    assert not raised("member", plain="member")
    assert not raised("admin", plain="admin")
    assert not raised("member", sent="member")


def injected(kind, body, *, media_type="application/json", status=200, before=(), **more):
    headers = more.pop("headers", {})
    intent = Intent(kind="adversarial", breaks=f"injection {kind} at query:q", **more)
    given = case(SECURED, path="/invoices", query=(("q", ARITHMETIC.text),), intent=intent)
    sent = answered(given, status, body, media_type=media_type, **headers)
    return found(given, sent, before, check="injected")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("arithmetic", {"said": f"premortem{PRODUCT}"}, 200),
        ("arithmetic", {"said": "31,431,011"}, 200),
        ("quote", {"detail": 'near "x": syntax error'}, 500),
        ("quote", {"error": "You have an error in your SQL syntax"}, 400),
        ("path", b"root:x:0:0:root:/root:/bin/sh", 200),
        ("address", {"detail": "getaddrinfo failed"}, 400),
        ("markup", {"detail": "getaddrinfo ENOTFOUND premortem.invalid"}, 422),
    ],
)
def test_what_was_run_is_seen(kind, body, status):
    assert injected(kind, body, status=status)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("arithmetic", {"said": ARITHMETIC.text}),
        ("arithmetic", {"said": f"1{PRODUCT}"}),
        ("markup", {"said": MARKUP.text}),
        ("markup", {"said": MARKUP.text, "log": "x" * 400 + " getaddrinfo failed"}),
        ("path", {"detail": "no such thing"}),
    ],
)
def test_text_that_stays_text_is_right(kind, body):
    assert not injected(kind, body)


def test_markup_counts_in_a_page_alone():
    page = b"<p>" + MARKUP.text.encode() + b"</p>"
    assert injected("markup", page, media_type="text/html")
    assert not injected("markup", b"<p>&lt;premortem", media_type="text/html")


def test_a_header_of_the_texts_own_is_seen():
    assert injected("line break", {"id": 1}, headers={"x_premortem": "injected"})
    assert not injected("line break", {"id": 1})


def test_true_and_false_are_told_apart_by_sql_alone():
    given = case(SECURED)
    two, none = answered(given, 200, [1, 2]), answered(given, 200, [])

    def said(plain, true, false):
        intent = {"against": 0, "if_passed": 1}
        return injected("true and false", false, before=(plain, true), **intent)

    assert said(two, two, [])
    assert not said(two, two, [1, 2]), "the same again"
    assert not said(two, none, []), "neither is understood"
    assert not said(none, none, []), "there was nothing to begin with"


@pytest.mark.parametrize(
    "body",
    [
        {"user": {"hash": BCRYPT}},
        {"users": [{"password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}]},
        {"key": "-----BEGIN PRIVATE KEY-----\nMIIE"},
    ],
)
def test_a_secret_in_an_answer_is_seen(body):
    given = case(SECURED, role="clerk")
    assert found(given, answered(given, 200, body), check="secret_shown")


def test_masks_what_was_sent_and_what_production_showed_are_no_secrets():
    given = case(SECURED, role="clerk")
    assert not found(given, answered(given, 200, {"password": "****"}), check="secret_shown")
    mine = case(SECURED, body=b'{"password": "hunter22"}')
    assert not found(mine, answered(mine, 200, {"password": "hunter22"}), check="secret_shown")
    field = replace(ROLE, place=body_place("password"))
    shown = operation(answers=(answer(200, fields=(field,)),))
    assert not found(given, answered(given, 200, {"password": "x"}), of=shown, check="secret_shown")


def test_the_quick_way_lets_no_payload_and_no_secret_pass():
    plain = operation(answers=(answer(200),))
    quick = Checker(profile(plain)).quick
    given = case(plain)
    assert quick(given, answered(given, 200, {"id": 7}).response)
    assert not quick(given, answered(given, 200, {"hash": BCRYPT}).response)
    payload = case(plain, intent=Intent(kind="adversarial", breaks="injection quote at query:q"))
    assert not quick(payload, answered(payload, 200, {"id": 7}).response)


def limited(*left, last=200):
    intent = Intent(kind="adversarial", breaks=f"{LIMITS}remaining", against=0)
    given = case(SECURED, intent=intent)
    row = [answered(given, 200, {"id": 1}, x_ratelimit_remaining=str(n)) for n in left]
    sent = answered(given, last, {"id": 1}, x_ratelimit_remaining="0")
    return found(given, sent, tuple(row), check="no_limit")


def test_a_limit_that_is_told_has_to_hold():
    assert limited(2, 1, 0, 0)
    assert not limited(2, 1, 0, last=429)
    assert not limited(9, 8, 7)
    assert not limited(1, 0, 9), "a window began anew"


def test_wrong_passwords_are_limited_where_somebody_says_so():
    intent = Intent(kind="adversarial", breaks=f"{LIMITS}guesses", against=0)
    given = case(SECURED, intent=intent)
    row = tuple(answered(given, 401) for _ in range(5))
    (verdict,) = found(given, answered(given, 401), row, check="no_limit")
    assert verdict.severity == "low"
    assert not found(given, answered(given, 429), row, check="no_limit")


def ruled(text, status=200, body=None, before=(), **more):
    certain = more.pop("expects", "answer") == "refusal"
    intent = Intent(
        kind="adversarial",
        breaks=PREFIX + text,
        expects="refusal" if certain else "answer",
        certain=certain,
        **more,
    )
    given = case(SECURED, intent=intent, role="clerk", query=more.pop("query", ()))
    sent = answered(given, status, {} if body is None else body)
    said = Checker(profile(SECURED)).check(given, sent, before)
    return [v.check for v in said]


def test_what_the_rules_forbid_is_one_finding():
    text = "GET /invoices/{invoice_id}: once"
    before = (answered(case(SECURED), 200, {}),)
    assert ruled(text, before=before, expects="refusal", if_passed=0) == ["stated_rule"]
    assert ruled(text, 409, before=before, expects="refusal", if_passed=0) == []
    refused = (answered(case(SECURED), 403, {}),)
    assert ruled(text, before=refused, expects="refusal", if_passed=0) == []


def entries(count, **more):
    return {"items": [{"n": n} for n in range(count)], **more}


@pytest.mark.parametrize(
    ("was", "change", "now", "broken"),
    [
        (entries(1), 200, entries(1), True),
        (entries(1), 200, entries(2), False),
        (entries(1), 200, entries(3), True),
        (entries(1), 409, entries(1), False),
        (entries(1), 409, entries(2), True),
        (entries(1, next_cursor="c"), 200, entries(1), False),
        (entries(1), 500, entries(1), False),
    ],
)
def test_a_change_has_one_entry_and_a_refusal_none(was, change, now, broken):
    given = case(SECURED)
    changed = answered(case(SECURED, method="POST"), change, {})
    before = (answered(given, 200, was), changed)
    text = "POST /x: one entry in GET /invoices/{invoice_id}"
    assert ruled(text, body=now, before=before, against=0) == ["stated_rule"] * broken


@pytest.mark.parametrize(
    ("utc", "zone", "broken"),
    [((1, 2), (1, 1), True), ((1, 2), (1, 2), False), ((1, 1), (1, 1), False)],
)
def test_a_change_counts_for_the_day_of_its_zone(utc, zone, broken):
    def read(paid, name):
        given = case(SECURED, query=(("day", "2026-01-01"), ("zone", name)))
        return answered(given, 200, {"paid": paid})

    change = answered(case(SECURED, method="POST"), 201, {})
    before = (read(utc[0], "UTC"), read(zone[0], "Asia/Tokyo"), change, read(utc[1], "UTC"))
    text = "GET /invoices/{invoice_id}: day by zone counts POST /x"
    query = (("day", "2026-01-02"), ("zone", "Asia/Tokyo"))
    intent = Intent(kind="adversarial", breaks=PREFIX + text, against=1, if_passed=2)
    given = case(SECURED, intent=intent, role="clerk", query=query)
    sent = answered(given, 200, {"paid": zone[1]})
    said = Checker(profile(SECURED)).check(given, sent, before)
    assert [v.check for v in said if v.check == "stated_rule"] == ["stated_rule"] * broken


LISTED = operation(
    operation=Operation(method="GET", template="/invoices"),
    in_spec=True,
    secured=True,
    declared=(200, 401),
    roles={"clerk": {"200": 9}},
    answers=(answer(200), answer(401)),
)


def versioned(status=200, *, role="clerk", nowhere=404, there=200, body=None, **more):
    intent = Intent(
        kind="adversarial", breaks="version /v1", expects="answer", against=1, if_passed=0
    )
    given = case(LISTED, path="/v1/invoices", intent=intent, role=role)
    before = tuple(answered(given, s, {"id": 7}) for s in (there, nowhere))
    sent = answered(given, status, body or {"id": 7}, **more)
    return [
        (v.check, v.severity, v.title) for v in Checker(profile(LISTED)).check(given, sent, before)
    ]


def test_another_version_that_answers_and_that_no_document_has_is_told_once():
    ((check, severity, title),) = versioned()
    assert (check, severity) == ("other_version", "medium")
    assert title == "answers under /v1, which the specification does not have"
    ((_, severity, title),) = versioned(role="", nowhere=401)
    assert severity == "high"
    assert "without credentials" in title


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 410, 500])
def test_a_version_that_is_not_there_is_right(status):
    assert "other_version" not in {check for check, *_ in versioned(status)}


def test_a_service_that_answers_everything_shows_no_version():
    assert not versioned(nowhere=200)
    assert not versioned(there=404)
    assert not versioned(body={"error": "no such path"})
    assert not versioned(body=b"<html>", media_type="text/html")
