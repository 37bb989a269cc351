"""Links, flows and recipes on a small ledger-like story."""

from __future__ import annotations

from collections import Counter
from itertools import count
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.domain.tokens import make_token
from premortem.domain.traffic import Exchange, Profile
from premortem.learn import learn_profile
from premortem.learn.flows import FLOW_MAX
from tests.learn.services import call, hexes, uuid

KEY = b"k" * 32


def learn(exchanges: list[Exchange]) -> Profile:
    return learn_profile(lambda: iter(exchanges), spec=None, now=1.0)


class Clerk:
    """Drives a ledger that hands out ids of one kind, and writes down what happened."""

    def __init__(self, *, small: bool = False) -> None:
        self.seen: list[Exchange] = []
        self._rng = Random(5)
        self._numbers = {"inv": count(1), "pay": count(1), "ref": count(1)}
        self._small = small

    def _id(self, kind: str) -> int | str:
        return next(self._numbers[kind]) if self._small else f"{kind}_{hexes(self._rng)}"

    def ask(self, method: str, path: str, status: int, answer=None, **more) -> None:
        at = float(len(self.seen))
        self.seen.append(call(method, path, status=status, answer=answer, at=at, **more))

    def invoice(self, session: str = "clerk") -> int | str:
        one = self._id("inv")
        body = {"customer": "Acme", "amount": 12.5}
        self.ask("POST", "/invoices", 201, {"id": one, **body}, body=body, session=session)
        return one

    def approve(self, one) -> None:
        answer = {"id": one, "state": "approved"}
        self.ask("POST", f"/invoices/{one}/approve", 200, answer, session="boss", role="boss")

    def pay(self, one) -> int | str:
        paid = self._id("pay")
        answer = {"id": paid, "invoice_id": one, "amount": 5}
        self.ask("POST", f"/invoices/{one}/payments", 201, answer, body={"amount": 5})
        return paid

    def refund(self, paid, *, again: bool = False) -> None:
        body = {"amount": 2, "reason": "late"}
        if again:
            answer = {"error": "DuplicateRefund", "message": "it was issued before"}
            self.ask("POST", f"/payments/{paid}/refunds", 409, answer, body=body)
        else:
            answer = {"id": self._id("ref"), "payment_id": paid, **body}
            self.ask("POST", f"/payments/{paid}/refunds", 201, answer, body=body)

    def look(self, one) -> None:
        self.ask("GET", f"/invoices/{one}", 200, {"id": one, "amount": 12.5})
        self.ask("GET", "/invoices", 200, {"items": [{"id": one}], "total": 1})

    def login(self) -> None:
        body = {"user": "clerk", "password": make_token(KEY, "secret word")}
        answer = {"token": make_token(KEY, f"t{len(self.seen)}" * 6)}
        self.ask("POST", "/login", 200, answer, body=body)


def story(*, small: bool = False, times: int = 6) -> list[Exchange]:
    clerk = Clerk(small=small)
    for _ in range(times):
        clerk.login()
        one, other = clerk.invoice(), clerk.invoice()
        clerk.look(one)
        clerk.approve(one)
        clerk.approve(other)
        clerk.pay(one)
        first, second = clerk.pay(one), clerk.pay(other)
        clerk.look(other)
        clerk.refund(first)
        clerk.refund(second)
        clerk.refund(second, again=True)
        clerk.look(one)
    return clerk.seen


def steps(profile: Profile, operation_id: str, status: int) -> list[str]:
    recipes = profile.operation(operation_id).recipes
    recipe = next(r for r in recipes if r.status == status)
    return [step.operation_id for step in recipe.steps]


INVOICE, APPROVE = "POST /invoices", "POST /invoices/{invoice_id}/approve"
PAY, REFUND = "POST /invoices/{invoice_id}/payments", "POST /payments/{payment_id}/refunds"


def test_a_refund_needs_invoice_approval_and_payment():
    for small in (False, True):
        profile = learn(story(small=small))
        assert steps(profile, REFUND, 201) == [INVOICE, APPROVE, PAY, REFUND]


def test_a_refused_repetition_needs_what_it_repeats():
    for small in (False, True):
        profile = learn(story(small=small))
        assert steps(profile, REFUND, 409) == [INVOICE, APPROVE, PAY, REFUND, REFUND]


def test_recipes_name_who_did_each_step():
    recipe = learn(story()).operation(PAY).recipes[0]
    assert [step.role for step in recipe.steps] == ["user", "boss", "user"]


def test_refusals_of_one_status_with_different_reasons_have_recipes_of_their_own():
    clerk = Clerk()
    one, other = clerk.invoice(), clerk.invoice()
    clerk.approve(one)
    clerk.approve(other)
    twice, paid = clerk.pay(one), clerk.pay(other)
    clerk.refund(twice)
    clerk.refund(twice, again=True)
    answer = {"error": "RefundExceedsPayment", "message": "too much"}
    clerk.ask("POST", f"/payments/{paid}/refunds", 409, answer, body={"amount": 99})
    found = [r for r in learn(clerk.seen).operation(REFUND).recipes if r.status == 409]
    assert sorted(len(recipe.steps) for recipe in found) == [4, 5]


def test_whoever_asks_by_several_names_that_a_list_told_needs_all_who_told_them_first():
    clerk, codes = Clerk(), [hexes(Random(n)) for n in range(3)]
    for code in codes:
        clerk.ask("POST", "/batches", 202, {"queued": 1}, body={"trace_id": code})
    clerk.ask("GET", "/traces", 200, {"data": [{"trace_id": code} for code in codes]})
    clerk.ask("POST", "/marks", 200, {"ok": True}, body={"trace_ids": codes})
    found = steps(learn(clerk.seen), "POST /marks", 200)
    assert found == [*["POST /batches"] * 3, "GET /traces", "POST /marks"]


def test_a_login_is_in_no_recipe_and_has_none():
    profile = learn(story())
    logins = {e.id for e in story() if e.request.path == "/login"}
    used = {s.exchange_id for o in profile.operations for r in o.recipes for s in r.steps}
    assert not logins & used
    assert profile.operation("POST /login").recipes == ()


def test_an_operation_that_needs_nothing_has_a_recipe_of_one_step():
    assert steps(learn(story()), "GET /invoices", 200) == ["GET /invoices"]


def test_links_lead_from_the_answer_that_made_a_value_to_the_request_that_used_it():
    profile = learn(story())
    found = {(x.producer, str(x.select), x.consumer, str(x.place)) for x in profile.links}
    assert (INVOICE, "body:/id", APPROVE, "path:invoice_id") in found
    assert (PAY, "body:/id", REFUND, "path:payment_id") in found
    best = next(x for x in profile.links if x.consumer == REFUND)
    assert best.confidence == 1.0
    assert best.support == 18


def test_small_numbers_link_only_where_the_names_agree():
    profile = learn(story(small=True))
    pairs = {(x.producer, x.consumer) for x in profile.links}
    assert (PAY, REFUND) in pairs
    assert (INVOICE, REFUND) not in pairs


def test_constants_and_quantities_link_nothing():
    exchanges = [
        call("GET", "/stock", answer={"count": n, "state": "open", "page": 1}, at=n)
        for n in range(20)
    ]
    exchanges += [
        call("POST", "/orders", body={"quantity": n, "state": "open"}, at=50 + n, status=204)
        for n in range(20)
    ]
    assert learn(exchanges).links == ()


def test_an_etag_links_to_the_condition_that_sends_it_back():
    exchanges = []
    for n in range(4):
        tag, path = f'"{n}77{n}"', f"/docs/{uuid(Random(n))}"
        exchanges.append(call("GET", path, answer={"n": n}, answer_headers=(("etag", tag),), at=n))
        condition = (("if-match", tag),)
        exchanges.append(call("PUT", path, body={"n": 1}, headers=condition, at=n + 0.5))
    found = {(str(x.select), str(x.place)) for x in learn(exchanges).links}
    assert ("header:etag", "header:if-match") in found


def test_a_resource_that_the_client_named_belongs_to_one_flow_with_its_use():
    exchanges = []
    for n, name in enumerate(["alpha", "beta"]):
        at = n * 10.0
        exchanges += [
            call("PUT", f"/rooms/{name}", status=201, answer={"id": name}, at=at, session="a"),
            call("PUT", f"/rooms/{name}/seats/front", status=201, at=at + 1, session="b"),
            call("GET", f"/rooms/{name}/seats/front", answer={"id": "front"}, at=at + 2),
        ]
    profile = learn(exchanges)
    assert [len(flow.exchange_ids) for flow in profile.flows] == [3, 3]
    seat = "/rooms/{room_id}/seats/{seat_id}"
    assert steps(profile, f"GET {seat}", 200) == [
        "PUT /rooms/{room_id}",
        f"PUT {seat}",
        f"GET {seat}",
    ]


def test_what_shares_nothing_is_grouped_by_session():
    exchanges = [call("GET", "/news", at=n, session=f"s{n % 2}") for n in range(6)]
    assert sorted(len(f.exchange_ids) for f in learn(exchanges).flows) == [3, 3]


def test_a_long_flow_is_cut():
    clerk = Clerk()
    one = clerk.invoice()
    for _ in range(FLOW_MAX):
        clerk.approve(one)
    assert [len(f.exchange_ids) for f in learn(clerk.seen).flows] == [FLOW_MAX, 1]


paths = st.sampled_from(["/a", "/a/{}", "/a/{}/x", "/b/{}", "/b"])
requests = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    paths,
    st.integers(1, 5),
    st.sampled_from([200, 201, 404]),
    st.sampled_from(["", "s1", "s2"]),
)


@given(st.lists(requests, max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_exchange_is_in_exactly_one_flow_and_recipes_stay_in_order(made):
    exchanges = [
        call(method, path.replace("{}", str(n)), status=status, answer={"id": n}, at=at, session=s)
        for at, (method, path, n, status, s) in enumerate(made)
    ]
    profile = learn(exchanges)
    ids = Counter(i for flow in profile.flows for i in flow.exchange_ids)
    assert ids == Counter(exchange.id for exchange in exchanges)
    order = {exchange.id: at for at, exchange in enumerate(exchanges)}
    for operation in profile.operations:
        for recipe in operation.recipes:
            at = [order[step.exchange_id] for step in recipe.steps]
            assert at == sorted(at)
            assert recipe.steps[-1].operation_id == operation.id


def test_putting_an_account_is_no_login_and_may_be_in_recipes():
    password, digest = make_token(KEY, "open sesame"), make_token(KEY, "a digest of it")
    exchanges = [
        call(
            "PUT",
            "/accounts/ada",
            status=201,
            body={"password": password},
            answer={"id": "ada", "password": digest},
            at=1.0,
        ),
        call("DELETE", "/accounts/ada", answer={"id": "ada"}, at=2.0),
    ]
    found = steps(learn(exchanges), "DELETE /accounts/{account_id}", 200)
    assert found == ["PUT /accounts/{account_id}", "DELETE /accounts/{account_id}"]


def test_what_a_search_found_was_put_there_by_whoever_told_it_first():
    trace = hexes(Random(1))
    exchanges = [
        call("POST", "/uploads", status=202, body={"span": {"trace_ref": trace}}, at=1.0),
        call("GET", "/search", answer={"hits": [{"trace_ref": trace}]}, at=2.0),
        call("GET", f"/views/{trace}", answer={"n": 1}, at=3.0),
    ]
    found = steps(learn(exchanges), "GET /views/{view_id}", 200)
    assert found == ["POST /uploads", "GET /search", "GET /views/{view_id}"]


def test_a_resource_that_a_body_names_by_path_belongs_to_the_recipe():
    seen = []
    for name in (f"room{n}x{n * 7}" for n in range(8)):
        seen += [
            call("PUT", f"/v1/rooms/{name}", status=201, body={"label": name}),
            call("PUT", f"/v1/teams/{name}-team", status=201, body={"members": ["ann"]}),
            call(
                "PUT",
                f"/v1/rooms/{name}/boards/plans",
                status=201,
                body={"writers": [f"/teams/{name}-team"]},
            ),
            call("PUT", f"/v1/rooms/{name}/boards/plans/notes/first", status=201, body={"n": 1}),
        ]
    dated = [replace(exchange, started_at=float(i)) for i, exchange in enumerate(seen)]
    profile = learn(dated)
    note = next(o for o in profile.operations if "/notes/" in o.id)
    assert [step.operation_id.split("/")[2] for step in note.recipes[0].steps] == [
        *("rooms", "teams", "rooms", "rooms")
    ]
