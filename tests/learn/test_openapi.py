from __future__ import annotations

import gzip
import json
from pathlib import Path

import jsonschema_rs
import pytest

from premortem.domain.places import Place
from premortem.errors import InputError
from premortem.learn import Spec, SpecOperation, load_spec
from tests.shared import shared

NODE = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "name": {"type": "string", "nullable": True},
        "secret": {"type": "string", "writeOnly": True},
        "amount": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
    },
}
SPEC = {
    "openapi": "3.0.3",
    "info": {"title": "Trees", "version": "1"},
    "servers": [
        {
            "url": "https://{region}.x.test/{base}/",
            "variables": {"region": {"default": "eu"}, "base": {"default": "v2"}},
        }
    ],
    "security": [{"bearer": []}],
    "paths": {
        "/trees/{tree_id}/nodes": {
            "parameters": [
                {"name": "tree_id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"$ref": "#/components/parameters/Limit"},
            ],
            "post": {
                "summary": "Plant a node",
                "x-roles": ["Gardener", "Owner"],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Node"}}
                    },
                },
                "responses": {
                    "201": {"$ref": "#/components/responses/Node"},
                    "4XX": {"description": "no"},
                    "default": {"description": "oh"},
                },
            },
            "get": {
                "security": [],
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "integer"},
                    }
                ],
                "responses": {"200": {"description": "ok"}},
            },
        }
    },
    "components": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        "parameters": {
            "Limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}}
        },
        "responses": {
            "Node": {
                "description": "a node",
                "content": {
                    "application/json; charset=utf-8": {
                        "schema": {"$ref": "#/components/schemas/Node"}
                    }
                },
            }
        },
        "schemas": {"Node": NODE},
    },
}


def written(folder: Path, document: dict | str, name: str = "api.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def only(spec: Spec, operation_id: str) -> SpecOperation:
    return next(o for o in spec.operations if o.operation.id == operation_id)


def allows(document: str, value: object) -> bool:
    return jsonschema_rs.is_valid(json.loads(document), value)


@pytest.fixture
def post(tmp_path) -> SpecOperation:
    return only(load_spec(written(tmp_path, SPEC)), "POST /v2/trees/{tree_id}/nodes")


def test_an_operation_has_base_path_statuses_security_summary_and_roles(post):
    assert sorted(post.answers) == [-4, 0, 201]
    assert post.secured is True
    assert post.summary == "Plant a node"
    assert post.roles == ("Gardener", "Owner")
    assert post.request_required


def test_an_operation_may_ask_for_no_credentials_and_override_parameters(tmp_path):
    get = only(load_spec(written(tmp_path, SPEC)), "GET /v2/trees/{tree_id}/nodes")
    assert get.secured is False
    limit = next(p for p in get.parameters if p.place == Place(part="query", name="limit"))
    assert limit.required
    assert "maximum" not in limit.schema


def test_a_circle_stays_a_reference_in_a_document_that_stands_alone(post):
    document = post.request_schemas["application/json"]
    assert allows(document, {"name": "a", "children": [{"name": "b", "children": []}]})
    assert not allows(document, {"name": "a", "children": [{"name": 1}]})


def test_requests_need_nothing_read_only_and_answers_nothing_write_only(post):
    assert allows(post.request_schemas["application/json"], {"name": "a"})
    assert not allows(post.answers[201], {"name": "a"})
    assert allows(post.answers[201], {"id": "1", "name": "a"})


def test_the_keywords_of_3_0_become_those_of_json_schema(post):
    document = post.request_schemas["application/json"]
    assert allows(document, {"name": None})
    assert not allows(document, {"name": "a", "amount": 0})
    assert allows(document, {"name": "a", "amount": 0.01})


def test_yaml_gzip_and_neighbouring_files_are_read(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "shapes.yaml").write_text(
        "Day: {type: string, enum: [yes, no], example: 2024-01-05}\n"
        "Box: {type: object, properties: {day: {$ref: '#/Day'}}}\n"
    )
    text = (
        "openapi: 3.1.0\ninfo: {title: Boxes}\npaths:\n  /boxes:\n    get:\n      responses:\n"
        "        200:\n          content:\n            application/json:\n"
        "              schema: {$ref: 'parts/shapes.yaml#/Box'}\n"
    )
    path = tmp_path / "api.yaml.gz"
    path.write_bytes(gzip.compress(text.encode()))
    answer = only(load_spec(path), "GET /boxes").answers[200]
    assert allows(answer, {"day": "yes"})
    assert not allows(answer, {"day": True})
    assert '"2024-01-05"' in answer


def test_swagger_forms_files_and_bodies_are_read(tmp_path):
    path = written(
        tmp_path,
        {
            "swagger": "2.0",
            "info": {"title": "Old"},
            "basePath": "/api/",
            "consumes": ["application/json"],
            "securityDefinitions": {"basic": {"type": "basic"}},
            "paths": {
                "/up": {
                    "post": {
                        "consumes": ["multipart/form-data"],
                        "parameters": [
                            {"name": "f", "in": "formData", "type": "file", "required": True},
                            {"name": "n", "in": "formData", "type": "integer", "maximum": 3},
                        ],
                        "responses": {
                            "200": {"schema": {"type": "array", "items": {"type": "string"}}}
                        },
                    }
                },
                "/one/{id}": {
                    "put": {
                        "parameters": [
                            {
                                "name": "id",
                                "in": "path",
                                "required": True,
                                "type": "string",
                                "pattern": "^a",
                            },
                            {
                                "name": "b",
                                "in": "body",
                                "required": True,
                                "schema": {"$ref": "#/definitions/B"},
                            },
                        ],
                        "responses": {"default": {}},
                    }
                },
            },
            "definitions": {
                "B": {"type": "object", "properties": {"x": {"type": "string", "x-nullable": True}}}
            },
        },
    )
    spec = load_spec(path)
    up, one = only(spec, "POST /api/up"), only(spec, "PUT /api/one/{id}")
    form = up.request_schemas["multipart/form-data"]
    assert allows(form, {"f": "bytes", "n": 3})
    assert not allows(form, {"n": 3})
    assert not allows(form, {"f": "bytes", "n": 4})
    assert allows(up.answers[200], ["a"])
    assert up.secured is False
    assert allows(one.request_schemas["application/json"], {"x": None})
    assert one.parameters[0].required
    assert not allows(one.parameters[0].schema, "b")


def test_a_discriminator_lets_alike_alternatives_both_match(tmp_path):
    kinds = [{"type": "object", "properties": {"kind": {"type": "string"}}}] * 2
    schema = {"oneOf": kinds, "discriminator": {"propertyName": "kind"}}
    document = {
        "openapi": "3.1.0",
        "info": {},
        "paths": {
            "/x": {
                "get": {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}
            }
        },
    }
    answer = only(load_spec(written(tmp_path, document)), "GET /x").answers[200]
    assert allows(answer, {"kind": "a"})


def test_a_reference_that_leads_nowhere_names_pointer_and_file(tmp_path):
    broken = json.loads(
        json.dumps(SPEC).replace("#/components/schemas/Node", "#/components/schemas/Nod")
    )
    with pytest.raises(InputError, match=r"#/components/schemas/Nod'.*api\.json has nothing"):
        load_spec(written(tmp_path, broken))


def test_references_in_a_circle_are_refused(tmp_path):
    document = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": {"parameters": [{"$ref": "#/a"}]}}},
        "a": {"$ref": "#/b"},
        "b": {"$ref": "#/a"},
    }
    with pytest.raises(InputError, match="circle"):
        load_spec(written(tmp_path, document))


def test_a_schema_that_refers_to_itself_alone_is_usable(tmp_path):
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/x": {
                "get": {
                    "responses": {
                        "200": {"content": {"application/json": {"schema": {"$ref": "#/a"}}}}
                    }
                }
            }
        },
        "a": {"$ref": "#/a"},
    }
    load_spec(written(tmp_path, document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "neither JSON nor YAML"),
        ("{}", "no OpenAPI document"),
        ("[1]", "no OpenAPI document"),
        ('{"openapi": "4.0"}', "3.0, 3.1 and Swagger 2.0"),
        ('{"openapi": "3.1.0", "paths": []}', None),
        ('{"openapi": "3.1.0", "paths": [1]}', "must be an object"),
        (
            '{"openapi": "3.1.0", "paths": {"/a": {"$ref": "other.json"}}}',
            r"cannot resolve.*other\.json",
        ),
        ('{"openapi": "3.1.0", "paths": {"/a": {"$ref": "http://x.test/y"}}}', "not fetched"),
        ('{"openapi": "3.1.0", "paths": {"/a": {"$ref": 3}}}', "must be text"),
    ],
)
def test_a_file_that_is_no_specification_is_refused_in_words(tmp_path, text, message):
    path = written(tmp_path, text)
    if message is None:
        assert load_spec(path).operations == ()
        return
    with pytest.raises(InputError, match=message):
        load_spec(path)


def test_a_missing_file_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        load_spec(tmp_path / "none.json")


def test_a_pattern_that_no_validator_reads_is_left_out(tmp_path):
    schema = {"type": "string", "pattern": "(?<"}
    document = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": {"parameters": [{"name": "q", "in": "query", "schema": schema}]}}},
    }
    parameter = only(load_spec(written(tmp_path, document)), "GET /x").parameters[0]
    assert allows(parameter.schema, "x")
    assert not allows(parameter.schema, 1)


@pytest.mark.parametrize(("name", "least"), [("kinto", 44), ("phoenix", 100), ("directus", 140)])
def test_specifications_of_real_services_are_read_whole(name, least):
    spec = load_spec(shared(f"targets/{name}/openapi.json.gz"))
    assert len(spec.operations) >= least
    for operation in spec.operations:
        for document in (*operation.request_schemas.values(), *operation.answers.values()):
            if document:
                jsonschema_rs.Draft202012Validator(json.loads(document))
