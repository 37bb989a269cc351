"""What of a service's code ran: branches from coverage.py, lines from V8's raw coverage."""

from __future__ import annotations

import fnmatch
import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benches.defects.services import Service

Place = tuple[str, int, int]
"""(file below the covered directory, from line, to line); of Node (file, line, 0)."""

REPORT_S_MAX = 300
_EMPTY = re.compile(r"^[\])};,]+$")
_COMMENT = ("//", "*", "/*")


def coverage_settings(service: Service, folder: Path) -> Path:
    """Writes the settings of coverage.py for a run in FOLDER."""
    # `source` has to be a directory: a dotted sub-package breaks the services (targets/README).
    omitted = "".join(f"    {pattern}\n" for pattern in service.uncovered)
    path = folder / "coveragerc"
    path.write_text(
        "[run]\nbranch = True\nsigterm = True\n"
        f"concurrency = {service.concurrency}\n"
        f"source = {service.covered}\ndata_file = {folder / 'coverage.data'}\n"
        + (f"omit =\n{omitted}" if omitted else "")
    )
    return path


def reached(service: Service, folder: Path) -> set[Place]:
    """What ran in FOLDER's run of SERVICE, which has ended. Empty: nothing was written."""
    return _branches(service, folder) if service.language == "python" else _lines(service, folder)


def _branches(service: Service, folder: Path) -> set[Place]:
    if not (folder / "coverage.data").exists():
        return set()
    report = folder / "coverage.json"
    program = Path(service.command(folder, port=0)[0]).parent / "python"
    settings = f"--rcfile={folder / 'coveragerc'}"
    subprocess.run(
        [str(program), "-m", "coverage", "json", "-q", "-i", settings, "-o", str(report)],
        cwd=folder,
        check=True,
        timeout=REPORT_S_MAX,
    )
    found: set[Place] = set()
    for name, part in json.loads(report.read_bytes())["files"].items():
        file = name.rsplit(f"{service.covered}/", 1)[-1]
        found |= {(file, start, end) for start, end in part["executed_branches"]}
    report.unlink()
    return found


def _lines(service: Service, folder: Path) -> set[Place]:
    found: set[Place] = set()
    ran: dict[Path, list[list[dict]]] = {}  # type: ignore[type-arg]
    for part in sorted((folder / "v8").glob("*.json")):
        for script in json.loads(part.read_bytes())["result"]:
            if not script["url"].startswith("file://"):
                continue
            path = Path(unquote(urlsplit(script["url"]).path))
            if path.is_relative_to(service.covered) and not _left_out(service, path):
                ran.setdefault(path, []).append(script["functions"])
    for path, scripts in ran.items():
        text = path.read_text()
        file = str(path.relative_to(service.covered))
        found |= {(file, line, 0) for line in ran_lines(text, scripts)}
    return found


def _left_out(service: Service, path: Path) -> bool:
    return any(fnmatch.fnmatch(str(path), pattern) for pattern in service.uncovered)


def ran_lines(text: str, scripts: list[list[dict]]) -> Iterator[int]:  # type: ignore[type-arg]
    """Lines of TEXT, from 1, of which a character ran in any of SCRIPTS.

    Each script: V8's functions with their `ranges`, an inner range after the one around it.
    Comments, blank lines and lone brackets are no lines. TEXT's characters are V8's offsets, as
    long as all are of the basic plane.
    """
    ran = bytearray(len(text))
    for functions in scripts:
        once = bytearray(b"\1" * len(text))
        ranges = [r for function in functions for r in function["ranges"]]
        for r in sorted(ranges, key=lambda r: (r["startOffset"], -r["endOffset"])):
            start, end = r["startOffset"], min(r["endOffset"], len(text))
            once[start:end] = (b"\1" if r["count"] else b"\0") * max(0, end - start)
        ran = bytearray((int.from_bytes(ran) | int.from_bytes(once)).to_bytes(len(text)))
    offset = 0
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if bare and not bare.startswith(_COMMENT) and not _EMPTY.match(bare):
            width = len(line) - len(line.lstrip())
            if any(
                ran[offset + width + i] for i, letter in enumerate(line[width:]) if letter != " "
            ):
                yield number
        offset += len(line) + 1


def save(places: set[Place], path: Path) -> None:
    """Write PLACES, compressed."""
    path.write_bytes(gzip.compress(json.dumps(sorted(places)).encode(), mtime=0))


def load(path: Path) -> set[Place]:
    """What `save` wrote; empty where nothing is."""
    if not path.exists():
        return set()
    return {tuple(place) for place in json.loads(gzip.decompress(path.read_bytes()))}
