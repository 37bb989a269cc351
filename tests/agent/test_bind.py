import pytest

from premortem.agent.steps.bind import bind
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.hooks import Clock, Database, EventSink, StateHook, Switch
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step

BINDINGS = Bindings(
    states={
        "order": {
            "shipped": StateHook(requests=("POST /orders/${id}/ship",)),
            "open": StateHook(read="GET /orders/${id}", field="state"),
        }
    },
    editions={"lite": Switch(headers={"x-edition": "lite"})},
    services={"bank": Switch(requests=("POST /bank/${value}",))},
    database=Database(url="sqlite:///shop.db"),
    tables={"orders": "orders"},
    events={"Shipped": EventSink(file="events.jsonl")},
)


def problem(text, docstring="", table=()):
    step = Step(keyword="When", text=text, docstring=docstring, table=table)
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
        ('the actor "ann" presents a token with claim "signature" set to "x"', ""),
        ('the edition is "lite"', ""),
        ('the service "bank" answers with status 503', ""),
        ('the table "orders" contains:', '[{"id": 1}, {"id": 2}]'),
        ('the table "orders" has 1 rows where:', '{"id": 1}'),
        ('nothing changed in the table "orders"', ""),
        ('"ann" sends "POST" to "/orders" 9 times at once with:', "{}"),
        ('the event "Shipped" is recorded 0 times', ""),
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
        ('the actor "ann" presents a token with claim "exp" set to "x"', "", "[tokens]"),
        ('the edition is "pro"', "", "editions.pro"),
        ('the time is "2028-02-29"', "", "no [clock]"),
        ('the service "post" answers with status 503', "", "services.post"),
        ('the service "bank" answers with status 5030', "", "no HTTP status"),
        ("the response status is 4099", "", "no HTTP status"),
        ('the table "refunds" has 1 rows', "", "there: orders"),
        ('the table "orders" contains:', "", "data table"),
        ('the table "orders" contains:', "[1]", "object of columns"),
        ('the table "orders" contains:', "[]", "between 1 and"),
        ('the table "orders" has 1 rows where:', '[{"id": 1}, {"id": 2}]', "one row"),
        ('the event "Lost" is recorded 1 times', "", "events.Lost"),
        ('"ann" sends "POST" to "/orders" 1 times at once', "", "between 2 and"),
        ('"ann" sends "POST" to "orders" 2 times at once', "", "path of the target"),
        ('the next request carries the header "a b" set to "x"', "", "no name of a header"),
        ('the next request carries the header "Host" set to "x"', "", "from the request itself"),
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


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ((("id", "id"), ("1", "2")), "names of their own"),
        ((("id", ""), ("1", "2")), "names of their own"),
        ((("id", "a"), ("1",)), "as long as the first"),
        ((("id",),), "between 1 and"),
        ((("id",), ("1",)), ""),
    ],
)
def test_a_table_has_named_columns_and_full_rows(table, said):
    assert said in problem('the table "orders" contains:', table=table)
    assert "takes no data table" in problem("the response status is 200", table=table)


@pytest.mark.parametrize(
    ("time", "binds"),
    [("2028-02-29T23:59:59Z", True), ("2028-02-29", True), ("${at}", True), ("2027-02-29", False)],
)
def test_a_time_is_one_that_there_is(time, binds):
    step = Step(keyword="Given", text=f'the time is "{time}"')
    scenario = Scenario(title="t", feature="f", steps=(step,), origin=ScenarioOrigin())
    clocked = Bindings(clock=Clock(headers={"x-now": "${value}"}))
    [bound] = bind(scenario, bindings=clocked, roles=[])
    assert (not bound.problem) == binds
