"""What answers repeat of requests, and what a role never sees whole."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from premortem.learn.bodies import Body
from premortem.learn.echoes import find_echoes
from premortem.learn.merge import merge_profiles
from premortem.learn.rows import Row, read_row
from tests.learn.services import call
from tests.learn.test_profile import learn

GET = "GET /customers/{customer_id}/invoices"


def row(asked, body) -> Row:
    made = read_row(Body(kind="json", value=body))
    made.asked = dict(asked)
    return made


def told(rows) -> list[tuple[str, str]]:
    return [(str(e.asked), str(e.answered)) for e in find_echoes(rows)]


def test_every_item_of_the_customer_asked_for_is_an_echo():
    rows = [
        row(
            {"path:customer_id": f"c{n % 5}"}, {"items": [{"customer_id": f"c{n % 5}", "x": n}] * 2}
        )
        for n in range(12)
    ]
    assert told(rows) == [("path:customer_id", "body:/items/*/customer_id")]
    rows[3] = row(
        {"path:customer_id": "c3"}, {"items": [{"customer_id": "c3"}, {"customer_id": "c4"}]}
    )
    assert told(rows) == []


def test_a_value_that_never_varies_is_no_echo():
    assert told([row({"query:currency": "EUR"}, {"currency": "EUR"}) for _ in range(40)]) == []


def test_places_of_other_names_need_more():
    rows = [row({"body:/who": f"u{n}"}, {"author": f"u{n}"}) for n in range(11)]
    assert told(rows) == []
    rows.append(row({"body:/who": "u11"}, {"author": "u11"}))
    assert told(rows) == [("body:/who", "body:/author")]


def test_truths_that_agree_by_chance_are_no_echo():
    rng = Random(4)
    rows = [row({"query:all": "true"}, {"active": True, "n": rng.random()}) for _ in range(30)]
    assert told(rows) == []


def test_redacted_values_neither_show_nor_refute():
    rows = [row({"body:/name": f"n{n}"}, {"name": f"n{n}"}) for n in range(8)]
    rows.append(row({"body:/name": "rdxabc123"}, {"name": "rdxzzz999"}))
    assert told(rows) == [("body:/name", "body:/name")]


def customers(seed: int, *, mask: bool = True):
    """Readings by two roles; the one sees addresses masked."""
    rng = Random(seed)
    made = []
    for n in range(40):
        who = f"cus_{rng.randrange(16**8):08x}"
        role = "guest" if n % 4 == 0 else "clerk"
        email = "***" if mask and role == "guest" else f"{who}@example.com"
        path = "/customers" if n % 2 else f"/customers/{who}"
        one = {"id": who, "email": email, "phone": None}
        made.append(
            call("GET", path, answer={"items": [one]} if n % 2 else one, role=role, at=float(n))
        )
    return made


def test_a_mask_for_one_role_holds_in_the_list_and_for_the_single_one():
    views = {
        (o.id, v.role, v.form, str(v.place))
        for o in learn(customers(1)).operations
        for a in o.answers
        for v in a.views
    }
    assert ("GET /customers/{customer_id}", "guest", "masked", "body:/email") in views
    assert {role for _, role, _, _ in views} == {"guest"}
    assert {form for _, _, form, _ in views} == {"masked"}
    assert not any(a.views for o in learn(customers(1, mask=False)).operations for a in o.answers)


def invoices(seed: int, customers: int = 6):
    rng = Random(seed)
    for n in range(30):
        who = f"cus_{rng.randrange(customers) + 10 * seed:08x}"
        lines = [{"customer_id": who, "amount": rng.randrange(999)} for _ in range(n % 4)]
        yield call("GET", f"/customers/{who}/invoices", answer={"lines": lines}, at=float(n))


def test_merging_keeps_what_both_show_and_drops_what_one_refutes():
    one, other = learn(list(invoices(1))), learn(list(invoices(2)))
    merged = merge_profiles(one, other, now=1.0).operation(GET)
    (echo,) = merged.answers[0].echoes
    parts = [p.operation(GET).answers[0].echoes[0].support for p in (one, other)]
    assert echo.support == sum(parts)
    mixed = [
        call("GET", e.request.path, answer={"lines": [{"customer_id": "cus_other", "amount": 1}]})
        for e in invoices(3)
    ]
    refuted = merge_profiles(one, learn(mixed), now=1.0).operation(GET)
    assert refuted.answers[0].echoes == ()


def test_editions_are_counted_like_roles():
    made = [
        replace(e, tags=replace(e.tags, edition="lite" if n % 2 else "pro"))
        for n, e in enumerate(invoices(1))
    ]
    assert learn(made).operation(GET).editions == {"lite": {"200": 15}, "pro": {"200": 15}}
