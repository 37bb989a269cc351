from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.observe.exposition import points
from premortem.observe.selector import parse_selector
from premortem.observe.tracking import Unseen
from tests.observe.exported import OPENMETRICS, PROMETHEUS


def read(page: str, selector: str) -> list[float]:
    return [point.value for point in points(page, parse_selector(selector))]


@pytest.mark.parametrize("page", [PROMETHEUS, OPENMETRICS], ids=["prometheus", "openmetrics"])
@pytest.mark.parametrize(
    ("selector", "values"),
    [
        ("http_requests_total", [3, 1e10]),
        ('http_requests_total{method="POST"}', [1e10]),
        ('http_requests_total{method!="POST"}', [3]),
        ('http_requests_total{path=~"/[a-z]"}', [1e10]),
        ('http_requests_total{path!~"/[a-z]", method="GET"}', [3]),
        (r'http_requests_total{path="/a\"b\\c\nd"}', [3]),
        ('http_requests_total{absent=""}', [3, 1e10]),
        ('http_requests_total{absent="x"}', []),
        ("http_requests", []),
        ("temperature_celsius", [-1.5e-07]),
        ('lat_seconds_bucket{le="+Inf"}', [1]),
        ("lat_seconds_sum", [0.5]),
    ],
)
def test_a_series_of_a_real_page_is_read(page, selector, values):
    assert read(page, selector) == values


def test_not_a_number_is_read_as_such():
    (value,) = read(PROMETHEUS, "http_requests_in_flight")
    assert math.isnan(value)


def test_timestamps_and_names_in_quotes_are_understood():
    assert read('a{x="1",} 2 1395066363000\r\n{"a", x="2"} +Inf\n{"ab"} 4', "a") == [2, math.inf]


@pytest.mark.parametrize(
    "line", ["cpu", "cpu ", "cpu 1_000", "cpu 0x1", 'cpu{a="1} 2', "cpu{a=1} 2", "cpu 1 2 3"]
)
def test_a_broken_line_of_the_metric_is_refused(line):
    page = f"other 1\n{line}"
    if line == "cpu":
        assert read(page, "cpu") == []  # no sample at all
        return
    with pytest.raises(Unseen, match="no sample"):
        read(page, "cpu")


def test_a_broken_line_of_another_metric_is_nobodys_matter():
    assert read("other {{{\ncpu 3", "cpu") == [3]


@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), st.text(max_size=8)),
    st.floats(allow_nan=False),
)
def test_whatever_labels_say_they_are_read_back(labels, value):
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    inner = ",".join(f"{name}={quoted(text)}" for name, text in labels.items())
    said = repr(value).replace("inf", "Inf")
    (point,) = points(f"up{{{inner}}} {said}", parse_selector(f"up{{{inner}}}"))
    assert dict(point.series) == labels
    assert point.value == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no metric"),
        ("9up", "names no metric"),
        ("up{", "braces"),
        ("up{a}", "write labels like"),
        ('up{a="1" b="2"}', "comma"),
        ('up{a=~"("}', "no regular expression"),
        ("up" * 2000, "longer"),
    ],
)
def test_what_is_no_selector_says_why(text, why):
    with pytest.raises(ValueError, match=why):
        parse_selector(text)
