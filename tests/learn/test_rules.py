"""Rules between fields: found where they hold, not where chance explains them."""

from __future__ import annotations

from random import Random

import pytest

from premortem.domain.relations import Rule
from premortem.learn.bodies import Body
from premortem.learn.rows import ITEMS_MAX, Row, read_row
from premortem.learn.rules import RULES_MAX, find_rules
from premortem.learn.support import SUPPORT_MIN
from tests.learn.planted import IMPLIED, ORDER, PLANTED, orders
from tests.learn.test_profile import learn
from tests.quality.test_relations import keys


def rows(bodies, **more) -> list[Row]:
    return [read_row(Body(kind="json", value=body), **more) for body in bodies]


def told(bodies, **more) -> list[str]:
    return [said(rule) for rule in find_rules(rows(bodies, **more))]


def said(rule: Rule) -> str:
    return " ".join((rule.kind, *(place.name for place in rule.places)))


def test_planted_rules_are_found_among_decoys():
    profile = learn(list(orders(3, 300)))
    found = keys(profile.operation(ORDER))
    assert found - PLANTED - IMPLIED == set()
    assert len(found & PLANTED) >= len(PLANTED) - 1


def test_an_answers_rules_name_its_status():
    operation = learn(list(orders(1, 100))).operation(ORDER)
    assert all(rule.status == 0 for rule in operation.rules)
    assert {rule.status for a in operation.answers for rule in a.rules} == {201}


def test_too_few_messages_show_nothing():
    made = [{"a": n * 7, "b": n * 7, "list": [1] * n, "n": n} for n in range(SUPPORT_MIN - 1)]
    assert told(made) == []


def test_one_message_that_breaks_it_ends_a_rule():
    good = [{"items": [{"x": n}] * (n % 5), "count": n % 5} for n in range(40)]
    assert told(good) == ["count /count /items"]
    assert told([*good, {"items": [], "count": 3}]) == []


def test_what_never_varies_is_no_rule():
    assert told([{"a": "EUR", "b": "EUR", "n": 1, "items": [1]} for _ in range(100)]) == []


def test_what_chance_explains_is_no_rule():
    skewed = [{"a": "yes" if n == 7 else "no", "b": "yes" if n == 7 else "no"} for n in range(60)]
    assert told(skewed) == []
    varied = [{"a": f"v{n % 9}", "b": f"v{n % 9}"} for n in range(60)]
    assert told(varied) == ["equal /a /b"]


def test_numbers_in_ranges_that_do_not_meet_have_no_order():
    rng = Random(1)
    made = [{"min_age": rng.randrange(18), "max_weight": rng.randrange(50, 99)} for _ in range(80)]
    assert told(made) == []


def test_the_ends_of_a_range_are_ordered_even_when_they_were_always_equal():
    made = [{"start_date": f"2026-01-{n:02}", "end_date": f"2026-01-{n:02}"} for n in range(1, 31)]
    assert told(made) == ["order /start_date /end_date"]


def test_a_sum_over_single_items_is_not_claimed():
    rng = Random(2)
    amounts = [rng.randrange(1, 999) for _ in range(40)]
    assert told([{"total": a, "lines": [{"amount": a}]} for a in amounts]) == []


def test_a_sum_that_rounds_is_found_and_one_with_other_items_is_not():
    rng = Random(3)
    made = []
    for _ in range(40):
        parts = [rng.randrange(1, 9999) / 100 for _ in range(rng.randrange(1, 5))]
        made.append({"total": round(sum(parts), 2), "lines": [{"amount": p} for p in parts]})
    assert told(made) == ["sum /total /lines/*/amount"]
    made[5]["total"] += 1
    assert told(made) == []


def test_a_cut_array_has_no_sum():
    rng = Random(4)
    made = []
    for _ in range(40):
        parts = [rng.randrange(1, 99) for _ in range(ITEMS_MAX + rng.randrange(5))]
        made.append({"total": sum(parts), "parts": parts})
    assert told(made) == []


def test_members_of_one_optional_object_require_each_other_without_saying():
    made = [{"k": n, **({"to": {"street": "s", "zip": "z"}} if n % 3 else {})} for n in range(90)]
    assert told(made) == []


def test_the_path_may_repeat_what_the_body_says():
    rng = Random(5)
    texts = [f"{rng.getrandbits(40):x}" for _ in range(30)]
    found = find_rules(
        [read_row(Body(kind="json", value={"id": t}), named=[("path:id", t)]) for t in texts]
    )
    assert [(r.kind, [str(p) for p in r.places]) for r in found] == [
        ("equal", ["path:id", "body:/id"])
    ]


def test_rules_are_bounded_however_many_places_there_are():
    made = [{f"f{k}": f"{n}-{k // 2}" for k in range(64)} for n in range(40)]
    assert len(told(made)) <= RULES_MAX


@pytest.mark.parametrize("value", [None, True, [], {}, "", 0, [[1]], "x" * 500, 1e308, 10**400])
def test_strange_values_are_no_trouble(value):
    made = [{"a": value, "b": value, "list": [value, {"c": value}]} for _ in range(30)]
    assert all(rule.support >= SUPPORT_MIN for rule in find_rules(rows(made)))
