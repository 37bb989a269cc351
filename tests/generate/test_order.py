from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.run import Sequence
from premortem.domain.traffic import Flow, Operation, OperationProfile
from premortem.generate import Mutator
from tests.generate import small

PAY = "POST /invoices/{invoice_id}/payments"
READ = "GET /invoices/{invoice_id}"
REMOVE = Operation(method="DELETE", template="/invoices/{invoice_id}")


def orders(operation=PAY, profile=None, recorded=None) -> dict[str, Sequence]:
    known = profile or small.profile()
    made = Mutator(known, recorded or small.recorded(), 1).sequences(operation, 20)
    return {s.cases[-1].origin.operator: s for s in made}


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


def removing(*, gone: bool):
    """The small profile with deletions; GONE: production was refused after one."""
    recorded = {
        **small.recorded(),
        "remove": small.exchange("DELETE", "/invoices/inv_71k2m9", 204, at=20),
        "after": small.exchange("GET", "/invoices/inv_71k2m9", 404 if gone else 200, at=21),
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


def test_after_its_deletion_a_thing_is_gone_where_production_showed_that():
    sequence = orders(READ, *removing(gone=True))["late"]
    assert lines(sequence) == ["POST 1", "DELETE 2", "GET 2"]
    intent = sequence.cases[-1].intent
    assert (intent.breaks, intent.expects) == ("path:invoice_id unknown", "refusal")


def test_nobody_is_accused_of_keeping_what_was_deleted():
    sequence = orders(READ, *removing(gone=False))["late"]
    assert sequence.cases[-1].intent.breaks == "order after deletion"
    assert not sequence.cases[-1].intent.certain


def test_each_call_goes_on_and_ends():
    source = Mutator(small.profile(), small.recorded(), 1)
    first, rest = source.sequences(PAY, 1), source.sequences(PAY, 50)
    assert len(first) == 1
    assert first[0].id not in {s.id for s in rest}
    assert source.sequences(PAY, 5) == []
    assert replace(first[0]) == first[0]
