import pytest

from premortem.agent.bind import bind
from premortem.agent.bindings import Bindings, StateHook
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step

BINDINGS = Bindings(
    states={
        "order": {
            "shipped": StateHook(requests=("POST /orders/${id}/ship",)),
            "open": StateHook(read="GET /orders/${id}", field="state"),
        }
    }
)


def problem(text, docstring=""):
    step = Step(keyword="When", text=text, docstring=docstring)
    scenario = Scenario(title="t", feature="f", steps=(step,), origin=ScenarioOrigin())
    return bind(scenario, bindings=BINDINGS, roles=["Buyer"])[0].problem


@pytest.mark.parametrize(
    ("text", "docstring"),
    [
        ('the actor "ann" has role "Buyer"', ""),
        ('"ann" sends "GET" to "/orders?x=1"', ""),
        ('"ann" sends "POST" to "/orders" with:', "{}"),
        ('the "order" "1" is in state "shipped"', ""),
        ('the "order" "1" should be in state "open"', ""),
        ("the response matches:", '{"a": 1}'),
    ],
)
def test_a_step_of_the_catalogue_binds(text, docstring):
    assert problem(text, docstring) == ""


@pytest.mark.parametrize(
    ("text", "docstring", "said"),
    [
        ("the response has status 200", "", "the response status is {int}"),
        ('the actor "ann" has role "Pilot"', "", "Buyer"),
        ('"ann" sends "get it" to "/orders"', "", "no HTTP method"),
        ('"ann" sends "GET" to "http://elsewhere/"', "", "path of the target"),
        ('"ann" sends "GET" to "//elsewhere/"', "", "path of the target"),
        ('"ann" sends "POST" to "/orders" with:', "", "docstring"),
        ('"ann" sends "POST" to "/orders"', "{}", "no docstring"),
        ("the response matches:", "{", "not JSON"),
        ('the "order" "1" is in state "lost"', "", "states.order.lost"),
        ('the "order" "1" is in state "open"', "", "no `requests`"),
        ('the "order" "1" should be in state "shipped"', "", "no `read`"),
        ('the response field "/id" is saved as "my id"', "", "variable name"),
        ("the last request is repeated 0 times", "", "between 1 and"),
        ("the last request is repeated 5000 times", "", "between 1 and"),
    ],
)
def test_what_does_not_bind_says_why(text, docstring, said):
    assert said in problem(text, docstring)


def test_and_takes_over_the_keyword_before_it():
    steps = tuple(
        Step(keyword=keyword, text="the response status is 200")
        for keyword in ("Given", "And", "When", "And", "Then", "And")
    )
    scenario = Scenario(title="t", feature="f", steps=steps, origin=ScenarioOrigin())
    bound = bind(scenario, bindings=BINDINGS, roles=[])
    assert [s.keyword for s in bound] == ["Given", "Given", "When", "When", "Then", "Then"]
