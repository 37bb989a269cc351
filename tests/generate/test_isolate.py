"""Names that clients choose are chosen anew, everywhere in their sequence."""

from __future__ import annotations

import json
import re

import pytest
from msgspec.structs import replace

from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Origin, Sequence
from premortem.domain.traffic import Exchange, Operation, OperationProfile, Profile, Request
from premortem.generate import first_cycle, isolated, once_places, unique_places
from tests.generate import small

JSON = (("content-type", "application/json"),)


def case(method: str, path: str, template: str, *, status: int = 201, **parts) -> Case:
    body = json.dumps(parts.pop("body")).encode() if "body" in parts else b""
    return Case(
        request=Request(
            method=method, origin="", path=path, headers=JSON if body else (), body=body
        ),
        operation_id=f"{method} {template}",
        recorded_status=status,
        **{"origin": Origin(source="replay"), **parts},
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


def keyed(key: str, amount: int, *, name: str = "idempotency-key", **more) -> Case:
    made = case("POST", "/rooms/north/payments", "/payments", body={"amount": amount}, **more)
    headers = (*made.request.headers, (name, key))
    return replace(made, request=replace(made.request, headers=headers))


def keys(sequence: Sequence, *, name: str = "idempotency-key") -> list[str]:
    return [str(c.request.header(name)) for c in sequence.cases]


def test_a_copy_has_a_key_of_its_own_and_a_recorded_retry_keeps_the_same():
    recorded = Sequence(cases=(keyed("9f3c1d20aa71b2", 5), keyed("9f3c1d20aa71b2", 5)))
    first, retry = keys(isolated(recorded, salt="a"))
    assert first == retry != "9f3c1d20aa71b2"
    assert first not in keys(isolated(recorded, salt="b"))


def test_a_key_that_came_with_another_request_in_production_does_so_again():
    recorded = Sequence(cases=(keyed("9f3c1d20aa71b2", 5), keyed("9f3c1d20aa71b2", 6)))
    first, other = keys(isolated(recorded, salt="a"))
    assert first == other


def test_generated_cases_that_copied_a_key_get_keys_of_their_own_unless_they_are_retries():
    made = Origin(source="sample")
    copied = [keyed("order-2024-0017", n, origin=made) for n in (5, 6, 5)]
    first, other, retry = keys(isolated(Sequence(cases=tuple(copied)), salt="a"))
    assert first == retry != other
    assert all(len(key) == len("order-2024-0017") and key[5] == "-" for key in (first, other))


def test_a_key_in_a_body_is_known_by_its_name():
    made = case("POST", "/payments", "/payments", body={"idempotencyKey": "k-1", "amount": 5})
    body = json.loads(isolated(Sequence(cases=(made,)), salt="a").cases[0].request.body)
    assert body["idempotencyKey"] != "k-1"
    assert body["amount"] == 5


def test_a_header_of_any_name_is_a_key_where_no_two_requests_shared_its_values():
    def exchanges(values: list[str]):
        return {
            str(n): small.exchange(
                *("POST", "/invoices", 201), body={"n": n // 2}, headers=(("x-ticket", value),)
            )
            for n, value in enumerate(values)
        }

    place = Place(part="header", name="x-ticket")
    retried = [f"t{n // 2:03}-8c1f22" for n in range(24)]
    found = once_places(small.profile(), exchanges(retried))
    assert found["POST /invoices"] == {place}
    assert not once_places(small.profile(), exchanges(["t001-8c1f22"] * 24))
    sent = Sequence(
        cases=(replace(keyed("t001-8c1f22", 5, name="x-ticket"), operation_id="POST /invoices"),)
    )
    assert keys(isolated(sent, salt="a", once=found), name="x-ticket") != ["t001-8c1f22"]
    assert isolated(sent, salt="a") is sent


def test_who_asks_by_a_key_asks_by_the_new_one():
    asking = case("GET", "/payments/by-key/9f3c1d20aa71b2", "/payments/by-key/{key}", status=200)
    noting = case("POST", "/notes", "/notes", body={"about": "9f3c1d20aa71b2", "n": "9f3c"})
    made = Sequence(cases=(keyed("9f3c1d20aa71b2", 5), asking, noting))
    apart = isolated(made, salt="a").cases
    key = keys(Sequence(cases=apart[:1]))[0]
    assert apart[1].request.path == f"/payments/by-key/{key}"
    assert json.loads(apart[2].request.body) == {"about": key, "n": "9f3c"}


def test_a_key_that_is_the_name_of_what_the_request_is_about_leaves_that_alone():
    paid = case("POST", "/orders/9f3c1d20aa71b2/payments", "/orders/{id}/payments", body={"n": 1})
    headers = (*paid.request.headers, ("idempotency-key", "9f3c1d20aa71b2"))
    paid = replace(paid, request=replace(paid.request, headers=headers))
    read = case("GET", "/orders/9f3c1d20aa71b2", "/orders/{id}", status=200)
    sent = isolated(Sequence(cases=(paid, read)), salt="a")
    assert [c.request.path for c in sent.cases] == [paid.request.path, read.request.path]
    assert keys(sent)[0] != "9f3c1d20aa71b2"


def code(number: int) -> str:
    return f"{number:08x}c0ffee{number:02x}"


def spans(numbers: list[int]) -> dict[str, object]:
    """A batch whose items share a trace, and name the first of them as their parent."""
    trace = code(1000 + numbers[0])
    return {
        "spans": [
            {"id": code(n), "trace": trace, "parent": code(numbers[0]) if n % 2 else None}
            for n in numbers
        ]
    }


def traced() -> tuple[Profile, dict[str, Exchange]]:
    """Twelve batches of two spans each, and a note about each first span, sent by itself."""
    found: dict[str, Exchange] = {}
    for n in range(0, 24, 2):
        body = spans([n, n + 1])
        found[f"make {n}"] = small.exchange("POST", "/spans", 202, body=body, at=n)
        told = {"span": code(n), "text": "seen"}
        found[f"note {n}"] = small.exchange("POST", "/notes", 200, body=told, at=n + 0.5)
    places = {
        "/spans": {"body:/spans/*/id": 24, "body:/spans/*/trace": 12, "body:/spans/*/parent": 12},
        "/notes": {"body:/span": 12},
    }
    operations = tuple(
        OperationProfile(
            operation=Operation(method="POST", template=path),
            count=12,
            fields=tuple(
                replace(
                    small.text_field(place, {code(n): 1 for n in range(count)}, format="hex"),
                    seen=24 if path == "/spans" else 12,
                )
                for place, count in fields.items()
            ),
        )
        for path, fields in places.items()
    )
    return replace(small.profile(), operations=operations, links=()), found


def recorded_spans() -> tuple[Sequence, Sequence]:
    make = case("POST", "/spans", "/spans", body=spans([4, 5]), status=202)
    note = case("POST", "/notes", "/notes", body={"span": code(4), "text": "seen"}, status=200)
    return Sequence(cases=(make, note)), Sequence(cases=(note,))


def test_codes_that_other_requests_refer_to_name_no_request():
    unused = Place(part="body", name="/spans/*/trace")
    assert once_places(*traced()) == {"POST /spans": {unused}}


def test_a_recording_is_sent_to_a_fresh_target_as_it_was_but_for_its_keys():
    flow, alone = recorded_spans()
    paid = Sequence(cases=(keyed("9f3c1d20aa71b2", 5),))
    asking = case("GET", "/payments/by-key/9f3c1d20aa71b2", "/payments/by-key/{key}", status=200)
    sent = first_cycle([flow, alone, paid, Sequence(cases=(asking,))], salt="a")
    assert sent[:2] == [flow, alone]
    key = keys(sent[2])[0]
    assert key != "9f3c1d20aa71b2"
    assert sent[3].cases[0].request.path == f"/payments/by-key/{key}"


def test_a_copy_renames_what_it_makes_in_all_of_its_bodies_however_often_one_repeats_it():
    flow, _ = recorded_spans()
    apart = isolated(flow, salt="a", unique=unique_places(*traced())).cases
    first, second = json.loads(apart[0].request.body)["spans"]
    assert first["id"] == second["parent"] == json.loads(apart[1].request.body)["span"]
    assert first["trace"] == second["trace"]
    assert {first["id"], second["id"], first["trace"]}.isdisjoint(map(code, (4, 5, 1004)))


def test_a_copy_keeps_what_it_refers_to_but_does_not_make():
    _, alone = recorded_spans()
    assert isolated(alone, salt="a", unique=unique_places(*traced())) == alone


@pytest.mark.parametrize(
    ("old", "like"),
    [
        ("4605700aeccf4d2fb3fec2cf6aef1c99", r"[0-9a-f]{32}"),
        ("78ffae639df8490a", r"[0-9a-f]{16}"),
        ("0b6e6f1c-8a1f-4a51-9a43-6f0a3c1de001", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("00000000-0000-0000-0000-000000000001", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("0B6E6F1C-8A1F-4A51-9A43-6F0A3C1DE001", r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"),
    ],
)
def test_a_new_code_is_written_as_the_old_one(old, like):
    made = case("PUT", f"/rooms/{old}", "/rooms/{room_id}")
    new = isolated(Sequence(cases=(made,)), salt="a").cases[0].request.path.removeprefix("/rooms/")
    key = keys(isolated(Sequence(cases=(keyed(old, 5),)), salt="a"))[0]
    assert old not in (new, key)
    assert all(re.fullmatch(like, text) for text in (new, key))
