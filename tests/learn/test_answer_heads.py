"""Media types and headers that documents declare of answers, on their way into a profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from premortem.domain.traffic import Answer, DeclaredHeader, Operation, OperationProfile
from premortem.learn import load_spec
from premortem.learn.declared import merge_spec

INTEGER = {"type": "integer"}


def read(folder: Path, document: dict[str, Any]) -> Any:
    path = folder / "openapi.json"
    path.write_text(json.dumps({"info": {"title": "t", "version": "1"}, **document}))
    return load_spec(path)


def responses(**of: Any) -> dict[str, Any]:
    return {"/a": {"get": {"responses": of}}}


def new(folder: Path, **of: Any) -> dict[int, Any]:
    spec = read(
        folder,
        {
            "openapi": "3.0.3",
            "paths": responses(**of),
            "components": {"headers": {"Count": {"required": True, "schema": INTEGER}}},
        },
    )
    return dict(spec.operations[0].heads)


def schema_of(header: DeclaredHeader) -> Any:
    return {k: v for k, v in json.loads(header.schema).items() if k != "$schema"}


def test_media_types_and_headers_of_an_answer(tmp_path):
    heads = new(
        tmp_path,
        **{
            "200": {
                "content": {"Application/JSON; charset=utf-8": {}, "text/*": {}},
                "headers": {
                    "X-Count": {"$ref": "#/components/headers/Count"},
                    "Content-Type": {"required": True},
                    "ETag": {},
                },
            },
            "4XX": {},
            "default": {"content": {"*/*": {}}},
            "nonsense": {},
        },
    )
    assert set(heads) == {200, -4, 0}
    assert heads[200].media_types == ("application/json", "text/*")
    count, etag = heads[200].headers
    assert (count.name, count.required, schema_of(count)) == ("x-count", True, INTEGER)
    assert etag == DeclaredHeader(name="etag")
    assert heads[0].media_types == ("*/*",)


def test_swagger_2_has_its_types_at_the_operation_or_the_root(tmp_path):
    paths = responses(
        **{
            "200": {"schema": {}, "headers": {"X-Count": {"type": "integer"}}},
            "204": {"description": "nothing"},
        }
    )
    spec = read(tmp_path, {"swagger": "2.0", "produces": ["application/json"], "paths": paths})
    (operation,) = spec.operations
    assert operation.heads[200].media_types == ("application/json",)
    assert operation.heads[204].media_types == ()
    (count,) = operation.heads[200].headers
    assert (count.required, schema_of(count)) == (False, INTEGER)
    own = {"/a": {"get": {**paths["/a"]["get"], "produces": ["text/csv"]}}}
    spec = read(tmp_path, {"swagger": "2.0", "produces": ["application/json"], "paths": own})
    assert spec.operations[0].heads[200].media_types == ("text/csv",)


def test_seen_answers_take_what_their_class_or_default_declares(tmp_path):
    of = {"2XX": {"content": {"text/csv": {}}}, "default": {"headers": {"X-A": {"required": True}}}}
    spec = read(tmp_path, {"openapi": "3.1.0", "paths": responses(**of)})
    seen = OperationProfile(
        operation=Operation(method="GET", template="/a"),
        count=2,
        answers=(Answer(status=200, count=1), Answer(status=404, count=1)),
    )
    (merged,) = merge_spec([seen], spec)
    by_status = {answer.status: answer for answer in merged.answers}
    assert by_status[200].declared_types == ("text/csv",)
    assert by_status[200].count == 1
    assert [header.name for header in by_status[404].headers] == ["x-a"]
    assert by_status[-2].declared_types == ("text/csv",)
