"""Compare with Schemathesis on three real services: defects found and code reached.

For each service and seed, one after the other, each on a fresh service under coverage, with a
network of its own where the system allows it:

    1. Schemathesis, all phases, for --max-time; a proxy counts its N requests
    2. the recorded session, replayed plainly: what both sides start from (once per service)
    3. Premortem with N requests, held to them by the same proxy

Scored are distinct errors in the service's log (exception type and innermost own frame, the
seeds united; Schemathesis as union with the plain replay) and branches or lines beyond the plain
replay. Everything lies in .build/defects: per cycle the service's log, the client's output, the
requests and outcome.json; scores.json for the whole. Nothing else should run meanwhile.

    python -m benches.defects --service kinto --seeds 1 --max-time 60
    python -m benches.defects --ours-only                # Schemathesis's results as they lie there
    python -m benches.defects --score-only               # run nothing
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benches.defects import peer
from benches.defects.installing import install
from benches.defects.network import isolation
from benches.defects.outcome import Outcome
from benches.defects.reached import load
from benches.defects.scoring import Cycle, Score, held, score
from benches.defects.services import BUILD, ROOT, SERVICES, Service
from benches.defects.showing import differences, table

RESULTS = BUILD / "defects"
CYCLE_S_MAX = 2400
"""No cycle takes longer; what hangs is ended."""
KEPT = ("outcome.json", "reached.json.gz", "client.log", "service.log", "requests.jsonl",
        "replayed.json", "plan.toml", "premortem.toml", "settings.json")  # fmt: skip
"""Of a cycle's folder; databases and raw coverage go."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored cycle was run with; another one is not reused."""

    seconds: int
    version: str
    excluded: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. 0: all goals that could be judged hold, 1: one does not."""
    given = _parser().parse_args(arguments)
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [SERVICES[name] for name in _names(given.service)]
    seeds = [int(seed) for seed in given.seeds.split(",")]
    scores: dict[str, Score] = {}
    for service in chosen:
        if not given.score_only:
            install(service)
            _run_cycles(service, seeds, given)
        found = _scored(service, seeds)
        if found is not None:
            scores[service.name] = found
    _report(scores, details=not given.no_details)
    figures = held(scores)
    goals = (figures["errors_held"], figures["reached_held"], figures["least_held"])
    return 0 if scores and all(goals) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benches.defects",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--service", default="all", help="kinto, phoenix, directus, several with commas, or all")
    add("--seeds", default="1,2,3", help="seeds of both sides [1,2,3]")
    add("--max-time", type=int, default=180, help="seconds for Schemathesis [180]")
    add("--requests", type=int, default=0, help="for ours, in place of Schemathesis's number")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--ours-only", action="store_true", help="run ours alone")
    only.add_argument("--peer-only", action="store_true", help="run Schemathesis and the replay")
    only.add_argument("--score-only", action="store_true", help="run nothing")
    add("--reuse", action="store_true", help="leave out cycles of Schemathesis that lie there")
    add("--no-details", action="store_true", help="do not list what only one side found")
    return parser


def _names(text: str) -> list[str]:
    names = list(SERVICES) if text == "all" else text.split(",")
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise SystemExit(f"no service {', '.join(unknown)}; there are {', '.join(SERVICES)}, all")
    return names


def _folder(service: Service, kind: str, seed: int) -> Path:
    return RESULTS / service.name / (kind if kind == "replay" else f"{kind}-{seed}")


def _run_cycles(service: Service, seeds: Sequence[int], given: argparse.Namespace) -> None:
    settings = Settings(
        seconds=given.max_time, version=peer.VERSION, excluded=tuple(service.excluded)
    )
    if not given.ours_only:
        for seed in seeds:
            if not (given.reuse and _is_there(service, "peer", seed, settings)):
                _cycle(service, "peer", seed, settings, 0)
        if not (given.reuse and _is_there(service, "replay", 0, None)):
            _cycle(service, "replay", 0, settings, 0)
    if given.peer_only:
        return
    for seed in seeds:
        theirs = _outcome(_folder(service, "peer", seed))
        requests = given.requests or (theirs.requests if theirs else 0)
        if not requests:
            _say(f"{service.name} {seed}: how many requests? run Schemathesis, or say --requests")
            continue
        _cycle(service, "ours", seed, settings, requests)


def _is_there(service: Service, kind: str, seed: int, settings: Settings | None) -> bool:
    folder = _folder(service, kind, seed)
    if _outcome(folder) is None:
        return False
    stored = msgspec.json.decode((folder / "settings.json").read_bytes(), type=Settings)
    return settings is None or stored == settings


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def _cycle(service: Service, kind: str, seed: int, settings: Settings, requests: int) -> None:
    folder = _folder(service, kind, seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    number = f", {requests:,} requests" if requests else ""
    _say(f"{service.name}: {kind}, seed {seed}{number} ...")
    command = [sys.executable, "-m", "benches.defects.cycle", service.name, kind, str(seed)]
    command += [str(folder), "--seconds", str(settings.seconds), "--requests", str(requests)]
    process = subprocess.Popen([*isolation(), *command], cwd=ROOT, start_new_session=True)
    try:
        code = process.wait(timeout=CYCLE_S_MAX)
    except BaseException:
        # Its service and its client are its own children; it ends them when it is interrupted.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=90)
        raise
    outcome = _outcome(folder)
    if code or outcome is None:
        # The other cycles still say something; this one is missing from the score.
        _say(f"  {service.name}: {kind} ended with {code}; see {folder.relative_to(ROOT)}")
        return
    (folder / "settings.json").write_bytes(msgspec.json.encode(settings))
    _tidy(folder)
    trouble = f"; {outcome.trouble}" if outcome.trouble else ""
    _say(
        f"  {outcome.requests:,} requests in {outcome.wall_s:.0f} s, {len(outcome.errors)} errors, "
        f"{outcome.reached:,} {service.unit}{trouble}"
    )


def _tidy(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _outcome(folder: Path) -> Outcome | None:
    path = folder / "outcome.json"
    return msgspec.json.decode(path.read_bytes(), type=Outcome) if path.exists() else None


def _cycles(service: Service, kind: str, seeds: Sequence[int]) -> Iterator[Cycle]:
    for seed in seeds:
        folder = _folder(service, kind, seed)
        outcome = _outcome(folder)
        if outcome is not None:
            reached = frozenset(load(folder / "reached.json.gz"))
            yield Cycle(outcome=outcome, reached=reached)


def _scored(service: Service, seeds: Sequence[int]) -> Score | None:
    replay = next(_cycles(service, "replay", [0]), None)
    theirs, mine = (list(_cycles(service, kind, seeds)) for kind in ("peer", "ours"))
    if replay is None or not theirs or not mine:
        _say(f"{service.name}: nothing to score: a cycle of one side, or the replay, is missing")
        return None
    return score(service.name, service.unit, replay, theirs, mine)


def _report(scores: dict[str, Score], *, details: bool) -> None:
    if not scores:
        return
    for service in scores if details else ():
        print("\n".join(differences(scores[service])))
        print()
    print("\n".join(table(scores)))
    print("excluded for both sides:")
    for name in scores:
        print(f"  {name}: {', '.join(SERVICES[name].excluded)}")
    whole = {"services": scores, "goals": held(scores)}
    path = RESULTS / "scores.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
    print(f"all of it: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
