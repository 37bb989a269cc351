"""What a proxy adds: throughput, latency and CPU, ours beside nothing and beside mitmproxy.

One minimal server, one client (wrk) with the same POST bodies; the ways are taken in turn in
each round, medians are compared. CPU is user + system time of the proxy process alone, and with
its recorder. Latency is measured at a rate that all ways keep up with: CONNECTIONS clients that
each ask, wait for the answer, and pause, so nothing queues. Each asks the server itself and
through the proxy in turn, so that what disturbs the machine disturbs both: `added` is the
difference of the quantiles.

    python benches/bench_proxy.py [--seconds N] [--rounds N] [--rate N]

`wrk` is taken from PATH; MITMDUMP names a mitmdump. What is missing is skipped, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 16
PAD = "x" * 220
LUA = """
local n = 0
local headers = { ["content-type"] = "application/json", ["accept"] = "*/*",
  ["authorization"] = "Bearer 0123456789abcdef" }
local pad = string.rep("x", 220)
request = function()
  n = n + 1
  local body = '{"invoice_id":"inv_' .. n .. '","amount":' .. n .. ',"currency":"EUR","note":"'
  return wrk.format("POST", "/invoices/" .. n, headers, body .. pad .. '"}')
end
"""


class Measured(NamedTuple):
    """One way, one round."""

    rate: float
    """Requests per second, as fast as it goes."""
    cpu_us: float
    """CPU-microseconds of the proxy itself per request; nan: there is none."""
    all_cpu_us: float
    """With the recorder."""
    p50_ms: float
    p99_ms: float
    """What it adds to round trips at the given rate."""
    dropped: int
    """Exchanges that were not recorded."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("a server did not start")


def family(pid: int) -> list[int]:
    """PID and the processes that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def cpu_s(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(command: list[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """COMMAND, listening on PORT, until the block ends; its standard output is in FOLDER/out."""
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd=folder)
        try:
            wait_for(port)
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def wrk(port: int, seconds: float, folder: Path) -> tuple[int, float]:
    """(requests, seconds) as fast as it goes."""
    script = folder / "post.lua"
    script.write_text(LUA)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(script)]
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", output)
    assert found is not None, output
    assert "Non-2xx" not in output, output
    return int(found[1]), float(found[2])


def round_trips(ports: list[int], *, rate: float, seconds: float) -> list[list[float]]:
    """Seconds that each request took, by port, sorted.

    CONNECTIONS clients share RATE, each on its own beat; they ask at all PORTS in turn.
    """

    async def client(number: int, all_taken: list[list[float]]) -> None:
        streams = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
        turn = number
        beat = CONNECTIONS / rate
        due = time.perf_counter() + beat * number / CONNECTIONS
        end = time.perf_counter() + seconds
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            turn += 1
            reader, writer = streams[turn % len(ports)]
            taken = all_taken[turn % len(ports)]
            body = b'{"invoice_id":"inv_%d","note":"%b"}' % (len(taken), PAD.encode())
            head = b"POST /invoices/%d HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n" % (
                len(taken),
                len(body),
            )
            began = time.perf_counter()
            writer.write(head + b"content-type: application/json\r\n\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
            assert length is not None
            await reader.readexactly(int(length[1]))
            taken.append(time.perf_counter() - began)
            due += beat
        for _, writer in streams:
            writer.close()

    async def all_of_them() -> list[list[float]]:
        taken: list[list[float]] = [[] for _ in ports]
        await asyncio.gather(*(client(number, taken) for number in range(CONNECTIONS)))
        return [sorted(times) for times in taken]

    import uvloop

    return uvloop.run(all_of_them())


def measured(
    name: str, command: list[str], port: int, server: int, options: argparse.Namespace, folder: Path
) -> Measured:
    with started(command, port, folder) as process:
        wrk(port, 1, folder)
        own, everyone = [process.pid], family(process.pid)
        before = cpu_s(own), cpu_s(everyone)
        count, seconds = wrk(port, options.seconds, folder)
        after = cpu_s(own), cpu_s(everyone)
        direct, taken = round_trips([server, port], rate=options.rate, seconds=options.seconds)
    told = re.search(r'"dropped": (\d+)', (folder / "out").read_text())
    return Measured(
        rate=count / seconds,
        cpu_us=(after[0] - before[0]) / count * 1e6 if name != "direct" else float("nan"),
        all_cpu_us=(after[1] - before[1]) / count * 1e6 if name != "direct" else float("nan"),
        p50_ms=(at(taken, 0.5) - at(direct, 0.5)) * 1000,
        p99_ms=(at(taken, 0.99) - at(direct, 0.99)) * 1000,
        dropped=int(told[1]) if told else 0,
    )


def at(values: list[float], share: float) -> float:
    return values[int(len(values) * share)]


def ways(server: int) -> dict[str, tuple[list[str], int]]:
    """Name -> (command, port)."""
    upstream = f"http://127.0.0.1:{server}"
    found = {}
    for name, more in (("not recording", ["--no-record"]), ("recording", [])):
        port = free_port()
        command = [sys.executable, "-m", "premortem", "proxy", "--json", "--listen"]
        found[name] = ([*command, f"127.0.0.1:{port}", "--upstream", upstream, *more], port)
    port = free_port()
    found["recording 10 %"] = (
        [*command, f"127.0.0.1:{port}", "--upstream", upstream, "--sample", "10%"],
        port,
    )
    if os.environ.get("MITMDUMP"):
        for name, more in (("mitmdump", []), ("mitmdump -w", ["-w", "flows"])):
            port = free_port()
            mitm = [os.environ["MITMDUMP"], "-q", "--mode", f"reverse:{upstream}", *more]
            mitm += ["--listen-host", "127.0.0.1", "-p", str(port)]
            found[name] = (mitm, port)
    else:
        print("MITMDUMP is not set: mitmproxy skipped")
    return found


def show(rounds: dict[str, list[Measured]]) -> None:
    medians = {
        name: Measured(*(statistics.median(values) for values in zip(*many, strict=True)))
        for name, many in rounds.items()
    }
    direct = medians["direct"]
    print(f"{'':16}{'req/s':>9}{'of direct':>10}{'CPU us':>9}{'with rec.':>10}", end="")
    print(f"{'p50 added':>11}{'p99 added':>11}{'dropped':>9}")
    for name, one in medians.items():
        print(
            f"{name:16}{one.rate:>9,.0f}{one.rate / direct.rate:>10.2f}{one.cpu_us:>9.0f}", end=""
        )
        print(f"{one.all_cpu_us:>10.0f}{one.p50_ms:>8.2f} ms", end="")
        print(f"{one.p99_ms:>8.2f} ms{one.dropped:>9,.0f}")
    ours = medians["recording"]
    for name in ("mitmdump", "mitmdump -w"):
        if name in medians:
            peer = medians[name]
            print(
                f"beside {name}: {ours.rate / peer.rate:.1f} times the rate, "
                f"{ours.cpu_us / peer.cpu_us:.3f} of its CPU per request "
                f"({ours.all_cpu_us / peer.all_cpu_us:.3f} with the recorder)"
            )


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        from bench_send import serve

        serve(int(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("skipped: wrk is not on PATH")
        return
    port = free_port()
    rounds: dict[str, list[Measured]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = subprocess.Popen([sys.executable, __file__, "serve", str(port)])
        try:
            wait_for(port)
            for _ in range(options.rounds):
                idle = [sys.executable, "-c", "import time; time.sleep(3600)"]
                for way, (command, listens) in {"direct": (idle, port), **ways(port)}.items():
                    one = measured(way, command, listens, port, options, folder)
                    rounds.setdefault(way, []).append(one)
        finally:
            server.terminate()
            server.wait()
    show(rounds)


if __name__ == "__main__":
    main()
