"""How fast a recording is imported, beside the floor that reads and redacts it naively.

    python benches/bench_import.py [HAR]

Floor: gunzip, decode everything, walk every body's JSON and replace what has a secret name.
Ours: read, filter, tag and redact by all rules, streamed. MB are uncompressed megabytes of the
file; the best of three rounds each, taken in turn in the same run. CPU time.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

from premortem.capture import CaptureCounts, capture_har
from premortem.config import Config

ROUNDS = 3
SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "traffic" / "reddit.har.gz"
_SECRET = re.compile(r"passw|secret|token|authorization|api.?key", re.IGNORECASE)


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def masked(value: object) -> object:
    if isinstance(value, dict):
        return {k: "***" if _SECRET.search(k) else masked(v) for k, v in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def floor(path: Path) -> int:
    """Gunzip, decode, naive redaction; the number of entries."""
    entries = json.loads(unpacked(path))["log"]["entries"]
    for entry in entries:
        for holder in (entry["request"].get("postData"), entry["response"].get("content")):
            text = (holder or {}).get("text", "")
            if text[:1] in ("{", "["):
                try:
                    holder["text"] = json.dumps(masked(json.loads(text)))
                except ValueError:
                    continue
        for header in entry["request"]["headers"] + entry["response"]["headers"]:
            if _SECRET.search(header["name"]):
                header["value"] = "***"
    return len(entries)


def captured(path: Path) -> int:
    """Read, filter, tag and redact; the number of exchanges."""
    counts = CaptureCounts()
    stream = capture_har(path, config=Config(), redaction_key=b"k" * 32, counts=counts)
    return sum(1 for _ in stream)


def timed(work: Callable[[Path], int], path: Path) -> float:
    started = process_time()
    work(path)
    return process_time() - started


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    size_mb = len(unpacked(path)) / 1e6
    best = {floor: 1e9, captured: 1e9}
    for _ in range(ROUNDS):
        for work in best:
            best[work] = min(best[work], timed(work, path))
    print(f"{path.name}: {size_mb:.1f} MB uncompressed, {captured(path)} exchanges kept")
    print(f"floor (gunzip, decode, naive redaction)  {size_mb / best[floor]:6.1f} MB/s")
    print(
        f"read, filter, tag, redact                {size_mb / best[captured]:6.1f} MB/s"
        f"  ({best[captured]:.2f} s, {best[floor] / best[captured]:.2f} of the floor's speed)"
    )


if __name__ == "__main__":
    main()
