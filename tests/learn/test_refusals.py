"""A recipe of a refusal carries what made production refuse."""

from __future__ import annotations

from premortem.domain.traffic import Exchange, Profile
from premortem.learn import learn_profile
from premortem.learn.recipes import STEPS_MAX
from tests.learn.services import call

REFUSED = {"error": "TooMuch", "message": "less is left"}


class Till:
    """Writes down what happened to deposits, whose parts are given back."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []
        self._count = 0

    def ask(self, method: str, path: str, status: int, answer: object, body: object = None) -> None:
        at = float(len(self.seen))
        self.seen.append(call(method, path, status=status, answer=answer, body=body, at=at))

    def new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count * 7919:06}a{self._count * 104729 % 99991:05}"

    def deposit(self) -> str:
        one = self.new("dep")
        self.ask("POST", "/deposits", 201, {"id": one}, {"amount": 10})
        return one

    def give(self, one: str, amount: int, *, status: int = 201) -> None:
        answer = {"id": self.new("giv")} if status == 201 else REFUSED
        self.ask("POST", f"/deposits/{one}/returns", status, answer, {"amount": amount})

    def learned(self) -> Profile:
        return learn_profile(lambda: iter(self.seen), spec=None, now=1.0)

    def steps(self, operation_id: str, status: int) -> list[str]:
        operation = self.learned().operation(operation_id)
        assert operation is not None
        found = [r for r in operation.recipes if r.status == status]
        return [step.operation_id for step in found[0].steps] if found else []


RETURN = "POST /deposits/{deposit_id}/returns"


def test_everything_that_was_taken_before_comes_before_what_was_too_much():
    till = Till()
    for _ in range(4):
        one = till.deposit()
        for amount in (2, 2, 2, 2):
            till.give(one, amount)
        till.give(one, 3, status=409)
    assert till.steps(RETURN, 409) == ["POST /deposits", *[RETURN] * 5]
    assert till.steps(RETURN, 201) == ["POST /deposits", RETURN]


def test_what_was_done_by_way_of_something_else_counts_too():
    till = Till()
    for _ in range(4):
        one, wish = till.deposit(), till.new("wis")
        till.ask("POST", f"/deposits/{one}/wishes", 201, {"id": wish}, {"amount": 9})
        till.ask("POST", f"/wishes/{wish}/pay", 200, {"id": wish, "given": till.new("giv")})
        till.give(one, 5, status=409)
    made = ["POST /deposits", "POST /deposits/{deposit_id}/wishes", "POST /wishes/{wish_id}/pay"]
    assert till.steps(RETURN, 409) == [*made, RETURN]


def test_what_bodies_name_counts_like_what_paths_name():
    till = Till()
    for _ in range(4):
        one = till.deposit()
        taken = {"deposit_id": one, "amount": 6}
        till.ask("POST", "/returns", 201, {"id": till.new("giv")}, taken)
        till.ask("POST", "/returns", 409, REFUSED, taken)
    assert till.steps("POST /returns", 409) == ["POST /deposits", "POST /returns", "POST /returns"]


def test_a_name_that_is_taken_was_taken_before():
    till = Till()
    for number in range(4):
        body = {"email": f"ann.{number}x7@post.example", "username": f"ann{number}x7q2"}
        till.ask("POST", "/members", 201, {"id": till.new("mem")}, body)
        till.ask("POST", "/members", 409, {"error": "Taken"}, body)
    assert till.steps("POST /members", 409) == ["POST /members", "POST /members"]


def test_without_all_that_led_to_it_a_refusal_gets_no_recipe():
    till = Till()
    one = till.deposit()
    for _ in range(STEPS_MAX + 2):
        till.give(one, 1)
    till.give(one, 9, status=409)
    assert till.steps(RETURN, 409) == []
    assert till.steps(RETURN, 201) == ["POST /deposits", RETURN]


def test_versions_of_different_resources_have_nothing_to_do_with_each_other():
    seen: list[Exchange] = []
    for number in range(6):
        path = f"/notes/note_{number * 7919:06}a{number}"
        tag = (("etag", '"1"'),)
        at = float(len(seen))
        seen.append(call("GET", path, status=200, answer={"text": "x"}, at=at, answer_headers=tag))
        match = (("if-match", '"1"'),)
        seen.append(call("PATCH", path, status=200, answer={}, body={}, at=at + 1, headers=match))
    profile = learn_profile(lambda: iter(seen), spec=None, now=1.0)
    assert [len(flow.exchange_ids) for flow in profile.flows] == [2] * 6
