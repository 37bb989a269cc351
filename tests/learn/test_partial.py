"""Recordings that do not tell everything: what they do not tell is not learned as absent."""

from __future__ import annotations

from msgspec.structs import replace

from premortem.domain.traffic import Exchange, Profile, Response
from tests.learn.services import call
from tests.learn.test_flows import INVOICE, PAY, story
from tests.learn.test_profile import learn


def line(exchange: Exchange) -> Exchange:
    """EXCHANGE as an access log has it."""
    return replace(
        exchange,
        recorded="line",
        request=replace(exchange.request, headers=(), body=b""),
        response=Response(status=exchange.response.status),
    )


def unanswered(exchange: Exchange) -> Exchange:
    """EXCHANGE of which only the request was recorded."""
    return replace(exchange, recorded="request", response=Response(status=0), duration_ms=0.0)


def statuses(profile: Profile) -> set[int]:
    recipes = {r.status for o in profile.operations for r in o.recipes}
    return recipes | {a.status for o in profile.operations for a in o.answers}


def test_lines_teach_operations_statuses_queries_and_timing():
    whole = learn(story())
    lines = learn([line(e) for e in story()])
    assert {o.id for o in lines.operations} == {o.id for o in whole.operations}
    pay = lines.operation(PAY)
    assert {a.status: a.count for a in pay.answers} == {201: 18}
    assert (pay.unrecorded, pay.request_schema) == (18, "")
    assert [str(f.place) for f in pay.fields] == ["path:invoice_id"]
    assert lines.timing == whole.timing
    assert lines.follows == whole.follows


def test_lines_among_whole_recordings_lower_no_presence():
    mixed = [e if n % 3 else line(e) for n, e in enumerate(story())]
    for id_, status in ((INVOICE, 201), (PAY, 201)):
        operation = learn(mixed).operation(id_)
        assert 0 < operation.unrecorded < operation.count
        body = [f for f in operation.fields if f.place.part == "body"]
        assert body
        assert {f.presence for f in body} == {1.0}
        answer = next(a for a in operation.answers if a.status == status)
        assert {f.presence for f in answer.fields} == {1.0}
        assert answer.unrecorded == operation.unrecorded


def test_a_request_without_an_answer_is_no_refusal():
    profile = learn([unanswered(e) for e in story()])
    assert 0 not in statuses(profile)
    assert all(not o.answers and not o.roles and not o.duration_ms for o in profile.operations)
    assert all(o.unanswered == o.count for o in profile.operations)
    pay = profile.operation(PAY)
    assert {str(f.place) for f in pay.fields} >= {"path:invoice_id", "body:/amount"}
    assert pay.exemplars


def test_flows_of_requests_alone_hold_every_exchange_once():
    exchanges = [unanswered(e) for e in story()]
    profile = learn(exchanges)
    held = [i for flow in profile.flows for i in flow.exchange_ids]
    assert sorted(held) == sorted(e.id for e in exchanges)


def test_unanswered_requests_beside_answered_ones_change_no_answer():
    mixed = [*story(), *(unanswered(replace(e, started_at=e.started_at + 1e4)) for e in story())]
    whole, both = learn(story()), learn(mixed)
    for operation in whole.operations:
        same = both.operation(operation.id)
        assert {a.status: a.count for a in same.answers} == {
            a.status: a.count for a in operation.answers
        }
        assert same.roles == operation.roles
        assert same.duration_ms == operation.duration_ms
        assert same.count == 2 * operation.count


def test_a_line_has_no_say_in_whether_credentials_are_needed():
    made = [call("GET", "/a", role="clerk", at=n) for n in range(4)]
    anonymous = [line(call("GET", "/a", role="", at=10 + n)) for n in range(4)]
    assert learn(made + anonymous).operation("GET /a").secured


def test_an_unsafe_line_is_nothing_to_start_from():
    made = [line(call("POST", "/a", body={"x": n}, at=n)) for n in range(3)]
    made += [line(call("GET", "/a", at=9))]
    profile = learn(made)
    assert profile.operation("POST /a").exemplars == ()
    assert len(profile.operation("GET /a").exemplars) == 1
