"""Rules of the configuration: what else goes, what stays, and which rules cannot be."""

from __future__ import annotations

import json

import pytest

from premortem.capture import Redactor
from premortem.config import RedactConfig, RedactRule
from premortem.domain.tokens import make_token
from premortem.domain.traffic import Request
from premortem.errors import ConfigError
from tests.capture.test_redact import KEY, document


def rules(*given, **config):
    return {"rules": tuple(RedactRule(**rule) for rule in given), **config}


def test_a_pattern_is_replaced_wherever_it_stands():
    rule = {"name": "employee", "pattern": r"EMP-\d{6}"}
    out = document({"a": "EMP-123456", "b": {"c": "by EMP-123456."}}, **rules(rule))
    token = make_token(KEY, "EMP-123456")
    assert out == {"a": token, "b": {"c": f"by {token}."}}
    shaped = document({"a": "EMP-123456"}, **rules(rule | {"replace": "keep-format"}))["a"]
    assert shaped[3] == "-"
    assert shaped[4:].isdigit()
    assert shaped != "EMP-123456"
    assert document({"a": "x EMP-123456"}, **rules(rule | {"replace": "drop"})) == {"a": "x "}


def test_a_field_is_found_by_its_glob_in_any_spelling():
    rule = {"name": "grades", "field": "*grade*", "replace": "drop"}
    value = {"userGrade": "A", "grade_2": 17, "upgrade_at": "noon", "other": "A"}
    out = document(value, **rules(rule))
    assert out == {"userGrade": "", "grade_2": 0, "upgrade_at": "", "other": "A"}


def test_a_rule_holds_where_it_says():
    config = RedactConfig(**rules({"name": "n", "pattern": r"EMP-\d+", "where": ("query",)}))
    sent = Request(
        method="POST",
        origin="",
        path="/EMP-12345",
        query=(("e", "EMP-12345"),),
        headers=(("x-note", "EMP-12345"), ("content-type", "application/json")),
        body=b'{"a":"EMP-12345"}',
    )
    out = Redactor(KEY, config).request(sent)
    assert out.query == (("e", make_token(KEY, "EMP-12345")),)
    assert (out.path, out.body, out.headers) == (sent.path, sent.body, sent.headers)


def test_values_and_paths_can_be_allowed():
    out = document({"password": "demo-1", "token": "abc"}, allow_values=(r"demo-\d",))
    assert out == {"password": "demo-1", "token": make_token(KEY, "abc")}
    config = RedactConfig(allow_paths=("/public/*",))
    sent = Request(
        method="POST",
        origin="",
        path="/public/a",
        headers=(("authorization", "Bearer abcdefgh"),),
        body=b'{"password":"x1"}',
    )
    out = Redactor(KEY, config).request(sent)
    assert out.body == sent.body
    assert out.headers != sent.headers


def test_classes_of_personal_data_can_stay():
    value = {"full_name": "Alice Example", "phone": "+49 30 1234567", "password": "x"}
    kept = document(value, keep=("name",))
    assert kept["full_name"] == value["full_name"]
    assert kept["phone"] != value["phone"]
    none = document(value, personal=False)
    assert none == value | {"password": make_token(KEY, "x")}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (rules({"name": "r", "pattern": "("}), "no regular expression"),
        (rules({"name": "r", "pattern": "(a+)+b"}), "can take very long"),
        (rules({"name": "r", "pattern": "(a|ab)*c"}), "can take very long"),
        (rules({"name": "r", "pattern": r"(a)\1"}), "reference back"),
        (rules({"name": "r"}), "either `pattern` or `field`"),
        (rules({"name": "r", "pattern": "a" * 2000}), "longer than"),
        ({"keep": ("shoes",)}, "no class"),
        ({"allow_values": ("[",)}, "allow_values"),
    ],
)
def test_rules_that_cannot_be_are_refused(config, said):
    with pytest.raises(ConfigError, match=said):
        Redactor(KEY, RedactConfig(**config))


def test_own_rules_are_idempotent():
    config = RedactConfig(
        **rules(
            {"name": "a", "pattern": r"[A-Z]{3}-\d{6}", "replace": "keep-format"},
            {"name": "b", "field": "grade"},
        )
    )
    sent = Request(
        method="POST",
        origin="",
        path="/ABC-123456",
        headers=(("content-type", "application/json"),),
        body=json.dumps({"n": "ABC-123456", "grade": "A+"}).encode(),
    )
    once = Redactor(KEY, config).request(sent)
    assert Redactor(KEY, config).request(once) == once
