"""The import of a recording beside the floor that reads and redacts it naively.

    python benches/bench_import.py [HAR]

Floor: gunzip, decode everything, walk every body's JSON and replace what has a secret name.
Ours: read, filter, tag and redact by all rules, streamed; then the same with encryption and the
store. MB are uncompressed megabytes of the file. Goal, store included: 8 MB/s, and less than
1.5 s for the 11.2 MB of reddit.har.gz.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from measure import compared, recording, table, unpacked

from premortem.capture import CaptureCounts, capture_har
from premortem.config import Config, StoreConfig
from premortem.pipeline.capturing import Captured, capture
from premortem.store import open_store

ROUNDS = 5
_SECRET = re.compile(r"passw|secret|token|authorization|api.?key", re.IGNORECASE)


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


def redacted(path: Path) -> int:
    """Read, filter, tag and redact; the number of exchanges."""
    counts = CaptureCounts()
    stream = capture_har(path, config=Config(), redaction_key=b"k" * 32, counts=counts)
    return sum(1 for _ in stream)


def imported(path: Path) -> Captured:
    """The whole of `premortem capture har`, into a store of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(StoreConfig(), Path(folder), environment={}) as store,
    ):
        return capture([path], config=Config(), store=store)


def main() -> None:
    path = recording("traffic/reddit.har.gz")
    size_mb = len(unpacked(path)) / 1e6
    done = imported(path)
    print(
        f"{path.name}: {size_mb:.1f} MB uncompressed, {done.read} exchanges read, {done.added} "
        f"stored, {done.duplicates} duplicates, {sum(done.redacted.values())} values redacted"
    )
    works = {
        "floor: gunzip, decode, naive redaction": lambda: floor(path),
        "read, filter, tag, redact": lambda: redacted(path),
        "the same, encrypted and stored": lambda: imported(path),
    }
    table(compared(works, rounds=ROUNDS), amount=size_mb, unit="MB/s")


if __name__ == "__main__":
    main()
