"""What is made gets a new name, what is refused is not repeated, what has two ends is in order."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from premortem.domain.traffic import Answer, Operation
from premortem.generate.bounds import in_order, ranges
from premortem.generate.donors import borrowed, maker_of
from premortem.generate.novel import novel_places
from premortem.generate.passing import passing_fields
from premortem.generate.relate import related, ties_of
from tests.generate.small import exchange, text_field
from tests.generate.zoo import operation, profile

NAMED = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "kind": {"enum": ["a", "b"]}},
    "required": ["name"],
}


def making(**changes):
    fields = (text_field("body:/name", {"one": 2, "two": 1}), text_field("body:/kind", {"a": 3}))
    return operation(NAMED, count=3, fields=fields, **changes)


def test_a_text_that_never_came_twice_names_what_is_made():
    bodies = [{"name": "one", "kind": "a"}, {"name": "two", "kind": "b"}]
    assert novel_places(making(), bodies) == {("name",)}
    assert novel_places(making(), [*bodies, bodies[0]]) == frozenset()
    assert novel_places(making(), bodies, reused=frozenset({("name",)})) == frozenset()


def test_one_request_is_enough_where_a_service_may_say_conflict():
    bodies = [{"name": "one"}]
    assert novel_places(making(), bodies) == frozenset()
    assert novel_places(making(declared=(201, 409)), bodies) == {("name",)}


def test_values_that_only_refused_requests_had_are_left_out():
    passed = exchange("POST", "/things", 201, body={"name": "two"})
    refused = exchange("POST", "/things", 500, body={"name": "one"}, at=1.0)
    known = {e.id: e for e in (passed, refused)}
    name, kind = passing_fields(making(exemplars=tuple(known)), known)
    assert [value for value, _ in name.values] == ['"two"']
    assert kind.values == (('"a"', 3),)


def test_the_ends_of_a_range_are_known_by_their_names():
    places = [("lower_bound",), ("upper_bound",), ("startsOn",), ("endsOn",), ("name",)]
    assert list(ranges(places)) == [
        (("lower_bound",), ("upper_bound",), True),
        (("startsOn",), ("endsOn",), False),
    ]
    assert in_order("2024-01-01", "2023-01-01", numbers=False) is False
    assert in_order(2, 1, numbers=False) is None
    assert in_order("a", "b", numbers=True) is None


def test_drawn_ends_are_put_in_order_unless_production_shows_otherwise():
    def after(value, bodies):
        places = [("min",), ("max",)]
        ties = ties_of((), (), limits={}, bodies=bodies, fixed=frozenset(), places=places)
        (out,) = related(lambda _, rows: [value] * rows, ties)(np.random.default_rng(1), 1)
        return out

    assert after({"min": 5, "max": 2}, []) == {"min": 2, "max": 5}
    assert after({"min": 5, "max": 5}, [{"min": 1, "max": 4}]) == {"min": 1, "max": 4}
    assert after({"min": 5, "max": 2}, [{"min": 9, "max": 4}]) == {"min": 5, "max": 2}


def test_a_post_nobody_used_says_the_name_that_a_put_would_have_in_its_path():
    made = exchange("PUT", "/things/ann", 201, body={"x": 1}, answer={"data": {"id": "ann"}})
    put = operation(
        NAMED,
        operation=Operation(method="PUT", template="/things/{id}"),
        count=1,
        answers=(Answer(status=201, count=1),),
        exemplars=(made.id,),
    )
    schema = {"type": "object", "properties": {"data": {"type": "object"}}, "required": ["data"]}
    post = operation(schema)
    known = profile(post, put)
    maker = maker_of(post, known, {made.id: made})
    assert maker is not None
    assert maker.own_name == ("data", "id")
    puts = borrowed(post, known, {made.id: made}, maker)
    assert [at for at, _ in puts] == [("data", "id")]
    assert maker_of(replace(post, count=1), known, {made.id: made}) is None


def test_an_object_nobody_sent_here_is_taken_from_where_somebody_did():
    sent = exchange("POST", "/other", 201, body={"version": {"kind": "a", "size": 2}})
    other = operation(
        {},
        operation=Operation(method="POST", template="/other"),
        count=1,
        exemplars=(sent.id,),
    )
    version = {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"version": version}, "required": ["version"]}
    unused = operation(schema)
    ((at, draw),) = borrowed(unused, profile(unused, other), {sent.id: sent}, None)
    assert at == ("version",)
    assert draw(np.random.default_rng(1), 1) == [{"kind": "a", "size": 2}]
