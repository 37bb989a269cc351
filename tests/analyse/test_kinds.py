from __future__ import annotations

import msgspec
import pytest

from premortem.analyse import as_one, freedom_of, kind_of, same, shared_id
from premortem.analyse.kinds import as_declared
from premortem.domain.run import Intent, Sent, Sequence
from premortem.domain.traffic import Response
from tests.analyse.samples import BROKEN, READ, case, finding, profile, verdict

SHAPE = verdict("response_shape", "/paid type number string", "medium")


def shown(status: int, **changes):
    """A finding whose answer has STATUS."""
    made = finding(**changes)
    response = Response(status=status, body=b"{}")
    return msgspec.structs.replace(made, sent=msgspec.structs.replace(made.sent, response=response))


def recorded(count: int):
    one = case(READ, "/invoices/inv_1", recorded_status=200)
    return [(one, Sent(request=one.request, response=Response(status=200)))] * count


def test_an_error_of_the_service_is_a_defect_whatever_production_did():
    kind, why = kind_of(shown(500), recorded=recorded(3), judge=lambda *_: (verdict(),))
    assert (kind, bool(why)) == ("defect", True)


def test_what_production_answered_too_is_drift():
    made = shown(200, check="response_shape", verdict=SHAPE)
    kind, why = kind_of(made, recorded=recorded(3), judge=lambda *_: (SHAPE,))
    assert kind == "drift"
    assert "3 of 3" in why
    kind, why = kind_of(made, recorded=recorded(3), judge=lambda *_: ())
    assert kind == "defect"
    assert "none of 3" in why


def test_what_came_again_now_and_then_is_flaky_but_for_a_race():
    made = shown(200, reproduced=2, reproduction_tries=5, verdict=SHAPE)
    assert kind_of(made, judge=lambda *_: ()) == (
        "flaky",
        "it came again in 2 of 5 tries from a fresh state",
    )
    together = Sequence(cases=tuple(case(READ, "/x", together=1) for _ in range(2)))
    kind, why = kind_of(msgspec.structs.replace(made, sequence=together), judge=lambda *_: ())
    assert kind == "defect"
    assert "race" in why


@pytest.mark.parametrize(
    ("status", "declared", "kind"),
    [
        (405, (200, 422), "drift"),
        (400, (200,), "drift"),
        (400, (200, 422), "defect"),
        (202, (200,), "defect"),
    ],
)
def test_a_refusal_that_the_document_is_silent_about_is_drift(status, declared, kind):
    made = shown(
        status,
        check="undeclared_status",
        sequence=Sequence(cases=(case(READ, "/invoices/x", intent=BROKEN),)),
        verdict=verdict("undeclared_status", f"status {status}", "low"),
    )
    assert kind_of(made, declared=declared, judge=lambda *_: ())[0] == kind


def test_drift_is_one_finding_and_so_is_one_frame_in_the_log():
    made = finding()
    assert shared_id(made) == made.id
    one = msgspec.structs.replace(made, cause="KeyError at app/store.py:load")
    two = msgspec.structs.replace(
        one,
        id="other",
        operation_id=READ,
        sequence=Sequence(cases=(case(READ, "/invoices/x"),)),
        count=4,
    )
    assert shared_id(one) == shared_id(two) != made.id
    merged = as_one(one, two)
    assert (merged.operation_id, merged.operations) == (READ, (made.operation_id,))
    assert merged.count == made.count + 4
    assert as_one(merged, one).operations == (made.operation_id,)


@pytest.mark.parametrize("check", ["content_type", "undeclared_status"])
def test_what_the_document_calls_otherwise_in_many_operations_is_one_finding(check):
    made = shown(422, check=check, verdict=verdict(check, "media type a/b"))
    other = msgspec.structs.replace(made, id="other", operation_id=READ)
    assert made.kind == other.kind != "drift"
    assert shared_id(made) == shared_id(other)
    apart = msgspec.structs.replace(other, signature="media type a/c")
    assert shared_id(apart) != shared_id(made)


def test_what_may_be_left_out_follows_from_what_the_verdict_rests_on():
    def declared(said):
        """Checks that say it of a message alone, or only of a certain broken constraint."""
        return lambda given, _sent, _before: (said,) if given.intent.certain else ()

    one = case(READ, "/invoices/x", intent=BROKEN, recorded_status=409)
    sent = (Sent(request=one.request, response=Response(status=200)),)
    alone = Sequence(cases=(one,))
    assert freedom_of(alone, sent, SHAPE, lambda *_: (SHAPE,)) == "free"
    assert freedom_of(alone, sent, SHAPE, declared(SHAPE)) == "free"
    assert freedom_of(alone, sent, SHAPE, lambda *_: ()) == "same_state"
    unsure = Sequence(cases=(case(READ, "/x", intent=Intent(breaks="role Guest")),))
    assert freedom_of(unsure, sent, SHAPE, declared(SHAPE)) == "same_state"
    held = Intent(expects="gone", against=0)
    after = Sequence(cases=(one, case(READ, "/x", intent=held)))
    assert freedom_of(after, sent * 2, SHAPE, lambda *_: (SHAPE,)) == "same_state"


def test_nothing_that_was_learned_is_left_of_a_profile_as_declared():
    declared = as_declared(profile())
    assert not any(o.roles or o.recipes or o.exemplars or o.count for o in declared.operations)
    assert [o.id for o in declared.operations] == [o.id for o in profile().operations]


def test_the_same_verdict_is_told_by_check_and_signature():
    other = verdict(evidence="another time")
    assert same(verdict(), [SHAPE, other]) is other
    assert same(verdict(), [SHAPE]) is None
