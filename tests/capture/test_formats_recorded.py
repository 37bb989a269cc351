"""Files that real tools wrote of one session, read back: the same exchanges, format for format.

`tests/quality/formats/record.py` recorded them; versions.json says with what. What was sent and
what came back, as the client saw it, is in sent.json.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections import defaultdict
from pathlib import Path

import pytest

from premortem.capture import FORMATS, CaptureCounts, ReadOptions, capture_recordings, detect
from premortem.capture.message import parse_query
from premortem.config import Config

RECORDINGS = Path(__file__).with_name("recordings")
WHOLE = ("mitmproxy.flows", "mitmproxy.har", "vcrpy.yaml")
LOGS = ("nginx-combined.log", "nginx-timed.log", "nginx-json.log")
FORM_OF = {
    "mitmproxy.flows": "mitmproxy",
    "mitmproxy.har": "har",
    "vcrpy.yaml": "cassette",
    "betamax.json": "cassette",
} | dict.fromkeys(LOGS, "log")


def sent(name="sent.json"):
    exchanges = json.loads((RECORDINGS / name).read_text())
    for exchange in exchanges:
        exchange["body"] = b64decode(exchange["body"])
        exchange["answer_body"] = b64decode(exchange["answer_body"])
    return exchanges


def read(path, **options):
    """Every exchange in PATH, with its format made out and nothing filtered or redacted."""
    counts = CaptureCounts()
    recordings = FORMATS[detect(path)].read(
        path, counts=counts, progress=None, options=ReadOptions(**options)
    )
    exchanges = [r.exchange(body_bytes_max=1 << 25, counts=counts) for _, r in recordings]
    assert counts.read == len(exchanges)
    assert not counts.malformed
    assert not counts.bodies_coded
    return exchanges


def target(exchange):
    return exchange.request.path, exchange.request.query


def expected(one):
    path, _, query = one["target"].partition("?")
    return path, parse_query(query)


def plain(one):
    """The request's body as it was before its content coding, which readers undo."""
    return gzip.decompress(one["body"]) if one["body"][:2] == b"\x1f\x8b" else one["body"]


def readable(data):
    try:
        return bool(data.decode()) or not data
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("name", sorted(FORM_OF))
def test_the_format_is_told_by_the_content_alone(name, tmp_path):
    unnamed = tmp_path / "recording"
    unnamed.write_bytes((RECORDINGS / name).read_bytes())
    assert detect(unnamed) == FORM_OF[name]


@pytest.mark.parametrize("name", WHOLE)
def test_what_was_sent_and_answered_is_what_is_read(name):
    exchanges, told = read(RECORDINGS / name), sent()
    assert len(exchanges) == len(told) == 28
    for exchange, one in zip(exchanges, told, strict=True):
        request, response = exchange.request, exchange.response
        assert exchange.recorded == "all"
        assert (request.method, target(exchange)) == (one["method"], expected(one))
        if name != "mitmproxy.har" or readable(plain(one)):  # which writes all bodies as text
            assert request.body == plain(one)
        assert request.header("authorization") == one["headers"].get("authorization")
        assert request.header("content-type") == one["headers"].get("content-type")
        assert request.header("content-encoding") is None
        assert response.status == one["status"]
        assert response.body == one["answer_body"]
        assert response.header("content-type") == (one["answer_type"] or None)
        assert response.header("content-encoding") is None


@pytest.mark.parametrize("name", LOGS)
def test_a_log_holds_what_a_line_can(name):
    exchanges, told = read(RECORDINGS / name), sent()
    assert len(exchanges) == len(told)
    for exchange, one in zip(exchanges, told, strict=True):
        assert exchange.recorded == "line"
        assert (exchange.request.method, target(exchange)) == (one["method"], expected(one))
        assert exchange.response.status == one["status"]
        assert exchange.request.header("user-agent") == one["headers"]["user-agent"]
        assert exchange.request.body == exchange.response.body == b""


def test_all_of_them_tell_the_same_times():
    flows = read(RECORDINGS / "mitmproxy.flows")
    for name in ("mitmproxy.har", "vcrpy.yaml", *LOGS):
        for one, other in zip(flows, read(RECORDINGS / name), strict=True):
            assert other.started_at == pytest.approx(one.started_at, abs=1.1)
    for name in ("nginx-timed.log", "nginx-json.log"):
        for one, other in zip(flows, read(RECORDINGS / name), strict=True):
            assert 0 <= other.duration_ms <= one.duration_ms + 1


@pytest.mark.parametrize("name", [*WHOLE, *LOGS])
def test_equal_requests_within_a_second_stay_apart_and_in_order(name):
    exchanges = read(RECORDINGS / name)
    assert len({exchange.id for exchange in exchanges}) == len(exchanges)
    if name != "nginx-json.log":  # which tells when requests ended, and they overlap in time
        starts = [exchange.started_at for exchange in exchanges]
        assert starts == sorted(starts)


def test_a_betamax_cassette_holds_the_last_of_equal_requests():
    exchanges = read(RECORDINGS / "betamax.json")
    told = {(one["method"], one["target"], one["body"]): one for one in sent("sent-betamax.json")}
    assert len(exchanges) == len(told)
    answers = defaultdict(list)
    for one in told.values():
        answers[one["method"], *expected(one), one["answer_body"]].append(one)
    for exchange in exchanges:
        key = exchange.request.method, *target(exchange), exchange.response.body
        one = answers[key].pop(0)
        assert exchange.response.status == one["status"]
        if one["body"].isascii():
            assert exchange.request.body == one["body"]


def test_the_user_that_a_log_names_is_the_one_who_signed_in():
    def tagged(name):
        path = RECORDINGS / name
        counts = CaptureCounts()
        recordings = FORMATS[FORM_OF[name]].read(
            path, counts=counts, progress=None, options=ReadOptions()
        )
        kept = capture_recordings(
            recordings, config=Config(), redaction_key=b"k" * 32, counts=counts
        )
        return [exchange.tags for exchange in kept]

    anna = 22
    flows = tagged("mitmproxy.flows")
    for name in LOGS:
        assert tagged(name)[anna].client == flows[anna].client
        assert tagged(name)[anna].session == flows[anna].session
        assert tagged(name)[anna - 1].client != flows[anna].client


def test_no_credential_of_any_format_reaches_the_store():
    for name in (*WHOLE, "betamax.json"):
        recordings = FORMATS[FORM_OF[name]].read(
            RECORDINGS / name, counts=CaptureCounts(), progress=None, options=ReadOptions()
        )
        kept = list(
            capture_recordings(
                recordings, config=Config(), redaction_key=b"k" * 32, counts=CaptureCounts()
            )
        )
        assert len(kept) > 20
        assert "-secret" not in repr(kept)
        tokens = [
            one["headers"]["authorization"].split()[1]
            for one in sent("sent-betamax.json" if name == "betamax.json" else "sent.json")
            if "authorization" in one["headers"]
        ]
        assert tokens
        assert not [token for token in tokens if token in repr(kept)]


@pytest.mark.parametrize("name", sorted(FORM_OF))
def test_a_gzipped_recording_is_read_like_the_plain_one(name, tmp_path):
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress((RECORDINGS / name).read_bytes()))
    assert detect(packed) == FORM_OF[name]
    undated = ("vcrpy.yaml", "betamax.json")
    one, other = read(RECORDINGS / name), read(packed)
    assert len(one) == len(other)
    if name not in undated:
        assert one == other
