"""A stream of a million distinct exchanges from a few thousand recorded ones of the ledger.

The sample service is started and its own client records it; then, wave after wave, every id,
time, trace and amount is changed, the same way throughout one wave, so that what belonged
together still does. The same arguments give the same stream.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec

from premortem import config as configuration
from premortem.capture import CaptureCounts, capture_har
from premortem.config import CaptureConfig, Config
from premortem.domain.traffic import Exchange

LEDGER = Path(__file__).resolve().parents[1] / "examples" / "ledger"
sys.path.insert(0, str(LEDGER.parents[1]))
RECORDED = 4_000
DAYS = 30
BEGIN = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
_TOKEN = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?)"
    r"|(?P<id>\b[a-z]{2,6}_[0-9a-f]{8,}\b|\b[0-9a-f]{16}\b|\b[0-9a-f]{32}\b)"
    r"|(?P<amount>(?<![\w.])\d{1,6}\.\d{1,2}(?![\w.]))"
)
_BREAK = "\x1e"


def recorded_har(path: Path, *, requests: int = RECORDED, seed: int = 11) -> Path:
    """Record the ledger at work into the HAR file PATH."""
    from tests.ledger.conftest import environment, start  # the same process, ended by its id

    serving = start(LEDGER_TEST_HOOKS="1")
    try:
        command = [sys.executable, "-m", "ledger.client", "--base", next(serving)]
        command += ["--har", str(path), "--requests", str(requests), "--seed", str(seed)]
        subprocess.run(command, cwd=LEDGER, env=environment(), check=True, capture_output=True)
    finally:
        serving.close()
    return path


def ledger_config() -> Config:
    """The sample's own configuration, taking traffic of any host in."""
    loaded = configuration.load(LEDGER / "premortem.toml")
    return msgspec.structs.replace(loaded, capture=CaptureConfig(hosts=("*",)))


def recorded(*, requests: int = RECORDED) -> list[Exchange]:
    """Redacted exchanges of the ledger, in order."""
    with tempfile.TemporaryDirectory() as folder:
        path = recorded_har(Path(folder) / "ledger.har.gz", requests=requests)
        stream = capture_har(
            path, config=ledger_config(), redaction_key=b"k" * 32, counts=CaptureCounts()
        )
        return sorted(stream, key=lambda exchange: exchange.started_at)


def varied(exchanges: list[Exchange], count: int) -> Iterator[Exchange]:
    """COUNT distinct exchanges over DAYS, in order of time."""
    waves = -(-count // len(exchanges))
    wave_s = DAYS * 86_400 / waves
    first, last = exchanges[0].started_at, exchanges[-1].started_at
    stretch = wave_s / (last - first + 1)
    makers = [_maker(exchange) for exchange in exchanges]
    made = 0
    for wave in range(waves):
        names: dict[str, str] = {}
        begin = BEGIN + wave * wave_s
        for exchange, make in zip(exchanges, makers, strict=True):
            if made == count:
                return
            started_at = begin + (exchange.started_at - first) * stretch
            yield make(wave, names, round(started_at, 3), exchange.duration_ms + wave % 7)
            made += 1


def _maker(exchange: Exchange) -> Callable[[int, dict[str, str], float, float], Exchange]:
    request, response = exchange.request, exchange.response
    headers = [*request.headers, *response.headers]
    fields = [request.path, request.body.decode(), response.body.decode(), exchange.tags.trace_id]
    fields += [value for _, value in request.query] + [value for _, value in headers]
    pieces = _pieces(_BREAK.join(fields))
    queries = len(request.query)

    def make(wave: int, names: dict[str, str], started_at: float, duration_ms: float) -> Exchange:
        text = "".join(
            piece if kind == "" else _changed(kind, piece, wave, names, started_at)
            for kind, piece in pieces
        )
        path, asked, answered, trace, *rest = text.split(_BREAK)
        query = tuple((n, v) for (n, _), v in zip(request.query, rest, strict=False))
        values = rest[queries:]
        pairs = tuple((n, v) for (n, _), v in zip(headers, values, strict=True))
        replace = msgspec.structs.replace
        split = len(request.headers)
        return replace(
            exchange,
            request=replace(
                request, path=path, query=query, headers=pairs[:split], body=asked.encode()
            ),
            response=replace(response, headers=pairs[split:], body=answered.encode()),
            started_at=started_at,
            duration_ms=duration_ms,
            tags=replace(exchange.tags, trace_id=trace),
        )

    return make


def _pieces(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    end = 0
    for match in _TOKEN.finditer(text):
        found += [("", text[end : match.start()]), (match.lastgroup or "", match.group())]
        end = match.end()
    return [*found, ("", text[end:])]


def _changed(kind: str, piece: str, wave: int, names: dict[str, str], at: float) -> str:
    if kind == "id":
        if piece not in names:
            head, _, rest = piece.rpartition("_")
            digest = blake2b(f"{wave} {piece}".encode()).hexdigest()[: len(rest)]
            names[piece] = f"{head}_{digest}" if head else digest
        return names[piece]
    if kind == "time":
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    whole, _, decimals = piece.partition(".")
    cents = int(whole) * 100 + int(decimals.ljust(2, "0"))
    changed = cents + wave * 37 % (cents // 4 + 1)
    return f"{changed // 100}.{changed % 100:02}".rstrip("0") if cents else piece


def varied_har(source: Path, target: Path, count: int) -> int:
    """Write COUNT entries, made of those in the HAR file SOURCE, to TARGET; the bytes of that."""
    entries = json.loads(gzip.decompress(source.read_bytes()))["log"]["entries"]
    makers = [_pieces(json.dumps(entry)) for entry in entries]
    names: dict[str, str] = {}
    with target.open("w") as file:
        file.write('{"log":{"version":"1.2","creator":{"name":"ledger"},"entries":[')
        for number in range(count):
            wave, index = divmod(number, len(makers))
            if index == 0:
                names = {}
            at = BEGIN + wave * 3600 + index
            file.write("," if number else "")
            file.writelines(
                _changed(kind, piece, wave, names, at) if kind else piece
                for kind, piece in makers[index]
            )
        file.write("]}}")
    return target.stat().st_size


def bytes_of(exchange: Exchange) -> int:
    """Bytes of both messages, as they stood on the wire without the first lines."""
    request, response = exchange.request, exchange.response
    pairs = (*request.headers, *response.headers, *request.query)
    size = sum(len(name) + len(value) + 4 for name, value in pairs)
    return size + len(request.path) + len(request.body) + len(response.body)
