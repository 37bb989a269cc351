"""Names that clients choose are chosen anew, everywhere in their sequence."""

from __future__ import annotations

import json

from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Origin, Sequence
from premortem.domain.traffic import Request
from premortem.generate import isolated

JSON = (("content-type", "application/json"),)


def case(method: str, path: str, template: str, *, status: int = 201, **parts) -> Case:
    body = json.dumps(parts.pop("body")).encode() if "body" in parts else b""
    return Case(
        request=Request(
            method=method, origin="", path=path, headers=JSON if body else (), body=body
        ),
        operation_id=f"{method} {template}",
        origin=Origin(source="replay"),
        recorded_status=status,
        **parts,
    )


ROOMS = Sequence(
    cases=(
        case("PUT", "/rooms/north", "/rooms/{room_id}", body={"north": 1, "label": "north wing"}),
        case(
            "PUT",
            "/rooms/north/seats/front",
            "/rooms/{room_id}/seats/{seat_id}",
            body={"room": "north", "see": "/rooms/north/plan"},
        ),
        case("GET", "/rooms/north", "/rooms/{room_id}", status=200),
    )
)


def test_a_chosen_name_is_new_in_paths_and_where_bodies_name_the_resource():
    apart = isolated(ROOMS, salt="a").cases
    name = apart[0].request.path.removeprefix("/rooms/")
    assert name.startswith("north")
    assert name != "north"
    assert apart[1].request.path == f"/rooms/{name}/seats/front"  # apart by its parent already
    assert apart[2].request.path == f"/rooms/{name}"
    assert json.loads(apart[0].request.body) == {"north": 1, "label": "north wing"}
    assert json.loads(apart[1].request.body) == {"room": name, "see": f"/rooms/{name}/plan"}


def test_the_same_salt_gives_the_same_names_and_another_one_others():
    assert isolated(ROOMS, salt="a") == isolated(ROOMS, salt="a")
    assert isolated(ROOMS, salt="a") != isolated(ROOMS, salt="b")


def test_names_to_keep_stay():
    assert isolated(ROOMS, salt="a", keep={"north"}).cases[0].request.path == "/rooms/north"


def test_what_was_there_before_keeps_its_name():
    only_read = Sequence(cases=(ROOMS.cases[2],))
    assert isolated(only_read, salt="a") is only_read


def test_a_name_that_a_body_chose_is_new_where_later_paths_use_it():
    made = Sequence(
        cases=(
            case("POST", "/rooms", "/rooms", body={"id": "0b6e6f1c-8a1f-4a51-9a43-6f0a3c1de001"}),
            case(
                "GET",
                "/rooms/0b6e6f1c-8a1f-4a51-9a43-6f0a3c1de001",
                "/rooms/{room_id}",
                status=200,
            ),
        )
    )
    apart = isolated(made, salt="a").cases
    name = json.loads(apart[0].request.body)["id"]
    assert name != "0b6e6f1c-8a1f-4a51-9a43-6f0a3c1de001"
    assert len(name) == 36
    assert apart[1].request.path == f"/rooms/{name}"


def test_an_identifier_that_the_service_made_is_left_to_its_binding():
    binding = Binding(
        step=0,
        select=Place(part="body", name="/id"),
        place=Place(part="path", name="1"),
        recorded="north",
    )
    made = Sequence(
        cases=(
            case("POST", "/rooms", "/rooms", body={"label": "x"}),
            case("PUT", "/rooms/north", "/rooms/{room_id}", bindings=(binding,)),
        )
    )
    assert isolated(made, salt="a").cases[1].request.path == "/rooms/north"
