"""Operations of a GraphQL service, from its traffic and from its schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import build_schema, get_introspection_query, graphql_sync

from premortem.domain.traffic import Profile
from premortem.errors import InputError
from premortem.learn import joined, learn_profile, load_spec
from tests.learn.services import call
from tests.learn.test_openapi import SPEC, written
from tests.pipeline.graphql_service import SDL

ADD = "mutation ($item: NewItem!) { addItem(item: $item) { id name } }"
LIST = "query ($first: Int) { items(first: $first) { id name } }"


def learned() -> Profile:
    def ask(number: int, query: str, variables: object, data: object):
        return call(
            "POST",
            "/graphql",
            at=float(number),
            body={"query": query, "variables": variables},
            answer={"data": data},
        )

    exchanges = []
    for n in range(6):
        item = {"name": f"thing {n}", "price": n + 0.5}
        made = {"id": f"item-{n}", "name": f"thing {n}"}
        exchanges.append(ask(2 * n, ADD, {"item": item}, {"addItem": made}))
        exchanges.append(ask(2 * n + 1, LIST, {"first": n}, {"items": [made]}))
    return learn_profile(lambda: iter(exchanges), spec=None, now=1.0)


def test_one_path_gives_an_operation_for_each_set_of_fields():
    names = [o.id.rsplit(" ", 1)[0] for o in learned().operations]
    assert sorted(names) == ["POST /graphql mutation addItem", "POST /graphql query items"]


def test_the_document_is_fixed_and_variables_have_their_types():
    operation = next(o for o in learned().operations if "query" in o.operation.variant)
    schema = json.loads(operation.request_schema)
    assert schema["properties"]["query"] == {"type": "string", "const": LIST}
    first = schema["properties"]["variables"]["properties"]["first"]
    assert first["type"] == ["integer", "null"]
    assert first["maximum"] == 2**31 - 1


def test_what_an_input_object_holds_is_learned():
    operation = next(o for o in learned().operations if "mutation" in o.operation.variant)
    variables = json.loads(operation.request_schema)["properties"]["variables"]
    assert variables["required"] == ["item"]
    assert set(variables["properties"]["item"]["properties"]) == {"name", "price"}


@pytest.fixture(params=["sdl", "introspection"])
def schema_file(request, tmp_path: Path) -> Path:
    if request.param == "sdl":
        path = tmp_path / "schema.graphql"
        path.write_text(SDL)
        return path
    path = tmp_path / "schema.json"
    answer = graphql_sync(build_schema(SDL), get_introspection_query())
    path.write_text(json.dumps({"data": answer.data}))
    return path


def test_a_schema_gives_an_operation_for_each_root_field(schema_file):
    spec = load_spec(schema_file, graphql_at="/api/graphql")
    names = {o.operation.variant.rsplit(" ", 1)[0] for o in spec.operations}
    assert names == {
        *("query items", "query item", "query order"),
        *("mutation addItem", "mutation placeOrder"),
    }
    assert {o.operation.template for o in spec.operations} == {"/api/graphql"}


def test_a_made_document_asks_for_objects_within_objects_with_typed_variables(schema_file):
    spec = load_spec(schema_file)
    order = next(o for o in spec.operations if "placeOrder" in o.operation.variant)
    schema = json.loads(order.request_schemas["application/json"])
    text = schema["properties"]["query"]["const"]
    assert text == (
        "mutation placeOrder($itemIds: [ID!]!, $note: String) { placeOrder(itemIds: $itemIds, "
        "note: $note) { id items { id name price size } note } }"
    )
    variables = schema["properties"]["variables"]
    assert variables["required"] == ["itemIds"]
    one = {"type": ["string", "integer"]}
    assert variables["properties"]["itemIds"] == {"anyOf": [{"type": "array", "items": one}, one]}
    item = next(o for o in spec.operations if "addItem" in o.operation.variant)
    new = json.loads(item.request_schemas["application/json"])["properties"]["variables"]
    assert new["properties"]["item"]["additionalProperties"] is False
    assert new["properties"]["item"]["properties"]["size"]["enum"] == ["SMALL", "LARGE", None]


def test_both_kinds_of_specification_go_together(schema_file, tmp_path):
    graphql, openapi = load_spec(schema_file), load_spec(written(tmp_path, SPEC))
    both = joined(openapi, graphql)
    assert len(both.operations) == len(graphql.operations) + len(openapi.operations)


@pytest.mark.parametrize("text", ["type Query { a: Nothing }", "{", ""])
def test_a_schema_that_is_none_is_refused_with_what_to_give(tmp_path, text):
    path = tmp_path / "broken.graphql"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.graphql is no GraphQL schema.*SDL"):
        load_spec(path)
