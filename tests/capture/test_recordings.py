"""Real recordings, whole: counts, no credential left, joins kept, and flat memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections import Counter

import pytest

from premortem.capture import CaptureCounts, Redactor, capture_har, read_har
from premortem.config import CaptureConfig, Config, TargetConfig
from premortem.domain.tokens import holds_token
from tests.capture.recording import entry
from tests.shared import shared

KEY = b"k" * 32
RECORDINGS = {
    "traffic/reddit.har.gz": 2423,
    "targets/kinto/production.har.gz": 445,
    "targets/phoenix/production.har.gz": 601,
    "targets/directus/production.har.gz": 349,
}


def whole(exchange):
    """All of an exchange's text."""
    request, response = exchange.request, exchange.response
    return "\n".join(
        [
            request.path,
            *map("=".join, request.query),
            *map(":".join, request.headers + response.headers),
            request.body.decode("utf-8", "replace"),
            response.body.decode("utf-8", "replace"),
        ]
    )


@pytest.fixture(scope="module", params=RECORDINGS, ids=lambda name: name.split("/")[1])
def both(request):
    path = shared(request.param)
    recorded = list(read_har(path, counts=CaptureCounts()))
    counts = CaptureCounts()
    kept = list(capture_har(path, config=Config(), redaction_key=KEY, counts=counts))
    assert counts.read == len(recorded) == RECORDINGS[request.param]
    assert counts.kept + counts.dropped.total() == counts.read
    assert counts.malformed == []
    return recorded, kept


def test_every_entry_is_an_exchange(both):
    recorded, kept = both
    assert len(recorded) == len(kept)
    for before, after in zip(recorded, kept, strict=True):
        assert before.request.method == after.request.method
        assert [k for k, _ in before.request.headers] == [k for k, _ in after.request.headers]
        assert [k for k, _ in before.request.query] == [k for k, _ in after.request.query]
        assert before.response.status == after.response.status


def test_credentials_are_gone_and_tokens_stand_for_them(both):
    recorded, kept = both
    secrets = set()
    for exchange in recorded:
        for name, value in exchange.request.headers:
            if name == "authorization":
                secrets.add(value.split()[-1])
    assert secrets
    for exchange in kept:
        text = whole(exchange)
        assert not [secret for secret in secrets if len(secret) > 5 and secret in text]
        for name, value in exchange.request.headers:
            if name == "authorization":
                assert holds_token(value) or value.endswith(" xxx")  # no room for the mark


def test_known_passwords_are_gone():
    passwords = {
        "kinto": ["alicepw", "bobpw", "carolpw"],
        "phoenix": ["Passw0rd!x", "ZYXWVUTSRQponmlkjihgfedcba9876543210abcd"],
        "directus": ["adminpass1", "edpass12", "passpass0", "edtoken123456", "ed@example.com"],
    }
    for service, secrets in passwords.items():
        path = shared(f"targets/{service}/production.har.gz")
        raw = gzip.decompress(path.read_bytes()).decode()
        stream = capture_har(path, config=Config(), redaction_key=KEY, counts=CaptureCounts())
        text = "\n".join(map(whole, stream))
        for secret in secrets:
            assert secret in raw
            assert secret not in text


def test_joins_are_kept(both):
    """As many distinct values as before, wherever one may join requests."""
    recorded, kept = both

    def distinct(exchanges):
        return [
            len({e.request.path for e in exchanges}),
            len({(e.request.path, e.request.query) for e in exchanges}),
            len({e.request.header("authorization") for e in exchanges}),
            len({e.request.body for e in exchanges}),
            len({e.response.body for e in exchanges}),
            len({e.id for e in exchanges}),
        ]

    assert distinct(recorded) == distinct(kept)


def test_values_map_one_to_one(both):
    recorded, kept = both
    forth: dict[str, set[str]] = {}
    back: dict[str, set[str]] = {}
    for before, after in zip(recorded, kept, strict=True):
        for one, two in zip(leaves(before), leaves(after), strict=True):
            if len(one) > 5:
                forth.setdefault(one, set()).add(two)
                back.setdefault(two, set()).add(one)
    changed = {one: two for one, two in forth.items() if two != {one}}
    assert all(len(two) <= 2 for two in changed.values())  # as it stands, and its token
    assert all(len(one) == 1 for one in back.values())


def leaves(exchange):
    yield from exchange.request.path.split("/")
    yield from (value for _, value in exchange.request.query)
    for body in (exchange.request.body, exchange.response.body):
        try:
            yield from texts(json.loads(body))
        except ValueError:
            continue


def texts(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item)
            yield key
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def test_few_ordinary_values_change(both):
    recorded, kept = both
    seen = changed = 0
    for before, after in zip(recorded, kept, strict=True):
        for one, two in zip(leaves(before), leaves(after), strict=True):
            seen += 1
            changed += one != two
    assert changed / seen < 0.02


def test_redacting_again_changes_nothing(both):
    _, kept = both
    again = Redactor(KEY)
    counts: Counter[str] = Counter()
    assert [again.exchange(exchange, counts) for exchange in kept] == kept
    assert not counts


def test_the_targets_own_traffic_is_kept():
    config = Config(target=TargetConfig(base_url="http://127.0.0.1:8888/v1"))
    path = shared("targets/kinto/production.har.gz")
    counts = CaptureCounts()
    assert len(list(capture_har(path, config=config, redaction_key=KEY, counts=counts))) == 445
    config = Config(capture=CaptureConfig(hosts=("elsewhere",)))
    counts = CaptureCounts()
    assert not list(capture_har(path, config=config, redaction_key=KEY, counts=counts))
    assert counts.dropped == {"host 127.0.0.1:8888": 445}


def test_memory_stays_flat_whatever_the_size_of_the_recording(tmp_path):
    path = tmp_path / "big.har.gz"
    text = json.dumps({"notes": ["lorem ipsum dolor " * 4000] * 10})
    content = {"size": len(text), "mimeType": "application/json", "text": text}
    recorded = json.dumps(entry(content=content)).encode()
    count = 80_000_000 // len(recorded)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"log": {"entries": [')
        file.write(b",".join([recorded] * count))
        file.write(b"]}}")
    tracemalloc.start()
    try:
        counts = CaptureCounts()
        for _ in capture_har(path, config=Config(), redaction_key=KEY, counts=counts):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert counts.kept == count
    assert peak < 16e6
