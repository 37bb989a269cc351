"""The target's own metrics, watched while a run goes on, over ways of their own.

Only hosts that `[metrics.*]` names are asked. What cannot be read now is data: its value grows
stale, and `lost` says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from premortem.config import MetricConfig, resolve
from premortem.errors import ConfigError
from premortem.observe import exposition, otlp, prometheus
from premortem.observe.door import Answer, Asked, Door, refusal
from premortem.observe.fetching import Fetch, Wanted, fetch
from premortem.observe.selector import Selector, parse_selector
from premortem.observe.tracking import Tracked, Unseen

METRICS_MAX = 50
INTERVAL_S_MIN = 0.1
INTERVAL_S_MAX = 300.0
TIMEOUT_S_MAX = 60.0
SAID_MAX = 3
"""Metrics that `lost` gives reasons for."""
OTLP_PATH = "/v1/metrics"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_KEYS = {
    "scrape": ("url", "series"),
    "prometheus": ("url", "query"),
    "otlp": ("listen", "series"),
}
"""Kind -> what it needs; the others of these keys mean nothing to it."""


class Sights:
    """What is known of all metrics; for several threads."""

    def __init__(self, configs: Mapping[str, MetricConfig], *, now: Callable[[], float]) -> None:
        self._configs = configs
        self._now = now
        self._tracked = {name: Tracked(config) for name, config in configs.items()}
        self._lock = threading.Lock()

    def latest(self) -> dict[str, float]:
        """Name -> value, of those that are no older than their `stale_s`."""
        now = self._now()
        with self._lock:
            return {name: one.value for name, one in self._tracked.items() if one.fresh(now)}

    def lost(self) -> str:
        """Why required metrics cannot be seen, by name; empty: all can."""
        now = self._now()
        with self._lock:
            missing = [
                f"{name}: {one.why or self._silent(name, one, now)}"
                for name, one in self._tracked.items()
                if self._configs[name].required and not one.fresh(now)
            ]
        more = f"; and {len(missing) - SAID_MAX} more" if len(missing) > SAID_MAX else ""
        return "; ".join(missing[:SAID_MAX]) + more

    def _silent(self, name: str, one: Tracked, now: float) -> str:
        silent_s = now - (one.seen_at or now)
        told = "sent" if self._configs[name].kind == "otlp" else "answered"
        return f"nothing was {told} for {silent_s:.3g} s"

    def change(self, names: Iterable[str], then: Callable[[str, Tracked, float], None]) -> None:
        """THEN is called with each of NAMES, what is known of it, and the time."""
        with self._lock:
            for name in names:
                then(name, self._tracked[name], self._now())


class Source:
    """One address that is asked for one or several metrics."""

    def __init__(
        self, wanted: Wanted, metrics: Mapping[str, Selector | None], sights: Sights, fetch: Fetch
    ) -> None:
        """METRICS: name -> its series on the page; None: the answer is one of Prometheus."""
        self._wanted = wanted
        self._metrics = metrics
        self._sights = sights
        self._fetch = fetch

    def poll(self) -> None:
        """Ask once."""
        try:
            body = self._fetch(self._wanted)
            page = body.decode()
        except Unseen as error:
            self._lose(str(error))
        except UnicodeDecodeError:
            self._lose("the answer is not text")
        else:
            self._sights.change(self._metrics, lambda *given: self._take(body, page, *given))

    def _take(self, body: bytes, page: str, name: str, one: Tracked, now: float) -> None:
        selector = self._metrics[name]
        try:
            points = (
                prometheus.points(body) if selector is None else exposition.points(page, selector)
            )
            one.take(points, now=now, whole=True)
        except Unseen as error:
            one.lose(str(error))

    def _lose(self, why: str) -> None:
        self._sights.change(self._metrics, lambda _name, one, _now: one.lose(why))


class Watcher:
    """Watches until `close` or the end of a `with`, on a thread for each address that is asked."""

    def __init__(
        self,
        configs: Mapping[str, MetricConfig],
        *,
        now: Callable[[], float] = time.monotonic,
        fetch: Fetch = fetch,
        directory: Path = Path(),
    ) -> None:
        """CONFIGS: `[metrics.*]` by name; paths in it are relative to DIRECTORY.

        Raises ConfigError for what cannot be meant, for a variable that is not set, and for an
        address that cannot be listened on.
        """
        check(configs)
        self._sights = Sights(configs, now=now)
        self._ended = threading.Event()
        self._doors: list[Door] = []
        self.listening: dict[str, str] = {}
        """`listen` as configured -> the address with the port that was taken."""
        polled = list(_sources(configs, self._sights, fetch, directory))
        try:
            self._listen(configs)
        except ConfigError:
            self.close()
            raise
        for source, interval_s in polled:
            threading.Thread(
                target=self._watch, args=(source, interval_s), name="watch", daemon=True
            ).start()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def latest(self) -> Mapping[str, float]:
        """Name -> value, of those that are no older than their `stale_s`."""
        return self._sights.latest()

    def lost(self) -> str:
        """Why required metrics cannot be seen, by name; empty: all can."""
        return self._sights.lost()

    def close(self) -> None:
        """Ask and listen no more; a request that is under way ends by its own limit."""
        self._ended.set()
        for door in self._doors:
            door.close()
        self._doors.clear()

    def _watch(self, source: Source, interval_s: float) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            source.poll()
            due = max(due + interval_s, time.monotonic())
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return

    def _listen(self, configs: Mapping[str, MetricConfig]) -> None:
        addresses: dict[str, dict[str, MetricConfig]] = {}
        for name, config in configs.items():
            if config.kind == "otlp":
                addresses.setdefault(config.listen, {})[name] = config
        for address, metrics in addresses.items():
            first = next(iter(metrics.values()))
            door = Door(
                address,
                Exported({n: parse_selector(c.series) for n, c in metrics.items()}, self._sights),
                what="`listen` under [metrics]",
                token=resolve(first.bearer),
                body_bytes_max=max(config.response_bytes_max for config in metrics.values()),
            )
            self._doors.append(door)
            self.listening[address] = door.address


class Exported:
    """Takes what an exporter sends (OTLP/HTTP)."""

    def __init__(self, metrics: Mapping[str, Selector], sights: Sights) -> None:
        self._metrics = metrics
        self._sights = sights

    def __call__(self, asked: Asked) -> Answer:
        """Read it, whatever other metrics are in it."""
        if (asked.method, asked.path) != ("POST", OTLP_PATH):
            return refusal(404, f"metrics are taken at POST {OTLP_PATH}")
        if asked.content_type not in (_PROTOBUF, _JSON):
            return refusal(415, f"send {_PROTOBUF} or {_JSON}")
        read = otlp.from_json if asked.content_type == _JSON else otlp.from_protobuf
        wanted = {selector.name for selector in self._metrics.values()}
        try:
            found = [one for one in read(asked.body) if one.metric in wanted]
        except ValueError as error:
            return refusal(400, f"no ExportMetricsServiceRequest: {error}"[:500])
        told: dict[str, list[otlp.Reported]] = {}
        for name, selector in self._metrics.items():
            mine = [o for o in found if o.metric == selector.name and selector.takes(o.labels)]
            if mine:
                told[name] = mine
        self._sights.change(
            told,
            lambda name, one, now: one.take((o.point for o in told[name]), now=now, whole=False),
        )
        body = b"{}" if asked.content_type == _JSON else b""
        return Answer(body=body, content_type=asked.content_type)


def check(configs: Mapping[str, MetricConfig]) -> None:
    """Raises ConfigError, which names all that is wrong with CONFIGS."""
    wrong = [
        f"[metrics.{name}]: {why}" for name, config in configs.items() for why in _wrong(config)
    ]
    listen: dict[str, str] = {}
    for name, config in configs.items():
        if config.kind == "otlp" and listen.setdefault(config.listen, config.bearer) != (
            config.bearer
        ):
            wrong.append(f"[metrics.{name}]: another `bearer` for {config.listen} than before it")
    if len(configs) > METRICS_MAX:
        wrong.append(f"more than {METRICS_MAX} metrics under [metrics]")
    if wrong:
        raise ConfigError("premortem.toml: " + "; ".join(wrong))


def _wrong(config: MetricConfig) -> Iterable[str]:
    needs = _KEYS[config.kind]
    for key in ("url", "query", "series", "listen"):
        given = getattr(config, key)
        if key in needs and not given:
            yield f"kind {config.kind!r} needs `{key}`"
        elif key not in needs and given:
            yield f"`{key}` means nothing to kind {config.kind!r}"
    if config.series:
        try:
            parse_selector(config.series)
        except ValueError as error:
            yield f"`series`: {error}"
    if config.url and "${" not in config.url:
        yield from _no_url(config.url)
    limits = (
        ("interval_s", INTERVAL_S_MIN, INTERVAL_S_MAX),
        ("timeout_s", 0.01, TIMEOUT_S_MAX),
        ("stale_s", config.interval_s, 3600.0),
        ("response_bytes_max", 1, 1 << 30),
    )
    for key, least, most in limits:
        if not least <= getattr(config, key) <= most:
            yield f"`{key}` must be between {least:g} and {most:g}"


def _no_url(url: str) -> Iterable[str]:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        yield f"`url` = {url!r}: write it like http://127.0.0.1:9090/metrics"


def _sources(
    configs: Mapping[str, MetricConfig], sights: Sights, fetch: Fetch, directory: Path
) -> Iterable[tuple[Source, float]]:
    """Pages that several metrics stand on are read once for all of them."""
    pages: dict[tuple[object, ...], dict[str, MetricConfig]] = {}
    for name, config in configs.items():
        if config.kind == "otlp":
            continue
        page = (config.url, config.bearer, config.ca, config.interval_s, config.timeout_s)
        key = (*page, config.query, config.response_bytes_max)
        pages.setdefault(key, {})[name] = config
    for metrics in pages.values():
        config = next(iter(metrics.values()))
        url = resolve(config.url)
        for why in _no_url(url):
            raise ConfigError(f"[metrics.{next(iter(metrics))}]: {why}")
        wanted = Wanted(
            url=prometheus.query_url(url, config.query) if config.query else url,
            bearer=resolve(config.bearer),
            ca=str(directory / config.ca) if config.ca else "",
            timeout_s=config.timeout_s,
            bytes_max=config.response_bytes_max,
        )
        selectors = {n: parse_selector(c.series) if c.series else None for n, c in metrics.items()}
        if wanted.ca and not Path(wanted.ca).is_file():
            raise ConfigError(f"[metrics.{next(iter(metrics))}]: there is no file {wanted.ca}")
        yield Source(wanted, selectors, sights, fetch), config.interval_s
