"""What of a recording is kept, and why the rest is not."""

from __future__ import annotations

from collections import Counter

import pytest

from premortem.capture import CaptureCounts, capture_har
from premortem.capture.filters import HOSTS_TOLD_MAX
from premortem.config import CaptureConfig, Config, TargetConfig
from premortem.errors import ConfigError
from tests.capture.recording import entry, write


def captured(tmp_path, entries, *, base_url="", **capture):
    path = write(tmp_path / "a.har", entries)
    counts = CaptureCounts()
    config = Config(capture=CaptureConfig(**capture), target=TargetConfig(base_url=base_url))
    kept = list(capture_har(path, config=config, redaction_key=b"k", counts=counts))
    assert counts.read == counts.kept + counts.dropped.total() + counts.malformed_total
    assert counts.kept == len(kept)
    return [exchange.request.origin + exchange.request.path for exchange in kept], counts.dropped


def hosts(*names):
    return [entry(url=f"{name}/a") for name in names]


def test_all_hosts_are_kept_without_a_target(tmp_path):
    kept, dropped = captured(tmp_path, hosts("http://a.test", "https://b.test:8443"))
    assert len(kept) == 2
    assert not dropped


def test_the_targets_host_and_port_alone_are_kept_by_default(tmp_path):
    entries = hosts("http://a.test", "http://A.test:80", "http://a.test:81", "http://b.test")
    kept, dropped = captured(tmp_path, entries, base_url="http://a.test/v1")
    assert kept == ["http://a.test/a"] * 2
    assert dropped == {"host a.test:81": 1, "host b.test": 1}


def test_the_names_of_this_machine_are_one_host(tmp_path):
    entries = hosts("http://localhost:8700", "http://127.0.0.1:8700", "http://127.0.0.1:8701")
    kept, dropped = captured(tmp_path, entries, base_url="http://127.0.0.1:8700")
    assert len(kept) == 2
    assert dropped == {"host 127.0.0.1:8701": 1}


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (("a.test",), 3),
        (("a.test:80",), 1),
        (("a.test:443",), 1),
        (("*.test",), 4),
        (("*",), 5),
        (("b.test", "other"), 2),
    ],
)
def test_hosts_may_be_named_with_or_without_port_or_by_glob(tmp_path, wanted, count):
    entries = hosts(
        "http://a.test", "https://a.test", "http://a.test:81", "http://b.test", "http://other"
    )
    kept, _ = captured(tmp_path, entries, hosts=wanted, base_url="http://elsewhere.test")
    assert len(kept) == count


def test_methods_statuses_and_paths_are_filtered(tmp_path):
    entries = [
        entry("GET", "http://h/api/items/1?x=1", status=200),
        entry("POST", "http://h/api/items", status=201),
        entry("GET", "http://h/api/items", status=404),
        entry("GET", "http://h/health", status=200),
        entry("GET", "http://h/api/internal/x", status=500),
    ]
    kept, dropped = captured(
        tmp_path,
        entries,
        methods=("get",),
        statuses=("200", "4xx", "500"),
        include_paths=("/api/*",),
        exclude_paths=("*/internal/*",),
    )
    assert kept == ["http://h/api/items/1", "http://h/api/items"]
    assert dropped == Counter(method=1, path=2)
    _, dropped = captured(tmp_path, entries, statuses=("2XX",))
    assert dropped == Counter(status=2)


def test_static_assets_go_by_extension_and_by_media_type(tmp_path):
    def answered(url, mime_type, method="GET"):
        return entry(method, url, content={"size": 0, "mimeType": mime_type})

    entries = [
        answered("http://h/app.js", ""),
        answered("http://h/style", "text/css; charset=utf-8"),
        answered("http://h/logo.PNG?v=1", "image/png"),
        answered("http://h/code", "application/javascript"),
        answered("http://h/font.woff2", "application/octet-stream"),
        answered("http://h/items/socket.io.js", "application/json"),
        answered("http://h/v1.2/items", "application/json"),
        answered("http://h/upload.png", "image/png", method="POST"),
        answered("http://h/page", "text/html"),
    ]
    kept, dropped = captured(tmp_path, entries)
    assert [url.rpartition("/")[2] for url in kept] == [
        "socket.io.js",
        "items",
        "upload.png",
        "page",
    ]
    assert dropped == Counter({"static asset": 5})
    assert len(captured(tmp_path, entries, static_assets=True)[0]) == 9


def test_what_was_never_answered_or_is_not_http_is_dropped(tmp_path):
    entries = [
        entry(status=0),
        entry(url="wss://h/live"),
        entry(url="data:image/png;base64,AAAA"),
        entry(url="chrome-extension://abc/x.js"),
    ]
    kept, dropped = captured(tmp_path, entries)
    assert kept == []
    assert dropped == Counter({"not http": 3, "no answer": 1})


@pytest.mark.parametrize("capture", [{"statuses": ("ok",)}, {"hosts": ("http://h/x",)}])
def test_impossible_filters_are_refused_before_anything_is_read(tmp_path, capture):
    with pytest.raises(ConfigError, match=r"\[capture\]"):
        captured(tmp_path, [], **capture)


def test_many_dropped_hosts_are_counted_together(tmp_path):
    entries = hosts(*(f"http://h{n}.test" for n in range(HOSTS_TOLD_MAX + 3)))
    _, dropped = captured(tmp_path, entries, hosts=("kept.test",))
    assert len(dropped) == HOSTS_TOLD_MAX + 1
    assert dropped["other hosts"] == 3
