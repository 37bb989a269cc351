from __future__ import annotations

import json

from msgspec.structs import replace

from premortem.domain.bodies import body_place, read_body
from premortem.domain.run import Case, Intent, Origin, Sequence
from premortem.domain.traffic import Link, Operation, OperationProfile, Request
from premortem.generate import isolated, unique_places
from tests.generate import small
from tests.generate.small import text_field

SPAN, OTHER = "0047098ef95545a4", "020741a239b044da"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "kind": {"enum": ["a"]}}}
LABELS = OperationProfile(
    operation=Operation(method="POST", template="/labels"),
    count=2,
    in_spec=True,
    declared=(201, 409),
    fields=(
        text_field("body:/name", {"hard": 1, "easy": 1}),
        text_field("body:/kind", {"a": 1, "b": 1}),
    ),
    request_schema=json.dumps(SCHEMA),
    request_source="spec",
)
SPANS = OperationProfile(
    operation=Operation(method="POST", template="/projects/{name}/spans"),
    count=2,
    fields=(replace(text_field("body:/data/*/id", {SPAN: 1, OTHER: 1}), format="hex"),),
)
PROFILE = small.profile(operations=(LABELS, SPANS))
UNIQUE = unique_places(PROFILE)


def post(operation, path, body, **changes):
    case = Case(
        request=Request(
            method="POST",
            origin="",
            path=path,
            headers=(("content-type", "application/json"),),
            body=json.dumps(body).encode(),
        ),
        operation_id=operation.id,
        origin=Origin(source="replay", profile_version="0"),
        recorded_status=201,
    )
    return replace(case, **changes)


def bodies(*cases, unique=UNIQUE, salt="1"):
    renamed = isolated(Sequence(cases=cases), salt=salt, unique=unique)
    return [read_body(case.request) for case in renamed.cases]


def test_a_name_that_must_not_come_twice_is_chosen_anew():
    label = post(LABELS, "/labels", {"name": "hard", "kind": "a"})
    (first,) = bodies(label)
    (second,) = bodies(label, salt="2")
    assert len({"hard", first["name"], second["name"]}) == 3
    assert first["kind"] == "a"


def test_a_name_stays_where_nothing_tells_that_it_has_to_be_new():
    label = post(LABELS, "/labels", {"name": "hard"})
    tolerant = replace(LABELS, declared=(201,))
    assert bodies(label, unique=unique_places(small.profile(operations=(tolerant,)))) == [
        {"name": "hard"}
    ]
    undeclared = replace(LABELS, request_schema="", request_source="learned")
    assert bodies(label, unique=unique_places(small.profile(operations=(undeclared,)))) == [
        {"name": "hard"}
    ]
    used = Link(
        producer=SPANS.id,
        select=body_place("id"),
        consumer=LABELS.id,
        place=body_place("name"),
        support=2,
        confidence=1.0,
    )
    existing = replace(PROFILE, links=(used,))
    assert bodies(label, unique=unique_places(existing)) == [{"name": "hard"}]


def test_a_code_is_new_below_a_renamed_parent_and_stays_a_code_wherever_it_stands():
    spans = post(SPANS, "/projects/p/spans", {"data": [{"id": SPAN}, {"id": OTHER, "up": SPAN}]})
    ((one, two),) = [body["data"] for body in bodies(spans)]
    assert one["id"] != SPAN
    assert two["up"] == one["id"]
    assert len(one["id"]) == len(SPAN)
    assert int(one["id"], 16)


def test_what_an_earlier_case_speaks_of_keeps_its_name():
    note = post(LABELS, "/notes", {"text": SPAN}, operation_id="POST /notes")
    spans = post(SPANS, "/projects/p/spans", {"data": [{"id": SPAN}]})
    assert bodies(note, spans)[1]["data"][0]["id"] == SPAN


def test_what_was_refused_or_breaks_a_rule_on_purpose_is_sent_as_it_is():
    refused = post(LABELS, "/labels", {"name": "hard"}, recorded_status=409)
    mutated = post(
        LABELS,
        "/labels",
        {"name": "hard"},
        recorded_status=0,
        origin=Origin(source="mutate", profile_version="0"),
        intent=Intent(kind="adversarial", breaks="body:/name duplicate"),
    )
    assert bodies(refused) == bodies(mutated) == [{"name": "hard"}]
