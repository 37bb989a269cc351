"""The forms in which findings leave: each is what its format's readers expect, without secrets."""

from __future__ import annotations

import ast
import json
from xml.etree import ElementTree as ET

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.analyse.exports import (
    Setting,
    Unwritable,
    allure,
    curl_script,
    file_name,
    har,
    junit,
    pytest_file,
    sarif,
)
from premortem.analyse.exports.expressions import Call, joined
from premortem.analyse.exports.shapes import broken_by
from premortem.config import Config, Login, Reset, RoleConfig, TargetConfig
from premortem.domain.places import Place, body_place
from premortem.domain.run import Binding, Finding, Sequence
from tests.analyse.samples import JSON, case, finding, profile

SECRET = "hunter2-literal"
CONFIG = Config(
    target=TargetConfig(base_url="http://127.0.0.1:8700", reset=Reset(request="POST /_test/reset")),
    roles={
        "clerk": RoleConfig(
            login=Login(json={"username": "clara", "password": "${CLERK_PASSWORD}"}),
            header={"X-Key": SECRET},
        )
    },
)
SARIF_RESULT = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {"rules": {"items": {"required": ["id"]}}},
                            }
                        },
                    },
                    "results": {
                        "items": {
                            "required": ["ruleId", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                            },
                        }
                    },
                },
            }
        },
    },
}
"""What SARIF 2.1.0 requires of a log (OASIS, 3.13, 3.14, 3.18, 3.19, 3.27, 3.49)."""


def kinds() -> list[Finding]:
    made = finding()
    return [
        made,
        msgspec.structs.replace(made, id="22222222", kind="drift", severity="low"),
        msgspec.structs.replace(made, id="33333333", kind="flaky", operations=("GET /x",)),
    ]


def test_sarif_has_what_the_standard_requires_and_drift_is_a_note():
    log = json.loads(sarif(kinds(), version="0.1", document="openapi.json"))
    jsonschema_rs.Draft202012Validator(SARIF_RESULT).validate(log)
    (run,) = log["runs"]
    assert [result["level"] for result in run["results"]] == ["error", "note", "note"]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    names = [
        place["fullyQualifiedName"]
        for place in run["results"][2]["locations"][0]["logicalLocations"]
    ]
    assert names == [kinds()[2].operation_id, "GET /x"]


def test_junit_fails_for_defects_alone():
    root = ET.fromstring(junit(kinds()))
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "2")
    assert [len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "skipped")] == [1, 2]


def test_har_has_an_entry_for_each_request_and_no_cookies():
    log = json.loads(har(kinds(), base_url="http://127.0.0.1:8700", version="0.1"))["log"]
    assert log["version"] == "1.2"
    assert {entry["pageref"] for entry in log["entries"]} == {page["id"] for page in log["pages"]}
    for entry in log["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= {*entry}
        assert entry["request"]["url"].startswith("http://127.0.0.1:8700/")
    answers = [entry["response"]["status"] for entry in log["entries"]]
    assert answers.count(500) == 3
    assert "secret" not in json.dumps(log)


def test_allure_results_name_status_history_and_an_attachment_that_is_there():
    made = allure(kinds())
    results = [json.loads(text) for name, text in made.items() if name.endswith("-result.json")]
    assert [result["status"] for result in results] == ["failed", "broken", "broken"]
    for result in results:
        assert {"uuid", "historyId", "name", "stage", "start", "stop", "labels"} <= {*result}
        assert result["attachments"][0]["source"] in made
        assert result["start"] <= result["stop"]


def test_a_curl_script_is_written_for_one_request_only():
    assert isinstance(curl_script(finding()), Unwritable)
    alone = msgspec.structs.replace(
        finding(), sequence=Sequence(cases=finding().sequence.cases[-1:])
    )
    script = curl_script(alone)
    assert isinstance(script, str)
    assert script.startswith("#!/bin/sh\n")
    assert script.endswith(f"{alone.curl}\n")


def test_a_pytest_file_compiles_needs_the_standard_library_alone_and_holds_no_secret():
    made = finding()
    text = pytest_file(made, Setting(config=CONFIG, profile=profile(), secrets={}))
    assert isinstance(text, str)
    tree = ast.parse(text)
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {
        *("__future__", "base64", "datetime", "http", "json", "math", "os", "re"),
        *("threading", "typing", "urllib"),
    }
    assert SECRET not in text
    assert "${CLERK_PASSWORD}" in text
    assert "${ROLE_CLERK_X_KEY}" in text
    assert text.count("def test_") == 1
    assert file_name(made).endswith(f"_{made.id}.py")


def test_what_cannot_be_told_alone_is_said():
    own = msgspec.structs.replace(finding(), check="my_own_check")
    made = pytest_file(own, Setting(config=CONFIG, profile=profile()))
    assert isinstance(made, Unwritable)
    assert "premortem replay" in made.why


def test_live_values_and_credentials_take_their_places_in_a_request():
    made = case(
        "POST /invoices/{invoice_id}/pay",
        "/invoices/inv%20_1/pay",
        body=b'{"amount": 10, "of": "inv _1", "key": "rdxsecret", "left": 10.5}',
        query=(("for", "inv _1"),),
        bindings=(
            Binding(
                step=0,
                select=body_place("id"),
                place=Place(part="path", name="1"),
                recorded="inv%20_1",
            ),
            Binding(
                step=0,
                select=body_place("id"),
                place=Place(part="query", name="for"),
                recorded="inv _1",
            ),
            Binding(
                step=1,
                select=Place(part="header", name="ETag"),
                place=body_place("of"),
                recorded="inv _1",
            ),
            Binding(step=1, select=body_place("n"), place=body_place("amount"), recorded="10"),
        ),
    )
    words = Call(made, secrets={"rdxsecret": "API_KEY"}).keywords()
    text = "\n".join(words)
    assert 'path="/invoices/" + in_path(value_of(answers[0], "/id")) + "/pay"' in words
    assert '"of": text_of(header_of(answers[1], "etag"))' in text
    assert '"amount": value_of(answers[1], "/n")' in text
    assert '"key": from_environment("${API_KEY}")' in text
    assert '"left": 10.5' in text
    for word in words:
        ast.parse(word.partition("=")[2], mode="eval")


@given(st.text(max_size=30), st.text(min_size=1, max_size=4))
def test_a_text_as_an_expression_is_the_text(text, part):
    written = joined(text, ((part, "live"),))
    assert eval(written, {"live": part}) == text


SCHEMAS = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
    {"type": "array", "items": {"type": ["string", "null"]}, "maxItems": 2},
    {"anyOf": [{"type": "number", "minimum": 3}, {"type": "boolean"}]},
    {"oneOf": [{"type": "integer"}, {"const": 4}, {"enum": ["x", None]}]},
    {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "additionalProperties": False}}},
    {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
    {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
    {"not": {"type": "object"}, "if": {"type": "string"}, "then": {"maxLength": 3}},
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 9)
    | st.sampled_from(["x", "ab", "a1", "abcd", 0.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: next(iter(schema)))
@given(value=VALUES)
def test_shapes_are_judged_as_the_validator_judges_them(schema, value):
    expected = jsonschema_rs.Draft202012Validator(schema).is_valid(value)
    assert (not broken_by(value, schema)) is expected


def test_headers_of_the_wire_and_of_credentials_are_not_written():
    headers = (*JSON, ("authorization", "Bearer rdx1"), ("cookie", "a=1"), ("content-length", "3"))
    made = case("POST /x", "/x", body=b"{}")
    request = msgspec.structs.replace(made.request, headers=headers)
    words = Call(msgspec.structs.replace(made, request=request), secrets={}).keywords()
    assert 'headers=(("content-type", "application/json"),)' in words
