from __future__ import annotations

import pytest
from msgspec.structs import replace

from premortem.domain.places import parse_place
from premortem.domain.relations import StateMachine, Transition
from premortem.domain.run import Sequence
from premortem.domain.traffic import (
    Answer,
    Exchange,
    Flow,
    Operation,
    OperationProfile,
    Profile,
    Recipe,
)
from premortem.generate import Mutator
from premortem.generate.order_again import other_tag
from tests.generate import small

PAY = "POST /invoices/{invoice_id}/payments"
READ = "GET /invoices/{invoice_id}"
REMOVE = Operation(method="DELETE", template="/invoices/{invoice_id}")


def orders(operation=PAY, profile=None, recorded=None) -> dict[str, Sequence]:
    known = profile or small.profile()
    made = Mutator(known, recorded or small.recorded(), 1).sequences(operation, 100)
    return {s.cases[-1].origin.operator: s for s in reversed(made)}


def lines(sequence: Sequence) -> list[str]:
    return [f"{c.request.method} {c.request.path.count('/')}" for c in sequence.cases]


def test_only_the_last_case_is_what_is_tried():
    for sequence in orders().values():
        assert [case.setup for case in sequence.cases[:-1]] == [True] * (len(sequence.cases) - 1)
        last = sequence.cases[-1]
        assert (last.setup, last.intent.kind, last.origin.source) == (
            False,
            "adversarial",
            "mutate",
        )
        assert last.operation_id == PAY


def test_bindings_lead_to_the_cases_that_bring_the_values():
    for sequence in orders().values():
        for index, case in enumerate(sequence.cases):
            for binding in case.bindings:
                assert binding.step < index
                assert sequence.cases[binding.step].operation_id == "POST /invoices"


def test_a_request_is_repeated():
    assert lines(orders()["repeat"]) == ["POST 1", "POST 3", "POST 3"]


def test_a_request_comes_before_what_it_needs_and_again_in_its_turn():
    swapped = orders()["swap"]
    assert lines(swapped) == ["POST 3", "POST 1", "POST 3"]
    assert swapped.cases[0].bindings == ()
    assert {b.step for b in swapped.cases[2].bindings} == {1}


def test_without_the_step_that_makes_it_the_thing_is_not_there():
    skipped = orders()["skip"]
    assert lines(skipped) == ["POST 3"]
    assert skipped.cases[0].bindings == ()
    assert skipped.cases[0].intent.expects == "refusal"
    assert not skipped.cases[0].intent.certain


def test_what_is_read_twice_is_the_same():
    again = orders(READ)["repeat"]
    assert lines(again) == ["POST 1", "GET 2", "GET 2"]
    intent = again.cases[-1].intent
    assert (intent.expects, intent.against) == ("same", 1)


def test_what_was_made_is_there_for_who_made_it():
    sequence = orders(READ)["make and read"]
    assert lines(sequence) == ["POST 1", "GET 2"]
    intent = sequence.cases[-1].intent
    assert (intent.expects, intent.against) == ("there", 0)
    assert sequence.cases[0].role == sequence.cases[1].role == "clerk"


def removing(*, after: int):
    """The small profile with deletions; AFTER: what production answered to a reading after one."""
    recorded = {
        **small.recorded(),
        "remove": small.exchange("DELETE", "/invoices/inv_71k2m9", 204, at=20),
        "after": small.exchange("GET", "/invoices/inv_71k2m9", after, at=21),
    }
    deletion = OperationProfile(
        operation=REMOVE,
        count=3,
        roles={"clerk": {"204": 3}},
        exemplars=("remove",),
    )
    profile = small.profile(
        operations=(*small.operations(), deletion),
        flows=(Flow(exchange_ids=tuple(recorded), started_at=1.0),),
    )
    return profile, recorded


def test_after_its_deletion_a_thing_is_gone():
    for operation, expects in ((READ, "gone"), (PAY, "answer")):
        sequence = orders(operation, *removing(after=404))["late"]
        assert [line[:6] for line in lines(sequence)][:2] == ["POST 1", "DELETE"]
        intent = sequence.cases[-1].intent
        assert intent.breaks == "order after deletion"
        assert intent.expects == expects, "of other requests only what production showed"


def test_nobody_is_accused_of_keeping_what_was_deleted_as_production_kept_it():
    sequence = orders(READ, *removing(after=200))["late"]
    assert sequence.cases[-1].intent.expects == "answer"


def test_what_was_deleted_is_made_anew_and_used():
    sequence = orders(READ, *removing(after=404))["revive"]
    assert lines(sequence) == ["POST 1", "DELETE 2", "POST 1", "GET 2"]


def flow_of(*more: Exchange, profile: Profile | None = None):
    """The small profile whose one flow goes on with MORE."""
    recorded = {**small.recorded(), **{f"more{n}": e for n, e in enumerate(more)}}
    ids = tuple(recorded)
    return replace(
        profile or small.profile(), flows=(Flow(exchange_ids=ids, started_at=1.0),)
    ), recorded


def paying(status: int, at: float) -> Exchange:
    body = {"amount": 10.5, "invoice": "inv_71k2m9"}
    return small.exchange(
        "POST", "/invoices/inv_71k2m9/payments", status, body=body, answer={"id": 8}, at=at
    )


def test_what_production_refused_the_second_time_is_to_be_refused():
    known = orders(PAY, *flow_of(paying(409, 30)))
    intent = known["repeat"].cases[-1].intent
    assert (intent.expects, intent.certain, intent.if_passed) == ("refusal", True, 1)
    at_once = known["at once"].cases
    assert [case.together for case in at_once] == [0, 1, 1, 1]
    assert [case.setup for case in at_once] == [True, True, True, False]
    assert (at_once[-1].intent.expects, at_once[-1].intent.against) == ("once", 1)
    assert at_once[-1].intent.if_refused == -1


def test_what_once_came_through_twice_is_not():
    known = orders(PAY, *flow_of(paying(201, 30), paying(409, 31)))
    assert known["repeat"].cases[-1].intent.expects == "answer"


def test_whether_one_at_most_may_pass_is_tried_on_another_thing_first():
    cases = orders(PAY)["at once"].cases
    assert [case.operation_id.split(" ")[1].count("/") for case in cases] == [1, 3, 3, 1, 3, 3, 3]
    intent = cases[-1].intent
    assert (intent.expects, intent.against) == ("once", 4)
    assert (intent.if_passed, intent.if_refused) == (1, 2)
    assert {b.step for b in cases[2].bindings} == {0}
    assert {b.step for b in cases[-1].bindings} == {3}


def test_a_refused_request_leaves_what_is_read_as_it_was():
    made = Mutator(small.profile(), small.recorded(), 1).sequences(READ, 100)
    rows = [s.cases for s in made if s.cases[-1].origin.operator == "read around a refusal"]
    ways = [[c.operation_id for c in cases] for cases in rows]
    assert ["POST /invoices", READ, "POST /invoices", READ] in ways
    cases = rows[ways.index(["POST /invoices", PAY, READ, PAY, READ])]
    intent = cases[-1].intent
    assert (intent.expects, intent.against, intent.if_refused) == ("same", 2, 3)


def with_header(name: str, *, operation: str = PAY) -> Profile:
    field = small.text_field(f"header:{name}", {"k" * 20: 3}, presence=0.5)
    changed = [
        replace(o, fields=(*o.fields, field)) if o.id == operation else o
        for o in small.operations()
    ]
    return small.profile(operations=tuple(changed))


def test_a_retry_under_one_key_has_no_second_effect():
    profile = with_header("idempotency-key")
    cases = orders(PAY, profile)["repeat with one key"].cases
    keys = {case.request.header("idempotency-key") for case in cases[1:]}
    assert len(keys) == 1
    assert keys != {None}
    assert (cases[-1].intent.expects, cases[-1].intent.against) == ("same", 1)
    around = orders(READ, profile)["read around a retry"].cases
    assert [c.operation_id for c in around] == ["POST /invoices", PAY, READ, PAY, READ]
    assert (around[-1].intent.against, around[-1].intent.if_passed) == (2, 1)
    assert "repeat with one key" not in orders(PAY)


def test_a_change_of_a_version_that_is_not_there_is_refused_where_versions_are_known():
    profile = with_header("if-match")
    intent = orders(PAY, profile)["stale version"].cases[-1].intent
    assert (intent.expects, intent.certain) == ("answer", False)
    known = [
        replace(o, answers=(Answer(status=412, count=2),)) if o.id == PAY else o
        for o in profile.operations
    ]
    stale = orders(PAY, replace(profile, operations=tuple(known)))["stale version"].cases[-1]
    assert (stale.intent.expects, stale.intent.certain) == ("refusal", True)
    assert stale.request.header("if-match")
    assert "stale version" not in orders(PAY)


@pytest.mark.parametrize(
    ("tag", "other"),
    [('"1"', '"999999999"'), ('"1700000000123"', '"1000000000000"'), ("", '"premortem-0"')],
)
def test_another_version_looks_like_one(tag, other):
    assert other_tag(tag) == other


def logging_in(token: str = "rdxq7k2m4n8p1s5t9") -> dict[str, Exchange]:
    given = {"token": token, "session_id": "ses_9x8c7v6b"}
    bearer = (("authorization", f"Bearer {token}"),)
    listing = small.exchange("GET", "/invoices", 200, answer=[], at=42)
    ending = small.exchange("DELETE", "/sessions/ses_9x8c7v6b", 204, at=43)
    return {
        "login": small.exchange(
            "POST", "/login", 200, body={"password": "x"}, answer=given, role="", at=41
        ),
        **{
            name: replace(e, request=replace(e.request, headers=bearer))
            for name, e in (("used", listing), ("ended", ending))
        },
    }


def signing() -> tuple[Profile, dict[str, Exchange]]:
    recorded = {**small.recorded(), **logging_in()}
    login = Operation(method="POST", template="/login")
    end = Operation(method="DELETE", template="/sessions/{session_id}")
    more = (
        OperationProfile(operation=login, count=9, exemplars=("login",)),
        OperationProfile(operation=end, count=9, roles={"clerk": {"204": 9}}, exemplars=("ended",)),
    )
    return small.profile(operations=(*small.operations(), *more)), recorded


def test_credentials_are_worth_nothing_after_their_session_was_ended():
    cases = orders("GET /invoices", *signing())["use after revocation"].cases
    assert [c.operation_id for c in cases] == [
        "POST /login",
        "GET /invoices",
        "DELETE /sessions/{session_id}",
        "GET /invoices",
    ]
    intent = cases[-1].intent
    assert (intent.expects, intent.against, intent.if_passed) == ("denied", 2, 1)
    for case in cases[1:]:
        assert case.role == ""
        bound = {str(b.place): (b.step, str(b.select)) for b in case.bindings}
        assert bound["header:authorization"] == (0, "body:/token")
    assert {str(b.place) for b in cases[2].bindings} >= {"path:1"}


def test_two_visits_side_by_side_do_not_change_each_others_things():
    cases = orders(READ)["interleave"].cases
    assert [c.operation_id for c in cases] == ["POST /invoices", READ, "POST /invoices", PAY, READ]
    assert {b.step for b in cases[3].bindings} == {2}
    assert {b.step for b in cases[4].bindings} == {0}
    assert (cases[-1].intent.expects, cases[-1].intent.against) == ("same", 1)


CANCEL = "POST /invoices/{invoice_id}/cancel"


def cancelling() -> tuple[Profile, dict[str, Exchange]]:
    path = "/invoices/inv_71k2m9/cancel"
    recorded = {
        **small.recorded(),
        "cancel": small.exchange("POST", path, 200, answer={"id": "inv_71k2m9"}, at=9),
    }
    step = Recipe(operation_id=CANCEL, status=200, steps=small.steps("make", "cancel"))
    changed = [
        replace(o, count=5, recipes=(step,), exemplars=("cancel",)) if o.id == CANCEL else o
        for o in small.operations()
    ]
    link = next(k for k in small.profile().links if k.consumer == PAY)
    links = (*small.profile().links, replace(link, consumer=CANCEL))
    return small.profile(operations=tuple(changed), links=links), recorded


def machine(refused: int) -> StateMachine:
    moves = (
        Transition(operation_id=CANCEL, before='"open"', after='"cancelled"', passed=9),
        Transition(operation_id=PAY, before='"open"', passed=9),
        Transition(operation_id=PAY, before='"cancelled"', reason="NotOpen", refused=refused),
    )
    states = (('"open"', 20), ('"cancelled"', 9))
    return StateMachine(
        maker="POST /invoices", field="body:/status", things=9, states=states, transitions=moves
    )


@pytest.mark.parametrize(("refused", "expects"), [(0, "answer"), (1, "answer"), (2, "refusal")])
def test_a_transition_is_forbidden_only_where_production_refused_it(refused, expects):
    profile, recorded = cancelling()
    known = orders(PAY, replace(profile, machines=(machine(refused),)), recorded)
    cases = known["transition"].cases
    assert [c.operation_id for c in cases] == ["POST /invoices", CANCEL, PAY]
    intent = cases[-1].intent
    assert (intent.expects, intent.certain) == (expects, expects == "refusal")
    if expects == "refusal":
        assert (intent.breaks, intent.if_passed) == ('order after status="cancelled"', 1)


def test_bindings_name_earlier_cases_and_the_same_sequences_come_again():
    for operation in (READ, PAY, CANCEL, "GET /invoices"):
        profile, recorded = cancelling()
        first, again = (Mutator(profile, recorded, 1).sequences(operation, 100) for _ in range(2))
        assert first == again
        assert len({s.id for s in first}) == len(first)
        for sequence in first:
            for index, case in enumerate(sequence.cases):
                assert all(binding.step < index for binding in case.bindings)
                assert all(refers < len(sequence.cases) for refers in case.intent.refers)


def test_each_call_goes_on_and_ends():
    source = Mutator(small.profile(), small.recorded(), 1)
    first, rest = source.sequences(PAY, 1), source.sequences(PAY, 50)
    assert len(first) == 1
    assert first[0].id not in {s.id for s in rest}
    assert source.sequences(PAY, 5) == []
    assert replace(first[0]) == first[0]


def refusing(at: int, reason: str, amount: float = 10.5) -> Exchange:
    body = {"amount": amount, "invoice": "inv_71k2m9"}
    path = "/invoices/inv_71k2m9/payments"
    return small.exchange("POST", path, 409, body=body, answer={"error": reason}, at=at)


def test_half_of_what_is_refused_as_known_is_refused_again_too():
    twice = (refusing(30, "Twice"), refusing(31, "Twice"))
    cases = orders(PAY, *flow_of(*twice))["repeat in part"].cases
    assert [b'"amount":5.25' in case.request.body for case in cases] == [False, True, True]
    assert (cases[-1].intent.expects, cases[-1].intent.if_passed) == ("refusal", 1)
    used_up = (*twice, refusing(32, "Twice", amount=99))
    assert "repeat in part" not in orders(PAY, *flow_of(*used_up)), "it may be used up"
    assert "repeat in part" not in orders(PAY, *flow_of(twice[0]))


def test_what_a_state_forbids_is_tried_by_every_role_and_changes_nothing():
    profile, recorded = cancelling()
    roles = {"clerk": {"201": 3}, "boss": {"201": 1}, "guest": {"403": 2}}
    operations = [replace(o, roles=roles) if o.id == PAY else o for o in profile.operations]
    profile = replace(profile, operations=tuple(operations), machines=(machine(2),))
    made = Mutator(profile, recorded, 1).sequences(PAY, 100)
    tried = [s.cases[-1] for s in made if s.cases[-1].origin.operator == "transition"]
    assert {c.role for c in tried if c.intent.expects == "refusal"} == {"clerk", "boss"}
    cases = orders(READ, profile, recorded)["read around a ban"].cases
    assert [c.operation_id for c in cases] == ["POST /invoices", CANCEL, READ, PAY, READ]
    intent = cases[-1].intent
    assert (intent.expects, intent.against, intent.if_refused) == ("same", 2, 3)


def test_two_people_at_once_are_tried_like_one():
    roles = {"clerk": {"201": 3}, "boss": {"201": 1}}
    operations = [replace(o, roles=roles) if o.id == PAY else o for o in small.operations()]
    made = Mutator(small.profile(operations=tuple(operations)), small.recorded(), 1).sequences(
        PAY, 100
    )
    groups = [s.cases for s in made if s.cases[-1].origin.operator == "at once"]
    assert {tuple(c.role for c in cases if c.together) for cases in groups} >= {
        ("clerk", "boss"),
        ("clerk", "clerk", "clerk"),
    }


def test_pages_are_read_while_something_is_made():
    listing = "GET /invoices"
    fields = (small.number_field("query:limit", 1, 50), small.text_field("query:after", {"c1": 2}))
    operations = [
        replace(o, fields=(*o.fields, *fields)) if o.id == listing else o
        for o in small.operations()
    ]
    link = next(k for k in small.profile().links if k.consumer == PAY)
    own = replace(
        link,
        producer=listing,
        consumer=listing,
        select=parse_place("body:/next"),
        place=parse_place("query:after"),
    )
    profile = small.profile(operations=tuple(operations), links=(*small.profile().links, own))
    cases = orders(listing, profile)["pages under writes"].cases
    assert [c.operation_id for c in cases[-5:]] == [
        "POST /invoices",
        listing,
        "POST /invoices",
        listing,
        listing,
    ]
    first, second = cases[-4], cases[-2]
    assert first.request.query == (("limit", "2"),)
    assert [(str(b.select), str(b.place)) for b in second.bindings] == [
        ("body:/next", "query:after")
    ]
    assert second.bindings[0].step == len(cases) - 4
    assert "pages under writes" not in orders(listing)


def closing(*, word: str = "InvoiceCancelled") -> tuple[Profile, dict[str, Exchange]]:
    """The small profile with three more things that can be done to an invoice."""
    profile, recorded = cancelling()
    (link,) = [k for k in profile.links if k.consumer == CANCEL]
    more, links = [], []
    for verb in ("edit", "send", "remind"):
        id_ = f"POST /invoices/{{invoice_id}}/{verb}"
        path = f"/invoices/inv_71k2m9/{verb}"
        recorded[verb] = small.exchange("POST", path, 200, answer={"id": "inv_71k2m9"}, at=9)
        step = Recipe(operation_id=id_, status=200, steps=small.steps("make", verb))
        template = f"/invoices/{{invoice_id}}/{verb}"
        more.append(
            OperationProfile(
                operation=Operation(method="POST", template=template),
                count=3,
                recipes=(step,),
                exemplars=(verb,),
            )
        )
        links.append(replace(link, consumer=id_))
    known = machine(0)
    told = Transition(operation_id=more[0].id, before='"cancelled"', reason=word, refused=1)
    known = replace(known, transitions=(*known.transitions[:2], told))
    profile = replace(
        profile,
        operations=(*profile.operations, *more),
        links=(*profile.links, *links),
        machines=(known,),
    )
    return profile, recorded


def test_what_nobody_tried_in_a_closed_state_is_tried_behind_its_siblings():
    cases = orders(PAY, *closing())["closed state"].cases
    verbs = [c.operation_id.rpartition("/")[2] for c in cases]
    assert verbs == ["invoices", "cancel", "edit", "send", "remind", "payments"]
    intent = cases[-1].intent
    assert (intent.breaks, intent.expects) == ("order closed InvoiceCancelled", "refusal")
    assert (intent.against, intent.if_passed, intent.certain) == (2, 1, False)
    assert "closed state" not in orders(PAY, *closing(word="NotNow"))
