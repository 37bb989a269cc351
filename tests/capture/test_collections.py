"""Collections of requests: Postman 2.0 and 2.1, Insomnia 4 and 5."""

from __future__ import annotations

import base64
import json

import pytest
import yaml

from premortem.capture import CaptureCounts, ReadOptions, detect
from premortem.capture.insomnia import read_insomnia
from premortem.capture.message import FORM
from premortem.capture.postman import read_postman
from premortem.errors import InputError

SCHEMA = "https://schema.getpostman.com/json/collection/v2.{}.0/collection.json"


def collection(*items, minor=1, **more):
    info = {"_postman_id": "1", "name": "Shop", "schema": SCHEMA.format(minor)}
    return {"info": info, "item": list(items), **more}


def item(request, *examples, **more):
    return {"name": "x", "request": request, "response": list(examples), **more}


def read(tmp_path, document, reader=read_postman, **options):
    path = tmp_path / "export"
    path.write_text(document if isinstance(document, str) else json.dumps(document, indent=1))
    counts = CaptureCounts()
    entries = list(reader(path, counts=counts, options=ReadOptions(**options)))
    exchanges = [e.exchange(body_bytes_max=1 << 20, counts=counts) for _, e in entries]
    assert counts.read == len(exchanges) + counts.dropped.total() + counts.malformed_total
    assert detect(path) == ("postman" if reader is read_postman else "insomnia")
    return exchanges, counts


def requests(tmp_path, document, reader=read_postman, **options):
    return [e.request for e in read(tmp_path, document, reader, **options)[0]]


URL_21 = {
    "raw": "{{base}}/orders/:order?page=1&off=2",
    "host": ["{{base}}"],
    "path": ["orders", ":order"],
    "query": [
        {"key": "page", "value": "1"},
        {"key": "off", "value": "2", "disabled": True},
        {"key": "q", "value": "a b&c"},
    ],
    "variable": [{"key": "order", "value": "{{number}}"}],
}
VARIABLES = [{"key": "base", "value": "{{host}}/v1"}, {"key": "host", "value": "https://api.test"}]


def test_a_request_of_a_postman_collection_is_read_with_its_variables(tmp_path):
    request = {
        "method": "PUT",
        "url": URL_21,
        "header": [{"key": "X-A", "value": "1"}, {"key": "X-B", "value": "2", "disabled": True}],
        "body": {
            "mode": "raw",
            "raw": '{"n": {{number}}}',
            "options": {"raw": {"language": "json"}},
        },
    }
    variables = [*VARIABLES, {"key": "number", "value": 7}]
    ((found,), counts) = read(tmp_path, collection(item(request), variable=variables))
    assert found.recorded == "request"
    assert found.response.status == 0
    request = found.request
    assert (request.method, request.origin, request.path) == (
        "PUT",
        "https://api.test",
        "/v1/orders/7",
    )
    assert request.query == (("page", "1"), ("q", "a b&c"))
    assert request.headers == (("x-a", "1"), ("content-type", "application/json"))
    assert request.body == b'{"n": 7}'
    assert not counts.left_out


def test_a_variable_without_a_value_is_left_out_and_said(tmp_path):
    def at(path, **more):
        return item({"method": "POST", "url": "{{base}}" + path, **more})

    raw = {"mode": "raw", "raw": "{{body}}"}
    document = collection(
        at("/a?x={{x}}&y=1", header=[{"key": "X-T", "value": "{{tenant}}"}]),
        at("/{{id}}"),
        at("/b", body=raw),
        at("/c", auth={"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]}),
    )
    exchanges, counts = read(tmp_path, document, origin="https://given.test")
    assert [e.request.origin + e.request.path for e in exchanges] == [
        "https://given.test/a",
        "https://given.test/c",
    ]
    assert exchanges[0].request.query == (("y", "1"),)
    assert exchanges[0].request.headers == exchanges[1].request.headers == ()
    assert counts.dropped == {"variables without a value": 2}
    assert counts.left_out == {
        "{{base}}": 4, "{{x}}": 1, "{{tenant}}": 1, "{{id}}": 1, "{{body}}": 1, "{{token}}": 1,
    }  # fmt: skip


def test_an_environment_gives_values_over_the_collections_own(tmp_path):
    environment = tmp_path / "staging.json"
    values = [
        {"key": "host", "value": "https://staging.test", "enabled": True},
        {"key": "number", "value": "9", "enabled": True},
        {"key": "base", "value": "http://off.test", "enabled": False},
    ]
    environment.write_text(json.dumps({"name": "staging", "values": values}))
    document = collection(item({"method": "GET", "url": URL_21}), variable=VARIABLES)
    (request,) = requests(tmp_path, document, environment=str(environment))
    assert request.origin + request.path == "https://staging.test/v1/orders/9"
    environment.write_text("{}")
    with pytest.raises(InputError, match="is not a Postman environment"):
        read(tmp_path, document, environment=str(environment))


def test_saved_examples_are_exchanges_and_folders_are_walked(tmp_path):
    request = {"method": "GET", "url": "http://h/a"}
    example = {
        "name": "ok",
        "originalRequest": {
            "method": "GET",
            "url": {"raw": "http://h/a?x=1", "query": [{"key": "x", "value": "1"}]},
        },
        "status": "OK",
        "code": 200,
        "header": [
            {"key": "Content-Type", "value": "application/json"},
            {"key": "Content-Encoding", "value": "gzip"},
            {"key": "Date", "value": "Tue, 14 Nov 2023 22:13:20 GMT"},
        ],
        "body": '{"é": 1}',
        "responseTime": 12,
    }
    missing = {
        "name": "gone",
        "originalRequest": request,
        "code": 404,
        "header": None,
        "body": None,
    }
    folder = {"name": "f", "item": [{"name": "g", "item": [item(request, example, missing)]}]}
    exchanges, counts = read(tmp_path, collection(folder, item("http://h/b")))
    assert [(e.recorded, e.response.status) for e in exchanges] == [
        ("all", 200), ("all", 404), ("request", 0),
    ]  # fmt: skip
    first = exchanges[0]
    assert first.request.query == (("x", "1"),)
    assert first.response.body == '{"é": 1}'.encode()
    assert (first.started_at, first.duration_ms) == (1700000000, 12)
    assert counts.read == 3


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize(
    ("kind", "given", "header"),
    [
        ("basic", {"username": "u", "password": "p"}, ("authorization", "Basic dTpw")),
        ("bearer", {"token": "t"}, ("authorization", "Bearer t")),
        ("apikey", {"key": "X-Key", "value": "k", "in": "header"}, ("x-key", "k")),
        ("noauth", {}, None),
        ("awsv4", {"accessKey": "k"}, None),
    ],
)
def test_auth_helpers_are_inherited_and_sign_as_postman_does(tmp_path, minor, kind, given, header):
    fields = given if minor == 0 else [{"key": k, "value": v} for k, v in given.items()]
    auth = {"type": kind, kind: fields}
    folder = {"name": "f", "item": [item({"method": "GET", "url": "http://h/a"})], "auth": auth}
    exchanges, counts = read(tmp_path, collection(folder, minor=minor))
    assert exchanges[0].request.headers == ((header,) if header else ())
    assert counts.left_out == ({"awsv4 signature": 1} if kind == "awsv4" else {})


def test_every_kind_of_body_is_sent_as_postman_sends_it(tmp_path):
    pairs = [{"key": "a", "value": "1 2"}, {"key": "b", "value": "x", "disabled": True}]
    bodies = [
        {"mode": "urlencoded", "urlencoded": pairs},
        {"mode": "formdata", "formdata": [*pairs, {"key": "f", "type": "file", "src": "/x"}]},
        {"mode": "graphql", "graphql": {"query": "{ a }", "variables": '{"n": 1}'}},
        {"mode": "file", "file": {"src": "/x"}},
    ]
    items = [item({"method": "POST", "url": "http://h/", "body": body}) for body in bodies]
    exchanges, counts = read(tmp_path, collection(*items))
    form, parts, graphql, none = (e.request for e in exchanges)
    assert (form.media_type, form.body) == (FORM, b"a=1+2")
    assert parts.media_type == "multipart/form-data"
    assert b'name="a"\r\n\r\n1 2\r\n' in parts.body
    assert json.loads(graphql.body) == {"query": "{ a }", "variables": {"n": 1}}
    assert none.body == b""
    assert counts.left_out == {"contents of a file": 2}


def test_items_that_are_no_requests_are_counted(tmp_path):
    _, counts = read(tmp_path, collection({"name": "empty"}, item({"method": "GET"})))
    assert [place for place, _ in counts.malformed] == [0, 1]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"id": "1", "name": "old", "requests": []}, "it has format 1"),
        ({"info": {}}, 'no "item"'),
        ([1], "no object"),
        ("{", "truncated"),
    ],
)
def test_a_file_that_is_no_collection_is_named(tmp_path, document, why):
    path = tmp_path / "c.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(InputError, match=why):
        list(read_postman(path, counts=CaptureCounts()))


V4 = {
    "_type": "export",
    "__export_format": 4,
    "__export_source": "insomnia.desktop.app:v8.0.0",
    "resources": [
        {"_id": "wrk_1", "_type": "workspace", "parentId": None, "name": "Shop"},
        {"_id": "env_1", "_type": "environment", "parentId": "wrk_1", "name": "Base",
         "data": {"host": "https://api.test", "shop": {"id": 3}}},
        {"_id": "env_2", "_type": "environment", "parentId": "env_1", "name": "Staging",
         "data": {"host": "https://staging.test"}},
        {"_id": "env_3", "_type": "environment", "parentId": "env_1", "name": "Local",
         "data": {"host": "http://127.0.0.1:1"}},
        {"_id": "fld_1", "_type": "request_group", "parentId": "wrk_1", "name": "F",
         "environment": {"folder": "f1"},
         "authentication": {"type": "bearer", "token": "t"}},
        {"_id": "req_1", "_type": "request", "parentId": "fld_1", "method": "POST",
         "modified": 1700000000000,
         "url": "{{ _.host }}/shops/{{ _.shop.id }}/:item",
         "pathParameters": [{"name": "item", "value": "i 1"}],
         "parameters": [{"name": "q", "value": "a b"},
                        {"name": "n", "value": "1", "disabled": True}],
         "headers": [{"name": "X-Folder", "value": "{{ folder }}"},
                     {"name": "X-Id", "value": "{% uuid 'v4' %}"}],
         "body": {"mimeType": "application/json", "text": "{\"a\": 1}"}, "authentication": {}},
        {"_id": "req_2", "_type": "request", "parentId": "wrk_1", "method": "POST", "url": "http://h/f",
         "body": {"mimeType": FORM, "params": [{"name": "a", "value": "1"}]},
         "authentication": {"type": "basic", "username": "u", "password": "p"}},
    ],
}  # fmt: skip
V5 = {
    "type": "collection.insomnia.rest/5.0",
    "name": "Shop",
    "meta": {"id": "wrk_1", "created": 1, "modified": 2},
    "collection": [
        {"name": "F", "meta": {"id": "fld_1"}, "environment": {"folder": "f1"},
         "authentication": {"type": "bearer", "token": "t"},
         "children": [
            {"name": "r", "url": "{{ _.host }}/shops/{{ _.shop.id }}/:item", "method": "POST",
             "meta": {"id": "req_1", "modified": 1700000000000},
             "pathParameters": [{"name": "item", "value": "i 1"}],
             "parameters": [{"name": "q", "value": "a b"},
                            {"name": "n", "value": "1", "disabled": True}],
             "headers": [{"name": "X-Folder", "value": "{{ folder }}"},
                         {"name": "X-Id", "value": "{% uuid 'v4' %}"}],
             "body": {"mimeType": "application/json", "text": "{\"a\": 1}"}},
         ]},
        {"name": "s", "url": "http://h/f", "method": "POST", "meta": {"id": "req_2"},
         "body": {"mimeType": FORM, "params": [{"name": "a", "value": "1"}]},
         "authentication": {"type": "basic", "username": "u", "password": "p"}},
    ],
    "environments": {
        "name": "Base",
        "data": {"host": "https://api.test", "shop": {"id": 3}},
        "subEnvironments": [
            {"name": "Staging", "data": {"host": "https://staging.test"}},
            {"name": "Local", "data": {"host": "http://127.0.0.1:1"}},
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("document", [V4, yaml.safe_dump(V5, sort_keys=False)], ids=["v4", "v5"])
@pytest.mark.parametrize(("name", "host"), [("", "api"), ("staging", "staging")])
def test_both_insomnia_formats_give_the_same_requests(tmp_path, document, name, host):
    exchanges, counts = read(tmp_path, document, read_insomnia, environment=name)
    first, second = exchanges
    assert first.recorded == "request"
    assert first.started_at == 1700000000
    request = first.request
    assert (request.method, request.origin, request.path) == (
        "POST", f"https://{host}.test", "/shops/3/i%201",
    )  # fmt: skip
    assert request.query == (("q", "a b"),)
    assert set(request.headers) == {
        ("x-folder", "f1"), ("authorization", "Bearer t"), ("content-type", "application/json"),
    }  # fmt: skip
    assert request.body == b'{"a": 1}'
    assert second.request.body == b"a=1"
    assert second.request.media_type == FORM
    password = base64.b64encode(b"u:p").decode()
    assert second.request.header("authorization") == f"Basic {password}"
    assert counts.left_out == {"{% uuid 'v4' %}": 1}


def test_an_environment_that_is_not_there_is_named_with_those_that_are(tmp_path):
    with pytest.raises(InputError, match=r"no environment 'prod'; it has Staging, Local"):
        read(tmp_path, V4, read_insomnia, environment="prod")


@pytest.mark.parametrize("text", ["", "a: 1", "[1", '{"a": 1}', "a: &a [*a]\n b"])
def test_a_file_that_is_no_export_is_named(tmp_path, text):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="is not an Insomnia export"):
        list(read_insomnia(path, counts=CaptureCounts()))


def test_values_that_name_each_other_end(tmp_path):
    variables = [{"key": "a", "value": "{{b}}{{b}}"}, {"key": "b", "value": "{{a}}{{a}}"}]
    document = collection(item({"method": "GET", "url": "http://h/{{a}}"}), variable=variables)
    exchanges, counts = read(tmp_path, document)
    assert exchanges == []
    assert counts.dropped == {"variables without a value": 1}
