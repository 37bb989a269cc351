from __future__ import annotations

import pytest

from premortem.domain.stated import parse_stated

FEE = "POST /invoices/{invoice_id}/late-fee"
LOCK = "POST /invoices/{invoice_id}/lock"


@pytest.mark.parametrize(
    ("text", "kind", "operation", "other"),
    [
        (f"{FEE}: once", "once", FEE, ""),
        (f"{FEE}:  never  after {LOCK}", "never after", FEE, LOCK),
        (f"{FEE}: never by who did {LOCK}", "never by who did", FEE, LOCK),
        (f"{FEE}: only by who did {LOCK}", "only by who did", FEE, LOCK),
        (f"{FEE}: one entry in GET /audit?subject={{invoice_id}}", "entry", FEE, "GET /audit"),
        (f"GET /reports: day by time_zone counts {FEE}", "day", "GET /reports", FEE),
    ],
)
def test_a_line_says_what_is_tried(text, kind, operation, other):
    rule = parse_stated(text)
    assert (rule.kind, rule.operation, rule.other) == (kind, operation, other)


def test_a_reading_says_what_it_asks_for_and_is_what_comes_last():
    rule = parse_stated(f"{FEE}: one entry in GET /audit?subject={{invoice_id}}&limit=100")
    assert rule.query == (("subject", "{invoice_id}"), ("limit", "100"))
    assert rule.final == "GET /audit"
    assert parse_stated(f"{FEE}: once").final == FEE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "once",
        f"{FEE} once",
        f"{FEE}: twice",
        f"{FEE}: never after",
        f"{FEE}: never after {LOCK}?a=b",
        f"{FEE}: once and for all",
        f"{FEE}: never after {LOCK} " + "x" * 500,
    ],
)
def test_what_means_nothing_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"write it like|longer than"):
        parse_stated(text)
