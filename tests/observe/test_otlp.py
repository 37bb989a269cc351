from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.observe.otlp import from_json, from_protobuf
from tests.observe.exported import OTLP, OTLP_JSON


def test_a_real_request_says_the_same_in_both_forms():
    said = list(from_protobuf(OTLP))
    assert said == list(from_json(OTLP_JSON))
    values = [(one.metric, one.point.value) for one in said]
    assert values == [
        ("orders.placed", 5),
        ("orders.placed", 2),
        ("queue.depth", -3),
        ("process.cpu.utilization", 0.25),
        ("process.cpu.utilization", 0.5),
    ]


def test_attributes_of_resource_and_value_tell_series_apart():
    placed = [one.labels for one in from_protobuf(OTLP) if one.metric == "orders.placed"]
    resource = {"service.name": "orders", "service.instance.id": "one"}
    assert placed == [resource | {"kind": "new"}, resource | {"kind": "again", "paid": "true"}]


def test_a_sum_that_begins_anew_each_time_says_since_when():
    (one,) = from_json(
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"n","sum":{"dataPoints":[{'
        b'"startTimeUnixNano":"1000000000","timeUnixNano":"3000000000","asDouble":4}],'
        b'"aggregationTemporality":1}}]}]}]}'
    )
    assert (one.point.since_s, one.point.at_s, one.point.value) == (1, 3, 4)


def test_a_value_that_was_not_recorded_is_none():
    body = OTLP_JSON.replace(b'"asDouble":0.25', b'"flags":1,"asDouble":0.25')
    assert sum(one.metric == "process.cpu.utilization" for one in from_json(body)) == 1


@given(st.binary(max_size=200))
def test_bytes_that_are_no_request_raise_one_kind_of_error(body):
    for read in (from_json, from_protobuf):
        try:
            list(read(body))
        except ValueError:
            continue


@given(st.integers(0, len(OTLP) - 1), st.integers(0, 255))
def test_a_request_with_a_wrong_byte_raises_nothing_else(place, byte):
    broken = OTLP[:place] + bytes([byte]) + OTLP[place + 1 :]
    try:
        list(from_protobuf(broken))
    except ValueError:
        return


@pytest.mark.parametrize("length", [1, 100, 500, 662])
def test_a_request_that_was_cut_off_is_refused(length):
    with pytest.raises(ValueError, match=r"longer than its message|ends within"):
        list(from_protobuf(OTLP[:length]))
