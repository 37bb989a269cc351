from __future__ import annotations

import gzip
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from premortem.config import MetricConfig
from premortem.errors import ConfigError
from premortem.observe import Answer, Asked, Door, Unseen, Wanted, Watcher, fetch
from premortem.observe.tracking import Point, Tracked
from premortem.observe.watching import Sights, _sources
from tests.observe.exported import OTLP, OTLP_JSON, PROMETHEUS

URL = "http://127.0.0.1:9/metrics"


class Polled:
    """Metrics that are asked for when a test says so, on its own clock."""

    def __init__(self, **configs: MetricConfig) -> None:
        self.now = 0.0
        self.asked: list[Wanted] = []
        self.answer: str | Unseen = ""
        self.sights = Sights(configs, now=lambda: self.now)
        self.sources = [s for s, _ in _sources(configs, self.sights, self._fetch, Path())]

    def _fetch(self, wanted: Wanted) -> bytes:
        self.asked.append(wanted)
        if isinstance(self.answer, Unseen):
            raise self.answer
        return self.answer.encode()

    def poll(self, answer: str | Unseen, *, at: float) -> dict[str, float]:
        self.now, self.answer = at, answer
        for source in self.sources:
            source.poll()
        return self.sights.latest()


def scraped(series: str, **more: object) -> MetricConfig:
    return MetricConfig(kind="scrape", url=URL, series=series, **more)


def asked(query: str) -> MetricConfig:
    return MetricConfig(kind="prometheus", url="http://127.0.0.1:9/prom/", query=query)


def test_one_page_is_read_once_for_all_its_metrics():
    polled = Polled(
        cold=scraped("temperature_celsius"),
        posts=scraped('http_requests_total{method="POST"}', scale=1e-9),
        all=scraped("http_requests_total", combine="max"),
    )
    assert polled.poll(PROMETHEUS, at=1) == {"cold": -1.5e-07, "posts": 10, "all": 1e10}
    assert len(polled.asked) == 1


def test_a_counter_becomes_its_growth_per_second():
    polled = Polled(cpu=scraped("cpu_s", rate=True, scale=100))
    assert polled.poll("cpu_s 5", at=10) == {}
    assert "two readings" in polled.sights.lost()
    assert polled.poll("cpu_s 6.5", at=12) == {"cpu": 75}


def test_a_counter_that_restarts_counts_from_its_restart():
    polled = Polled(cpu=scraped("cpu_s", rate=True))
    polled.poll("cpu_s 500", at=1)
    assert polled.poll("cpu_s 3", at=2) == {"cpu": 3}


def test_series_come_and_go_without_a_leap_in_their_growth():
    polled = Polled(served=scraped("served", rate=True))
    polled.poll('served{i="1"} 10', at=1)
    assert polled.poll('served{i="1"} 20\nserved{i="2"} 5000', at=2) == {"served": 10}
    assert polled.poll('served{i="2"} 5004', at=3) == {"served": 4}
    assert polled.poll('served{i="1"} 900\nserved{i="2"} 5008', at=4) == {"served": 4}


def test_a_value_grows_stale_and_the_reason_is_told():
    polled = Polled(up=scraped("up", stale_s=10.0))
    assert "nothing has been read yet" in polled.sights.lost()
    assert polled.poll("up 1", at=0) == {"up": 1}
    assert polled.sights.lost() == ""
    assert polled.poll(Unseen("no answer within 2 s"), at=10) == {"up": 1}
    assert polled.poll(Unseen("no answer within 2 s"), at=10.001) == {}
    assert polled.sights.lost() == "up: no answer within 2 s"


def test_a_metric_that_need_not_be_there_is_never_lost():
    polled = Polled(up=scraped("up"), extra=scraped("extra", required=False))
    polled.poll("up 1", at=0)
    assert polled.sights.lost() == ""
    assert "extra" not in polled.sights.latest()


@pytest.mark.parametrize(
    ("page", "why"),
    [("other 1", "no series matches"), ("up NaN", "not a number"), ("up ?", "no sample")],
)
def test_a_page_without_the_value_says_why(page, why):
    polled = Polled(up=scraped("up"))
    assert polled.poll(page, at=0) == {}
    assert why in polled.sights.lost()


def test_a_prometheus_server_is_asked():
    polled = Polled(cpu=asked('avg(rate(cpu{job="a"}[1m]))'))
    vector = '{"status":"success","data":{"resultType":"vector","result":[%s]}}'
    one = '{"metric":{"i":"1"},"value":[1435781451.781,"2.5"]}'
    assert polled.poll(vector % one, at=0) == {"cpu": 2.5}
    assert polled.asked[0].url == (
        "http://127.0.0.1:9/prom/api/v1/query?query=avg%28rate%28cpu%7Bjob%3D%22a%22%7D%5B1m%5D%29%29"
    )
    scalar = '{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}'
    assert polled.poll(scalar, at=1) == {"cpu": 7}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('{"status":"error","error":"parse error"}', "parse error"),
        ('{"status":"success","data":{"resultType":"vector","result":[]}}', "no series matches"),
        ('{"status":"success","data":{"resultType":"matrix","result":[]}}', "matrix"),
        ("<html>", "not that of a Prometheus server"),
        ('{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}', "not that of"),
    ],
)
def test_an_answer_without_a_value_says_why(answer, why):
    polled = Polled(cpu=asked("cpu"))
    assert polled.poll(answer, at=0) == {}
    assert why in polled.sights.lost()


def test_growth_since_the_last_report_needs_no_report_before():
    one = Tracked(MetricConfig(kind="otlp", listen="x", series="n", rate=True))
    one.take([Point(series=(), value=4, at_s=3, since_s=1)], now=0, whole=False)
    assert one.value == 2


@contextmanager
def door(answer: Callable[[Asked], Answer], **more: str) -> Iterator[str]:
    opened = Door("127.0.0.1:0", answer, what="--control", **more)
    try:
        yield f"http://{opened.address}"
    finally:
        opened.close()


def wanted(url: str, **more: object) -> Wanted:
    return Wanted(**({"url": url, "timeout_s": 5.0, "bytes_max": 1000} | more))


def test_a_page_is_fetched_with_its_token():
    seen: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer(body=b"up 1", content_type="text/plain")

    with door(answer, token="s3cret") as base:
        assert fetch(wanted(f"{base}/metrics?x=1", bearer="s3cret")) == b"up 1"
        with pytest.raises(Unseen, match="401"):
            fetch(wanted(base))
    assert [one.path for one in seen] == ["/metrics"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Answer(status=503, body=b"busy"), "answers 503 busy"),
        (Answer(status=302), "answers 302"),
        (Answer(body=b"x" * 1001), "larger than response_bytes_max"),
    ],
)
def test_what_is_no_page_is_told(said, why):
    with door(lambda _: said) as base, pytest.raises(Unseen, match=why):
        fetch(wanted(base))


def test_nobody_there_is_told():
    with door(lambda _: Answer()) as base:
        pass
    with pytest.raises(Unseen, match="refused"):
        fetch(wanted(base))


def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, headers=named, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def exported(series: str, **more: object) -> MetricConfig:
    return MetricConfig(kind="otlp", listen="127.0.0.1:0", series=series, **more)


PROTOBUF = "application/x-protobuf"


@pytest.mark.parametrize(
    ("body", "headers", "answered"),
    [
        (OTLP, {"content_type": PROTOBUF}, b""),
        (gzip.compress(OTLP), {"content_type": PROTOBUF, "content_encoding": "gzip"}, b""),
        (OTLP_JSON, {"content_type": "application/json; charset=utf-8"}, b"{}"),
    ],
)
def test_what_an_exporter_sends_is_taken(body, headers, answered):
    configs = {
        "cpu": exported('process.cpu.utilization{service.name="orders"}', combine="max"),
        "placed": exported("orders.placed"),
        "again": exported('orders.placed{paid="true"}', scale=10),
        "other": exported("not.sent"),
    }
    watcher = Watcher(configs)
    try:
        url = f"http://{watcher.listening['127.0.0.1:0']}/v1/metrics"
        assert post(url, body, **headers) == (200, answered)
        assert watcher.latest() == {"cpu": 0.5, "placed": 7, "again": 20}
        assert watcher.lost() == "other: nothing has been read yet"
    finally:
        watcher.close()


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/metrics", b"\xff", {"content_type": PROTOBUF}, 400),
        ("/v1/metrics", b"{", {"content_type": "application/json"}, 400),
        ("/v1/metrics", b"", {"content_type": "text/plain"}, 415),
        ("/v1/traces", b"", {"content_type": PROTOBUF}, 404),
        ("/v1/metrics", b"x" * 2000, {"content_type": PROTOBUF}, 413),
        ("/v1/metrics", b"x", {"content_type": PROTOBUF, "content_encoding": "gzip"}, 400),
        ("/v1/metrics", b"x", {"content_type": PROTOBUF, "content_encoding": "br"}, 415),
        ("/v1/metrics", OTLP, {"content_type": PROTOBUF, "origin": "http://evil.test"}, 403),
        ("/v1/metrics", OTLP, {"content_type": PROTOBUF, "host": "evil.test:80"}, 403),
    ],
)
def test_what_is_no_export_is_refused(path, body, headers, status):
    watcher = Watcher({"cpu": exported("process.cpu.utilization", response_bytes_max=1000)})
    try:
        url = f"http://{watcher.listening['127.0.0.1:0']}{path}"
        assert post(url, body, **headers)[0] == status
        assert watcher.latest() == {}
    finally:
        watcher.close()


def test_a_watcher_asks_again_and_again_until_it_is_closed():
    enough = threading.Event()
    pages = iter(range(1, 10_000))

    def answer(_: Asked) -> Answer:
        number = next(pages)
        if number == 4:
            enough.set()
        return Answer(body=b"n %d" % number)

    with door(answer) as base:
        metric = MetricConfig(kind="scrape", url=base, series="n", interval_s=0.1)
        watcher = Watcher({"n": metric})
        assert enough.wait(20)
        watcher.close()
        assert watcher.latest()["n"] >= 3


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (MetricConfig(kind="scrape", url=URL), "needs `series`"),
        (MetricConfig(kind="scrape", url=URL, series="a", query="b"), "`query` means nothing"),
        (MetricConfig(kind="prometheus", url="localhost:9090", query="a"), "write it like"),
        (MetricConfig(kind="otlp", listen="127.0.0.1:0", series="a{"), "braces"),
        (MetricConfig(kind="otlp", listen="here", series="a"), "no address"),
        (MetricConfig(kind="otlp", listen="0.0.0.0:0", series="a"), "name a token"),
        (scraped("a", interval_s=0.0), "`interval_s` must be between"),
        (scraped("a", interval_s=20.0), "`stale_s` must be between 20"),
        (scraped("a", bearer="${NOT_SET_ANYWHERE}"), "NOT_SET_ANYWHERE is not set"),
        (scraped("a", ca="none.pem"), "no file none.pem"),
    ],
)
def test_what_cannot_be_watched_is_refused_at_once(config, why):
    with pytest.raises(ConfigError, match=why):
        Watcher({"cpu": config}, fetch=lambda _: b"")
