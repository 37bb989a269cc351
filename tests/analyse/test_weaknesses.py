from __future__ import annotations

from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console

from premortem.analyse.terminal.rejections import (
    rejection_view,
    rejections_table,
    weaknesses_table,
)
from premortem.analyse.weaknesses import weaknesses
from premortem.domain.rejection import Rejection
from premortem.domain.run import Case, Intent, Origin
from premortem.domain.traffic import Request


def rejected(rule, operation, reason="", model="llamacpp small"):
    case = Case(
        request=Request(method="POST", origin="", path="/orders"),
        operation_id=operation,
        origin=Origin(source="llm", model=model),
        intent=Intent(),
    )
    return Rejection(case=case, rule=rule, reason=reason, prompt="Write one.", output='{"a":1}')


REJECTED = [
    rejected("copied", "POST /orders", "newest"),
    rejected("shape", "POST /orders"),
    rejected("copied", "POST /orders", "older"),
    rejected("shape", "PUT /orders/{id}"),
    rejected("shape", "PUT /orders/{id}"),
]


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("rule", [("shape", 2), ("shape", 1), ("copied", 2)]),
        ("operation", [("copied", 2), ("shape", 1), ("shape", 2)]),
    ],
)
def test_what_is_most_frequent_comes_first(by, order):
    assert [(w.rule, w.count) for w in weaknesses(REJECTED, by=by)] == order


def test_each_row_tells_the_newest_reason_and_the_model():
    found = next(w for w in weaknesses(REJECTED, by="rule") if w.rule == "copied")
    assert (found.reason, found.model, found.source) == ("newest", "llamacpp small", "llm")


def test_models_are_told_apart():
    other = replace(REJECTED[0], case=rejected("copied", "POST /orders", model="new").case)
    assert len(weaknesses([REJECTED[0], other], by="source")) == 2


def test_the_terminal_shows_counts_rows_and_one_with_what_was_asked_and_answered():
    console = Console(width=100, file=StringIO())
    for view in (
        weaknesses_table(weaknesses(REJECTED, by="rule")),
        rejections_table(REJECTED),
        rejection_view(REJECTED[0]),
        weaknesses_table([]),
    ):
        console.print(view)
    text = console.file.getvalue()
    assert "llamacpp small: newest" in text
    assert "PUT /orders/{id}" in text
    assert "Write one." in text
    assert '{"a":1}' in text
    assert "no case was rejected" in text
