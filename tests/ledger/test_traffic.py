"""The sample traffic: what it holds, and that every answer in it keeps to the document."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from urllib.parse import urlsplit

import jsonschema_rs
import pytest

from tests.ledger.conftest import FOLDER, environment

REQUESTS = 2_000


def record(base: str, path, requests: int = REQUESTS, seed: int = 7) -> list[dict]:
    subprocess.run(
        [
            *(sys.executable, "-m", "ledger.client", "--base", base, "--har", str(path)),
            *("--requests", str(requests), "--seed", str(seed)),
        ],
        cwd=FOLDER,
        env=environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)["log"]["entries"]


@pytest.fixture(scope="module")
def entries(http, base, tmp_path_factory) -> list[dict]:
    http.post("/_test/defects", json={"on": []})
    http.post("/_test/reset")
    return record(base, tmp_path_factory.mktemp("traffic") / "sample.har.gz")


@pytest.fixture(scope="module")
def document(http) -> dict:
    return http.get("/openapi.json").json()


def declared(document: dict, entry: dict) -> dict:
    """The declared operation that an entry is a request of."""
    path = urlsplit(entry["request"]["url"]).path
    for template, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return operations[entry["request"]["method"].lower()]
    raise AssertionError(f"{path} is not declared")


def breaks(document: dict, schema: dict, value: object) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(
        {**schema, "components": document["components"]}, validate_formats=True
    )
    return [error.message for error in validator.iter_errors(value)]


def test_every_answer_keeps_to_the_document(document, entries):
    assert len(entries) == REQUESTS
    for entry in entries:
        answers = declared(document, entry)["responses"]
        status = str(entry["response"]["status"])
        assert status in answers, entry["response"]
        if status == "204":
            assert "content" not in answers[status]
            continue
        content = answers[status]["content"]["application/json"]
        value = json.loads(entry["response"]["content"]["text"])
        assert not breaks(document, content["schema"], value)


def test_the_document_takes_what_was_accepted_and_refuses_what_was_refused(document, entries):
    seen = Counter()
    for entry in entries:
        operation = declared(document, entry)
        text = entry["request"].get("postData", {}).get("text", "")
        if "requestBody" not in operation or text.endswith("amou"):
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        is_invalid = entry["response"]["status"] == 422
        seen[is_invalid] += 1
        assert bool(breaks(document, schema, json.loads(text))) == is_invalid, text
    assert seen[False] > 100
    assert seen[True] > 0


def test_every_operation_is_called_and_few_requests_are_refused(document, entries):
    called = {declared(document, entry)["operationId"] for entry in entries}
    everything = {
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    }
    assert called == everything
    statuses = Counter(entry["response"]["status"] for entry in entries)
    assert {200, 201, 204, 401, 403, 404, 409, 412, 422} == set(statuses)
    refused = sum(count for status, count in statuses.items() if status >= 400)
    assert 0.04 < refused / REQUESTS < 0.1


def test_sessions_are_told_apart_and_mixed(entries):
    traces = []
    for entry in entries:
        headers = {pair["name"].lower(): pair["value"] for pair in entry["request"]["headers"]}
        assert headers["user-agent"]
        assert headers["x-client-id"]
        traces.append(re.fullmatch(r"00-(\w{32})-\w{16}-01", headers["traceparent"])[1])
    assert len(set(traces)) > REQUESTS / 20
    changes = sum(one != other for one, other in pairwise(traces))
    assert changes > REQUESTS / 4


def test_the_same_seed_asks_the_same_of_a_fresh_ledger(http, base, tmp_path):
    def asked(name: str, seed: int) -> list[str]:
        http.post("/_test/reset")
        recorded = record(base, tmp_path / name, requests=80, seed=seed)
        return [
            re.sub(
                "(cus|inv|crn|pay|ref|req|ses)_[0-9a-f]{12}",
                "ID",
                f"{entry['request']['method']} {entry['request']['url']} "
                f"{entry['request'].get('postData', {}).get('text')} {entry['response']['status']}",
            )
            for entry in recorded
        ]

    first = asked("first.har.gz", 1)
    assert asked("again.har.gz", 1) == first
    assert asked("other.har.gz", 2) != first


def test_the_document_says_what_a_reader_needs(document):
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert not [path for path in document["paths"] if path.startswith("/_test")]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_open = path in {"/login", "/health"}
            assert is_open == ("security" not in operation) == ("x-roles" not in operation)
    schemas = document["components"]["schemas"]
    objects = [schema for schema in schemas.values() if schema["type"] == "object"]
    assert all(schema["additionalProperties"] is False for schema in objects)
    amount = schemas["NewPayment"]["properties"]["amount"]
    assert amount.items() >= {"exclusiveMinimum": 0, "maximum": 1_000_000}.items()
    limits = {
        parameter["name"]: parameter["schema"]
        for parameter in document["paths"]["/invoices"]["get"]["parameters"]
    }
    assert limits["limit"].items() >= {"minimum": 1, "maximum": 100}.items()
    assert limits["offset"]["minimum"] == 0
