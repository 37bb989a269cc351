from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from premortem.domain.places import Place, body_place
from premortem.domain.traffic import Flow, Response
from premortem.generate.bindings import identifier_like
from premortem.generate.replay import recipe_cases, replay
from tests.generate import small


def cases(exchanges=None, links=None, skipped=None):
    recorded = exchanges or small.recorded()
    profile = small.profile(flows=(Flow(exchange_ids=tuple(recorded), started_at=1.0),))
    if links is not None:
        profile = replace(profile, links=links)
    return [c for s in replay(profile, recorded, skipped=skipped) for c in s.cases]


def test_a_flow_is_repeated_in_its_order_with_what_production_answered():
    replayed = cases()
    assert [case.recorded_status for case in replayed] == [201, 200, 200, 201, 409, 401]
    methods = [case.request.method for case in replayed]
    assert methods == ["POST", "GET", "GET", "POST", "POST", "GET"]


def test_an_identifier_is_bound_to_the_answer_that_brought_it_and_not_to_a_list():
    read = cases()[2]
    (binding,) = read.bindings
    assert (binding.step, binding.select) == (0, body_place("id"))
    assert binding.place == Place(part="path", name="1")
    assert binding.recorded == "inv_71k2m9"


def test_a_value_in_the_body_is_bound_beside_the_one_in_the_path():
    pay = cases()[3]
    assert [str(b.place) for b in pay.bindings] == ["path:1", "body:/invoice"]


def test_a_small_number_is_bound_only_where_a_link_was_learned():
    recorded = {
        "a": small.exchange("POST", "/invoices", 201, body={}, answer={"id": 7}),
        "b": small.exchange("GET", "/invoices/7", 200),
    }
    assert cases(recorded)[1].bindings != ()
    assert cases(recorded, links=())[1].bindings == ()


def test_an_identifier_of_the_clients_own_making_is_sent_as_it_was():
    recorded = {
        "a": small.exchange("PUT", "/invoices/inv-88ab12", 201, answer={"id": "inv-88ab12"}),
        "b": small.exchange("GET", "/invoices/inv-88ab12", 200),
    }
    assert cases(recorded)[1].bindings == ()


def test_an_identifier_inside_a_longer_text_is_bound_as_a_part_of_it():
    recorded = {
        "a": small.exchange("POST", "/invoices", 201, body={}, answer={"id": "9f3kk21x"}),
        "b": small.exchange("POST", "/batch", 200, body={"paths": ["/invoices/9f3kk21x/pay"]}),
    }
    (binding,) = cases(recorded)[1].bindings
    assert (str(binding.place), binding.recorded) == ("body:/paths/0", "9f3kk21x")


def test_a_conditional_header_is_bound_to_the_entity_tag_it_repeats():
    recorded = {
        "a": small.exchange("GET", "/invoices", 200, answer_headers=(("etag", '"1"'),)),
        "b": small.exchange("GET", "/invoices", 304, headers=(("if-none-match", '"1"'),)),
    }
    (binding,) = cases(recorded)[1].bindings
    assert (str(binding.select), str(binding.place)) == ("header:etag", "header:if-none-match")


def test_the_latest_of_equal_producers_wins():
    recorded = {
        "a": small.exchange("POST", "/invoices", 201, body={}, answer={"id": "9f3kk21x"}),
        "b": small.exchange("POST", "/invoices", 201, body={}, answer={"id": "9f3kk21x"}),
        "c": small.exchange("GET", "/invoices/9f3kk21x", 200),
    }
    assert cases(recorded)[2].bindings[0].step == 1


def test_credentials_and_transport_headers_are_left_out():
    names = {name for case in cases() for name, _ in case.request.headers}
    assert names == {"content-type"}


def test_credentials_of_no_role_are_counted_out_unless_they_were_refused():
    skipped: Counter[str] = Counter()
    replayed = cases(skipped=skipped)
    assert skipped == {"credentials of no configured role": 1}
    assert [c.recorded_status for c in replayed if c.role == "unknown"] == [401]


def test_exchanges_that_are_gone_are_counted():
    skipped: Counter[str] = Counter()
    recorded = small.recorded()
    del recorded["read"]
    list(replay(small.profile(), recorded, skipped=skipped))
    assert skipped["exchange not in the store"] == 1


def test_a_recipe_is_setup_but_for_its_last_step():
    profile = small.profile()
    recipe = profile.operations[3].recipes[0]
    made = recipe_cases(recipe, small.recorded(), profile)
    assert [case.setup for case in made] == [True, False]
    assert {b.step for b in made[-1].bindings} == {0}


def test_a_recipe_with_a_step_nobody_can_send_gives_nothing():
    profile = small.profile()
    recipe = profile.operations[3].recipes[0]
    recorded = small.recorded()
    recorded["make"] = replace(
        recorded["make"], tags=replace(recorded["make"].tags, role="unknown")
    )
    assert recipe_cases(recipe, recorded, profile) == ()
    assert recipe_cases(recipe, {}, profile) == ()


def test_what_looks_like_an_identifier_is_long_and_mixed():
    identifiers = ["inv_71k2m9", "13b04216-1c80-49d4-88a4-b2001719ce30", "9f3kk21x", "1795246351"]
    words = ["invoice", "2024-01-05", "please pay", "EUR", "17", "done", "application-form"]
    assert all(identifier_like(text) for text in identifiers)
    assert not any(identifier_like(text) for text in words)


def partial(recorded):
    """The small recording as it would look if only so much of it were known."""
    exchanges = small.recorded()
    if recorded == "line":
        return {
            i: replace(
                e,
                recorded="line",
                request=replace(e.request, headers=(), body=b""),
                response=replace(e.response, headers=(), body=b""),
            )
            for i, e in exchanges.items()
        }
    empty = Response(status=0)
    return {i: replace(e, recorded="request", response=empty) for i, e in exchanges.items()}


def test_of_an_access_log_only_requests_without_a_body_are_sent_again():
    skipped = Counter()
    cases = [
        case
        for sequence in replay(small.profile(), partial("line"), skipped=skipped)
        for case in sequence.cases
    ]
    assert cases
    assert {case.request.method for case in cases} == {"GET"}
    assert skipped["body not recorded"] == 3


def test_requests_without_a_recorded_answer_are_sent_again_and_expect_nothing():
    cases = [
        case for sequence in replay(small.profile(), partial("request")) for case in sequence.cases
    ]
    assert len(cases) == 5
    assert {case.recorded_status for case in cases} == {0}
    assert any(case.request.body for case in cases)


def test_a_version_is_bound_to_the_answer_about_the_same_resource():
    tag = (("etag", '"1"'),)
    recorded = {
        "a": small.exchange(
            *("POST", "/invoices", 201), body={}, answer={"id": "inv_71k2m9"}, answer_headers=tag
        ),
        "b": small.exchange(
            *("POST", "/invoices", 201), body={}, answer={"id": "inv_83x1p4"}, answer_headers=tag
        ),
        "c": small.exchange(
            *("PATCH", "/invoices/inv_71k2m9", 200), body={}, headers=(("if-match", '"1"'),)
        ),
        "d": small.exchange(
            *("PATCH", "/customers/cus_22", 412), body={}, headers=(("if-match", '"1"'),)
        ),
    }
    *_, patched, other = cases(recorded)
    bound = {str(b.place): b.step for b in patched.bindings}
    assert bound["header:if-match"] == 0
    assert "header:if-match" not in {str(b.place) for b in other.bindings}


def test_a_token_that_was_worth_nothing_any_more_is_not_replaced_by_a_live_one():
    recorded = {
        "a": small.exchange("GET", "/invoices", 200, answer=[]),
        "b": small.exchange("GET", "/invoices", 401, answer={}),
    }
    operation = small.profile().operations[0]
    admitted = replace(operation, roles={"clerk": {"200": 1, "401": 1}})
    profile = replace(
        small.profile(flows=(Flow(exchange_ids=("a", "b"), started_at=1.0),)),
        operations=tuple(
            replace(o, roles=admitted.roles) if o.id == "GET /invoices" else o
            for o in small.profile().operations
        ),
    )
    (sequence,) = replay(profile, recorded)
    assert [case.role for case in sequence.cases] == ["clerk", "unknown"]
