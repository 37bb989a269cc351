"""Which entries of a recording are kept; each drop has a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from urllib.parse import urlsplit

from premortem.capture.message import NotHttp, Url
from premortem.capture.names import word_set
from premortem.capture.recording import Recording
from premortem.config import Config
from premortem.errors import ConfigError

STATIC_EXTENSIONS = word_set(
    "css js mjs map png jpg jpeg gif svg webp avif ico bmp woff woff2 ttf otf eot mp4 webm mp3 ogg "
    "wasm"
)
_STATIC_TYPES = re.compile(
    r"image/|font/|audio/|video/|text/css|(?:text|application)/(?:x-)?(?:java|ecma)script|"
    r"application/(?:font|x-font|vnd\.ms-fontobject|wasm)"
)
HOSTS_TOLD_MAX = 8
"""Dropped hosts that are counted by name."""
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_STATUS = re.compile(r"[1-9](?:\d\d|[xX]{2})")


class EntryFilter:
    """Says of an entry why it is dropped, from the configuration."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError when a status or a host in CONFIG cannot be one."""
        capture = config.capture
        hosts: Iterable[str] = capture.hosts
        if not hosts and config.target.base_url:
            hosts = (urlsplit(config.target.base_url).netloc.rpartition("@")[2],)
            scheme = urlsplit(config.target.base_url).scheme
            hosts = (_full_host(hosts[0], scheme),) if hosts[0] else ()
        self._hosts = tuple(_host_pattern(host) for host in hosts)
        self._any_host = not self._hosts or "*" in capture.hosts
        self._host_known: dict[str, bool] = {}
        self._hosts_told: set[str] = set()
        self._methods = frozenset(method.upper() for method in capture.methods)
        for status in capture.statuses:
            if not _STATUS.fullmatch(status):
                raise ConfigError(
                    f"[capture] statuses: {status!r} is no status; write it like 200 or 4xx"
                )
        self._statuses = frozenset(status.lower() for status in capture.statuses)
        self._include = tuple(re.compile(translate(glob)) for glob in capture.include_paths)
        self._exclude = tuple(re.compile(translate(glob)) for glob in capture.exclude_paths)
        self._static_assets = capture.static_assets

    def reason(self, entry: Recording) -> str:
        """Why ENTRY is dropped; empty when it is kept. Raises Unusable for a URL that is none."""
        try:
            url = entry.address()
        except NotHttp:
            return "not http"
        status = entry.status
        if status < 100 and entry.recorded != "request":
            return "no answer"
        # A recording that names no host is of the service itself: it has nothing to be told by.
        if not self._any_host and url.origin and not self._host(url.origin):
            return self._host_reason(url.origin.partition("://")[2])
        if self._methods and entry.method.upper() not in self._methods:
            return "method"
        if self._statuses and not {str(status), f"{status // 100}xx"} & self._statuses:
            return "status"
        if self._include and not any(glob.match(url.path) for glob in self._include):
            return "path"
        if any(glob.match(url.path) for glob in self._exclude):
            return "path"
        return "static asset" if not self._static_assets and _is_static(entry, url) else ""

    def _host_reason(self, host: str) -> str:
        """Names HOST, for a user who has to say which ones to keep; many are named together."""
        if len(self._hosts_told) < HOSTS_TOLD_MAX:
            self._hosts_told.add(host)
        return f"host {host}" if host in self._hosts_told else "other hosts"

    def _host(self, origin: str) -> bool:
        known = self._host_known.get(origin)
        if known is None:
            scheme, _, host = origin.partition("://")
            full = _full_host(host, scheme)
            known = any(pattern.fullmatch(full) for pattern in self._hosts)
            if len(self._host_known) < 10_000:
                self._host_known[origin] = known
        return known


def _full_host(host: str, scheme: str) -> str:
    """HOST with its port, in lower case; the names of this machine are one."""
    name, port = _split_port(host.lower())
    name = "localhost" if name in _LOOPBACK else name
    return f"{name}:{port or _DEFAULT_PORTS.get(scheme.lower(), '')}"


def _split_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and (port.isdigit() or port == "*") else (host, "")


def _host_pattern(host: str) -> re.Pattern[str]:
    """`host`, `host:port` or a glob of either; without a port, any."""
    name, port = _split_port(host.strip().lower())
    if not name or "/" in name:
        raise ConfigError(f"[capture] hosts: {host!r} is no host; write host or host:port")
    name = "localhost" if name in _LOOPBACK else name
    return re.compile(translate(f"{name}:{port or '*'}"))


def _is_static(entry: Recording, url: Url) -> bool:
    """What a browser loads to show a page, by extension and by what came back."""
    if entry.method.upper() not in ("GET", "HEAD"):
        return False
    media_type = entry.media_type().lower()
    if _STATIC_TYPES.match(media_type):
        return True
    extension = url.path.rpartition("/")[2].rpartition(".")[2].lower()
    if "." not in url.path or extension not in STATIC_EXTENSIONS:
        return False
    return "json" not in media_type and "xml" not in media_type
