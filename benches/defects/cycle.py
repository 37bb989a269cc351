"""One cycle: a fresh service, one side's requests through the counting proxy, what came of it.

It is a process of its own, so that it can have a network of its own:

    python -m benches.defects.cycle kinto peer 1 FOLDER --seconds 180
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from benches.defects import ours, peer
from benches.defects.counting_proxy import CountingProxy, Seen
from benches.defects.network import bring_up_loopback, free_port
from benches.defects.operations import tried_of
from benches.defects.outcome import Outcome, Trigger, errors_of
from benches.defects.reached import reached, save
from benches.defects.replaying import replay
from benches.defects.services import SERVICES, Service, environment
from benches.defects.serving import LOG, asked, serving
from benches.measure import unpacked

SETTLE_S = 1.5
"""What the service still writes after the last answer."""


class Side:
    """Runs one side's commands and times them."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service, self._folder = service, folder
        self.output = ""
        self.trouble = ""

    def run(self, command: list[str], *, seconds_max: float, extra: dict[str, str]) -> bool:
        """COMMAND in the run's folder, ended after SECONDS_MAX; True: it ended by itself."""
        with (self._folder / "client.log").open("ab") as log:
            before = log.tell()
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment({**self._service.environment, **extra}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=seconds_max)
            except subprocess.TimeoutExpired:
                self.trouble = f"ended after {seconds_max:.0f} s: {command[1]}"
                _end_session(process)
                code = -1
            except BaseException:
                _end_session(process)
                raise
        written = (self._folder / "client.log").read_bytes()[before:]
        self.output = written.decode("utf-8", "replace")
        if code not in (0, 1) and not self.trouble:
            self.trouble = f"exit {code}: {' '.join(command[:3])}: {self.output[-400:]}"
        return code in (0, 1)


def _end_session(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            # Its session is ours alone: its workers end with it.
            os.killpg(process.pid, number)
            process.wait(timeout=10)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            continue
        return


def cycle(
    service: Service, kind: str, seed: int, folder: Path, *, seconds: int, requests: int
) -> Outcome:
    """One cycle of KIND (`peer`, `replay` or `ours`), all of it in FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "openapi.json"
    spec.write_bytes(unpacked(service.spec))
    port = free_port()
    limit = requests if kind == "ours" else 0
    with serving(service, folder, port) as process:
        begun = (folder / LOG).stat().st_size
        if kind == "peer":
            for method, path, body in service.accounts:
                asked(port, method, path, body=body)
        refused = service.refused() if kind != "replay" else Service.refused(_open(service))
        proxy = CountingProxy(port, limit=limit, refused=refused, log=folder / LOG)
        side = Side(service, folder)
        with proxy:
            started, used = time.monotonic(), _cpu_s()
            reported = _sent(service, kind, seed, folder, proxy.port, side, seconds, requests)
            wall_s, cpu_s = time.monotonic() - started, _cpu_s() - used
            time.sleep(SETTLE_S)
        alive = process.poll() is None
        access = alive and _has_access(service, port)
    log = (folder / LOG).read_bytes()
    places = reached(service, folder)
    save(places, folder / "reached.json.gz")
    _write_requests(proxy.seen, folder / "requests.jsonl")
    errors, silent = errors_of(service, log, begun, proxy.seen)
    return Outcome(
        service=service.name,
        kind=kind,
        seed=seed,
        requests=proxy.count,
        turned_away=proxy.turned_away,
        statuses={str(k): v for k, v in sorted(proxy.statuses.items())},
        wall_s=round(wall_s, 2),
        cpu_s=round(cpu_s, 2),
        reached=len(places),
        reported=reported,
        errors=errors,
        operations=_operations(proxy.seen),
        tried=tried_of(spec, service.base_path, service.excluded, proxy.seen),
        silent=silent,
        alive=alive,
        access=access,
        trouble=side.trouble,
    )


def _open(service: Service) -> Service:
    """SERVICE with nothing refused: the recorded session does no harm."""
    return msgspec.structs.replace(service, excluded=())


def _sent(
    service: Service,
    kind: str,
    seed: int,
    folder: Path,
    port: int,
    side: Side,
    seconds: int,
    requests: int,
) -> int:
    """Everything one side sends; gives how many findings it reports."""
    spec = folder / "openapi.json"
    if kind == "replay":
        replayed = replay(service.recording, port)
        side.trouble = "" if replayed.same else "no answer was like the recorded one"
        (folder / "replayed.json").write_bytes(msgspec.json.encode(replayed))
        return 0
    if kind == "peer":
        command = peer.arguments(service, port=port, seed=seed, seconds=seconds, spec=spec)
        extra = dict(peer.environment())
        side.run(command, seconds_max=seconds + peer.EXTRA_S_MAX, extra=extra)
        return peer.failures(side.output)
    return ours.sent(service, folder, side, port=port, seed=seed, requests=requests)


def _cpu_s() -> float:
    """CPU-seconds of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _has_access(service: Service, port: int) -> bool:
    path, authorization = service.probe
    try:
        return asked(port, "GET", path, authorization=authorization) < 400
    except OSError:
        return False


def _operations(seen: list[Seen]) -> dict[str, int]:
    """Requests per method and status class."""
    counts = Counter(f"{one.line.split(' ')[0]} {one.status // 100}xx" for one in seen)
    return dict(counts.most_common(60))


def _write_requests(seen: list[Seen], path: Path) -> None:
    with path.open("wb") as out:
        for one in seen:
            trigger = Trigger.of(one)
            out.write(msgspec.json.encode(trigger) + b"\n")


def main() -> int:
    """The command line; writes outcome.json into the folder."""
    parser = argparse.ArgumentParser(prog="python -m benches.defects.cycle", description=__doc__)
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("kind", choices=("peer", "replay", "ours"))
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=180, help="of Schemathesis")
    parser.add_argument("--requests", type=int, default=0, help="of ours; 0: no limit")
    given = parser.parse_args()
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bring_up_loopback()
    outcome = cycle(
        SERVICES[given.service],
        given.kind,
        given.seed,
        given.folder.resolve(),
        seconds=given.seconds,
        requests=given.requests,
    )
    (given.folder / "outcome.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(outcome), indent=1)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
