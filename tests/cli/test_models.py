"""`premortem models` as a user types it; the models themselves are in tests/models."""

from __future__ import annotations

import json

import pytest

from tests.cli.console import premortem
from tests.generate import small
from tests.models.endpoint import completion, serving


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREMORTEM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def har() -> str:
    entries = []
    for number in range(6):
        body = {**small.MADE, "customer": f"Customer No {number}", "amount": 10 + number}
        entries.append(
            {
                "startedDateTime": f"2026-01-01T00:00:0{number}Z",
                "time": 1,
                "request": {
                    "method": "POST",
                    "url": "http://prod.example/invoices",
                    "headers": [{"name": "content-type", "value": "application/json"}],
                    "queryString": [],
                    "postData": {"mimeType": "application/json", "text": json.dumps(body)},
                },
                "response": {
                    "status": 201,
                    "headers": [],
                    "content": {"mimeType": "application/json", "text": "{}"},
                },
            }
        )
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


def test_the_built_in_model_is_listed_with_what_stands_in_its_way(folder):
    listed, encoder = premortem("models", "list", "--json").json
    assert (listed["name"], encoder["name"]) == ("smollm2", "minilm")
    assert "premortem models fetch" in listed["trouble"]
    assert "premortem models fetch minilm" in encoder["trouble"]
    assert "premortem models fetch" in premortem("models", "list").out


def test_secrets_are_shown_as_names_of_variables(folder):
    (folder / "premortem.toml").write_text(
        '[models.ours]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\nkey = "${MODEL_KEY}"\n'
    )
    shown = premortem("models", "show", "--json").json
    assert shown["settings"]["key"] == "${MODEL_KEY}"
    assert shown["model"]["trouble"] == ""


def test_a_built_in_model_that_there_is_not_is_said(folder):
    assert "smollm2, minilm" in premortem("models", "fetch", "gpt").complaint


def test_another_file_than_the_pinned_one_is_refused(folder):
    (folder / "x.gguf").write_bytes(b"GGUF")
    complaint = premortem("models", "fetch", "--from", "x.gguf").complaint
    assert "is not the" in complaint


def test_an_endpoint_makes_cases_that_are_stored_with_its_name(folder):
    def script(body, number):
        asked = body["response_format"]["json_schema"]["schema"]["properties"]
        value = {"customer": f"New Name {number}", "amount": 11 + number % 4}
        return completion(json.dumps({name: value.get(name, "EUR") for name in asked}))

    (folder / "in.har").write_text(har())
    with serving(script) as endpoint:
        (folder / "premortem.toml").write_text(
            '[target]\nbase_url = "http://127.0.0.1:9"\ndisposable = true\n'
            '[capture]\nhosts = ["*"]\n'
            f'[models.ours]\nbase_url = "{endpoint.base_url}"\nmodel = "m"\n'
        )
        premortem("capture", "har", "in.har")
        premortem("learn")
        tried = premortem("models", "try", "--count", "3", "--json").json
        made = premortem("generate", "--count", "4", "--source", "llm", "--json").json
    assert tried["operation_id"] == "POST /invoices"
    assert len(tried["bodies"]) == 3
    assert made["sources"] == {"llm": 4}


def test_a_missing_model_is_said_before_anything_is_made(folder):
    (folder / "in.har").write_text(har())
    (folder / "premortem.toml").write_text(
        '[target]\nbase_url = "http://127.0.0.1:9"\ndisposable = true\n[capture]\nhosts = ["*"]\n'
    )
    premortem("capture", "har", "in.har")
    premortem("learn")
    complaint = premortem("generate", "--count", "4", "--source", "llm=1,sample=1").complaint
    assert "premortem models fetch" in complaint
