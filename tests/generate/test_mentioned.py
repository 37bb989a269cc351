"""Names of things that are there because they were named, and names that changed things take."""

from __future__ import annotations

import json

from msgspec.structs import replace

from premortem.domain.places import Place, body_place
from premortem.domain.run import Case, Origin, Sequence
from premortem.domain.traffic import Exchange, Link, Operation, OperationProfile, Profile
from premortem.generate import isolated, unique_places
from premortem.generate.mentioned import mentioned_places
from premortem.generate.sample import Sampler
from premortem.generate.schema_bodies import Bodies, _evened
from tests.generate import small

TALK, LISTED = "POST /rooms/{room}/messages", "GET /rooms/{room}/talks"
TOLD = Place(part="body", name="/meta/talk.id")


def talks(*, before: tuple[str, ...] = ()) -> tuple[Profile, dict[str, Exchange]]:
    """Messages that name the talk they belong to; a list of talks. BEFORE: listed at first."""
    found: dict[str, Exchange] = {}
    names = [f"talk-{n}" for n in range(5)]
    for n, name in enumerate(names):
        body = {"text": f"hello {n}", "meta": {"talk.id": name}}
        found[f"say {n}"] = small.exchange("POST", "/rooms/a/messages", 202, body=body, at=n + 1)
    rows = [{"talk_id": name} for name in (*before, *names)]
    found["list"] = small.exchange("GET", "/rooms/a/talks", 200, answer={"data": rows}, at=9)
    operations = tuple(
        OperationProfile(operation=Operation(method=method, template=template), count=5)
        for method, template in (name.split() for name in (TALK, LISTED))
    )
    link = Link(
        producer=LISTED,
        select=body_place("data", "*", "talk_id"),
        consumer="POST /marks",
        place=body_place("talk_id"),
        support=5,
        confidence=1.0,
    )
    return replace(small.profile(), operations=operations, links=(link,)), found


def test_what_answers_list_only_after_clients_named_it_came_to_be_by_that():
    assert mentioned_places(*talks()) == {(TALK, TOLD)}


def test_a_name_that_was_listed_before_anybody_told_it_may_have_been_there_always():
    assert mentioned_places(*talks(before=("talk-old",))) == frozenset()


def message(body: object, **more: object) -> Case:
    request = small.exchange("POST", "/rooms/a/messages", 202, body=body).request
    return Case(
        request=request,
        operation_id=TALK,
        recorded_status=202,
        origin=Origin(source="replay"),
        **more,  # type: ignore[arg-type]
    )


def test_a_copy_names_such_things_anew_wherever_it_has_them():
    first = message({"text": "hello", "meta": {"talk.id": "talk-1"}})
    marks = replace(first, operation_id="POST /marks")
    marks = replace(marks, request=replace(marks.request, path="/marks", body=b'{"talk":"talk-1"}'))
    unique = unique_places(*talks())
    apart = isolated(Sequence(cases=(first, marks)), salt="a", unique=unique).cases
    name = json.loads(apart[0].request.body)["meta"]["talk.id"]
    assert name != "talk-1"
    assert json.loads(apart[1].request.body) == {"talk": name}


def test_generated_cases_that_share_a_sequence_share_no_code():
    code = "8a8597d6bc754da582f5289f3ad09ef7"
    made = {"origin": Origin(source="schema"), "recorded_status": 0}
    cases = tuple(replace(message({"code": code, "n": n}), **made) for n in (1, 2))
    unique = {TALK: {body_place("code")}}
    apart = isolated(Sequence(cases=cases), salt="a", unique=unique).cases
    codes = [json.loads(case.request.body)["code"] for case in apart]
    assert len({code, *codes}) == 3
    again = isolated(Sequence(cases=(cases[0], cases[0])), salt="a", unique=unique).cases
    assert again[0] == again[1]  # the same request twice means the same thing


def labels() -> tuple[Profile, dict[str, Exchange]]:
    """Labels whose names are refused when taken, and one that was renamed."""
    found = {
        f"make {n}": small.exchange(
            "POST", "/labels", 201, body={"name": f"tone {n}"}, answer={"id": n}, at=n
        )
        for n in range(12)
    }
    found["change"] = small.exchange("PUT", "/labels/1", 200, body={"name": "other"}, at=20)
    names = small.text_field("body:/name", {f"tone {n}": 1 for n in range(12)})
    other = small.text_field("body:/name", {"other": 1})
    shared = {"media_types": {"application/json": 1}, "declared": (200, 201, 409)}
    operations = (
        OperationProfile(
            operation=Operation(method="POST", template="/labels"),
            count=12,
            fields=(names,),
            exemplars=tuple(f"make {n}" for n in range(12)),
            **shared,  # type: ignore[arg-type]
        ),
        OperationProfile(
            operation=Operation(method="PUT", template="/labels/{label}"),
            count=1,
            fields=(other,),
            exemplars=("change",),
            **shared,  # type: ignore[arg-type]
        ),
    )
    return replace(small.profile(), operations=operations, links=()), found


def test_what_is_renamed_gets_a_name_that_is_not_taken():
    profile, exchanges = labels()
    cases = Sampler(profile, exchanges, 1).cases("PUT /labels/{label}", 8)
    names = [json.loads(case.request.body)["name"] for case in cases]
    assert len(names) == len(set(names)) == 8
    assert body_place("name") in unique_places(profile, exchanges)["PUT /labels/{label}"]


def test_an_array_nobody_sent_is_as_long_as_those_that_are_always_equally_long():
    operation = replace(labels()[0].operations[0], fields=())
    bodies = Bodies(
        operation=operation,
        schema=None,  # type: ignore[arg-type]
        filler=None,  # type: ignore[arg-type]
        kept=frozenset(),
        tied=frozenset(),
        limits={},
        needed=True,
        parallel=(((), ("inputs", "outputs")),),
    )
    value = {"inputs": [1, 2, 3], "outputs": [4, 5, 6], "splits": [None], "name": "x"}
    assert _evened(bodies, value) == {**value, "splits": [None, None, None]}
