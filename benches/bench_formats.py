"""Recordings of other formats than HAR, beside floors that only take them apart.

    python benches/bench_formats.py

Floors: one regular expression and no more for an access log; PyYAML's C loader, whole, for a
cassette. Ours: read; then read, filtered, tagged and redacted. The log has 50,000 lines in combined
format with 50 different paths and 2,000 clients, the cassette 400 interactions of 20 KB.
"""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path

import yaml
from measure import compared, table

from premortem.capture import FORMATS, CaptureCounts, ReadOptions, capture_recordings
from premortem.config import Config

ROUNDS = 3
LINES = 50_000
INTERACTIONS = 400
_LINE = re.compile(r'(\S+) \S+ (\S+) \[([^\]]+)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"')


def log(path: Path, rng: random.Random) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    with path.open("w") as file:
        for number in range(LINES):
            second = number // 50
            client = f"10.0.{rng.randrange(10)}.{rng.randrange(200)}"
            stamp = f"14/Nov/2023:22:{second // 60 % 60:02d}:{second % 60:02d} +0000"
            request = f"GET /invoices/{rng.randrange(50)}?page={rng.randrange(9)} HTTP/1.1"
            file.write(f'{client} - - [{stamp}] "{request}" 200 {number} "-" "{agent}"\n')


def cassette(path: Path, rng: random.Random) -> None:
    def interaction(number: int) -> dict[str, object]:
        rows = ", ".join(f'{{"id": {rng.randrange(10**6)}, "name": "row"}}' for _ in range(600))
        headers = {"Content-Type": ["application/json"]}
        return {
            "request": {"body": None, "headers": {}, "method": "GET", "uri": f"http://h/{number}"},
            "response": {
                "body": {"string": f'{{"rows": [{rows}]}}'},
                "headers": headers,
                "status": {"code": 200, "message": "OK"},
            },
        }

    whole = {"interactions": [interaction(n) for n in range(INTERACTIONS)], "version": 1}
    path.write_text(yaml.dump(whole, Dumper=yaml.CSafeDumper))


def read(path: Path, form: str) -> int:
    counts = CaptureCounts()
    found = FORMATS[form].read(path, counts=counts, progress=None, options=ReadOptions())
    return sum(1 for _ in found)


def captured(path: Path, form: str) -> int:
    counts = CaptureCounts()
    found = FORMATS[form].read(path, counts=counts, progress=None, options=ReadOptions())
    kept = capture_recordings(found, config=Config(), redaction_key=b"k" * 32, counts=counts)
    return sum(1 for _ in kept)


def floor(path: Path) -> int:
    with path.open() as file:
        return sum(_LINE.match(line) is not None for line in file)


def main() -> None:
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        lines, tape = Path(folder) / "access.log", Path(folder) / "cassette.yaml"
        log(lines, rng)
        cassette(tape, rng)
        assert captured(lines, "log") == LINES
        assert captured(tape, "cassette") == INTERACTIONS
        print(f"an access log of {LINES:,} lines")
        works = {
            "floor: one regular expression a line": lambda: floor(lines),
            "read": lambda: read(lines, "log"),
            "read, filter, tag, redact": lambda: captured(lines, "log"),
        }
        table(compared(works, rounds=ROUNDS), amount=LINES / 1000, unit="k/s")
        size_mb = tape.stat().st_size / 1e6
        print(f"\na cassette of {size_mb:.1f} MB")
        works = {
            "floor: PyYAML's C loader, whole": lambda: len(
                yaml.load(tape.read_bytes(), Loader=yaml.CSafeLoader)
            ),
            "read": lambda: read(tape, "cassette"),
            "read, filter, tag, redact": lambda: captured(tape, "cassette"),
        }
        table(compared(works, rounds=ROUNDS), amount=size_mb, unit="MB/s")


if __name__ == "__main__":
    main()
