"""Requests sent per client CPU-second, beside wrk and Locust's FastHttpUser.

All send the same distinct POST bodies of about 300 bytes over kept connections to one minimal
server on the other core, and read every answer. CPU is user + system time of the client process
alone: wall-clock rates lie on a contended core. Rounds are interleaved, medians are compared.

    python benches/bench_send.py [--requests N] [--rounds N] [--schedule] [--alone]

`wrk` is taken from PATH; LOCUST_PYTHON names a Python that has Locust. What is missing is
skipped, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

CONNECTIONS = 64
PAD = "x" * 220
LUA = """
local n = 0
local headers = { ["content-type"] = "application/json", ["accept"] = "*/*" }
local pad = string.rep("x", 220)
request = function()
  n = n + 1
  local body = '{"invoice_id":"inv_' .. n .. '","amount":' .. n .. ',"currency":"EUR","note":"'
  return wrk.format("POST", "/invoices", headers, body .. pad .. '"}')
end
"""


def body(n: int) -> bytes:
    return f'{{"invoice_id":"inv_{n}","amount":{n},"currency":"EUR","note":"{PAD}"}}'.encode()


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def say(**numbers: float) -> None:
    print(json.dumps(numbers), flush=True)


# The server: the least that answers every request.


def serve(port: int) -> None:
    import httptools
    import uvloop

    pin(1)
    gc.disable()  # pauses of a server are not the sender's: one of 10 ms holds up all connections
    document = b'{"id":"pay_1","status":"accepted","amount":12,"currency":"EUR"}'
    answer = (
        b"HTTP/1.1 200 OK\r\nserver: echo\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(document), document)
    )

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            self.parser = httptools.HttpRequestParser(self)

        def data_received(self, data):
            self.parser.feed_data(data)

        def on_message_complete(self):
            self.transport.write(answer)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(main())


# The clients. Each prints {"requests": N, "cpu_s": S} of its sending alone.


def requests_of(count: int):
    from premortem.domain.traffic import Request

    headers = (("content-type", "application/json"), ("accept", "*/*"))
    return [
        Request(method="POST", origin="", path="/invoices", headers=headers, body=body(n))
        for n in range(count)
    ]


def bare(port: int, count: int) -> None:
    """The sender alone: bytes prepared ahead, as wrk's connections they are sent in a closed loop.

    Of each answer the framing is verified by the sender, the status here.
    """
    calling(port, count, ahead=True)


def making(port: int, count: int) -> None:
    """The same with the preparation of each request counted."""
    calling(port, count, ahead=False)


def calling(port: int, count: int, *, ahead: bool) -> None:
    from premortem.config import TargetConfig
    from premortem.send.http import Sender
    from premortem.send.line import new_loop

    async def main() -> None:
        target = TargetConfig(base_url=f"http://127.0.0.1:{port}")
        async with Sender(target, connections_max=CONNECTIONS) as sender:
            requests = requests_of(count)
            source = iter([sender.prepare(one) for one in requests] if ahead else requests)
            over = asyncio.get_running_loop().create_future()
            begin, prepare = sender.begin, sender.prepare
            left = count

            def done(outcome, _began, _ended) -> None:
                nonlocal left
                assert outcome.status == 200
                left -= 1
                if (following := next(source, None)) is not None:
                    begin(following if ahead else prepare(following), done)
                elif not left:
                    over.set_result(None)

            gc.collect()
            gc.freeze()
            started, before = time.monotonic(), cpu_s()
            for first in [next(source) for _ in range(CONNECTIONS)]:
                begin(first if ahead else prepare(first), done)
            await over
            say(requests=count, cpu_s=cpu_s() - before, wall_s=time.monotonic() - started)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def awaited(port: int, count: int) -> None:
    """`await Sender.send`: a future, a task's step and a `Sent` for each request."""
    from premortem.config import TargetConfig
    from premortem.send.http import Sender
    from premortem.send.line import new_loop

    async def worker(sender, requests) -> None:
        for request in requests:
            sent = await sender.send(request)
            assert sent.response is not None, sent.fault
            assert sent.response.status == 200

    async def main() -> None:
        target = TargetConfig(base_url=f"http://127.0.0.1:{port}")
        async with Sender(target, connections_max=CONNECTIONS) as sender:
            requests = iter(requests_of(count))
            gc.collect()
            gc.freeze()
            before = cpu_s()
            await asyncio.gather(*(worker(sender, requests) for _ in range(CONNECTIONS)))
            say(requests=count, cpu_s=cpu_s() - before)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


JOB_CASES = 5_000


def whole(port: int, count: int) -> None:
    """A worker: jobs decoded, slots, preparing, sending, parsing, checks, counts, batches encoded.

    Its controller is in memory: it grants jobs of single cases and swallows what is reported.
    """
    from premortem.config import Config, TargetConfig
    from premortem.domain.jobs import ResultBatch
    from premortem.domain.run import Plan
    from premortem.run.messages import Ask, Drain, Renewed, Setup, encode, to_worker
    from premortem.run.worker import Worker
    from premortem.send.line import new_loop

    grants = [encode(grant) for grant in grants_of(count)]
    url = f"http://127.0.0.1:{port}"
    target = TargetConfig(base_url=url, disposable=True, rate_per_second_max=1e9)
    setup = Setup(
        worker_id="bench",
        run_id="bench",
        config=Config(target=target),
        profile=profile(),
        plan=Plan(in_flight_max=CONNECTIONS),
        redaction_key=b"",
        elapsed_s=0.0,
    )

    class Controller:
        def __init__(self) -> None:
            self.messages = asyncio.Queue()
            self.messages.put_nowait(encode(setup))
            self.results = self.bytes = self.batches = 0

        def send(self, message) -> None:
            self.bytes += len(encode(message))
            if isinstance(message, Ask):
                for _ in range(message.jobs):
                    self.messages.put_nowait(grants.pop() if grants else encode(Drain()))
            elif isinstance(message, ResultBatch):
                self.batches += 1
                self.results += sum(c.count for c in message.counts if c.outcome == "answered")
                assert not any(result.verdicts for result in message.results)
                renewed = Renewed(
                    job_id=message.job_id,
                    epoch=message.epoch,
                    sequence_number=message.sequence_number,
                    lease_s=10.0,
                )
                self.messages.put_nowait(encode(renewed))

        async def receive(self):
            return to_worker(await self.messages.get())

    async def main() -> None:
        controller = Controller()
        before = cpu_s()
        await Worker(controller, worker_id="bench").run()
        used = cpu_s() - before
        assert controller.results == count, controller.results
        say(requests=count, cpu_s=used)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def grants_of(count: int):
    """Jobs whose slots come faster than anything can send."""
    import numpy as np

    from premortem.domain.jobs import Job
    from premortem.domain.packing import pack_job
    from premortem.domain.run import Case, Origin, Sequence
    from premortem.run.messages import Grant

    operation, origin = "POST /invoices", Origin(source="sample")
    sequences = [
        Sequence(cases=(Case(request=request, operation_id=operation, origin=origin),))
        for request in requests_of(count)
    ]
    for number, first in enumerate(range(0, count, JOB_CASES)):
        part = tuple(sequences[first : first + JOB_CASES])
        slots = (first + np.arange(len(part))) * 1e-6
        job = Job(
            id=f"bench/{number}",
            run_id="bench",
            number=number,
            slice=0,
            start_s=float(slots[0]),
            end_s=float(slots[-1]),
            first=first,
            sequences=part,
            slots=slots.astype("<f8").tobytes(),
        )
        yield Grant(job_id=job.id, packed=pack_job(job), epoch=1, lease_s=10.0)


def profile():
    """A profile whose only operation answers with an object of four members."""
    from premortem.domain.traffic import Answer, Operation, OperationProfile, Profile, Timing

    schema = {
        "type": "object",
        "required": ["id", "status", "amount", "currency"],
        "properties": {
            "id": {"type": "string", "pattern": "^pay_"},
            "status": {"enum": ["accepted", "declined"]},
            "amount": {"type": "integer", "minimum": 0},
            "currency": {"type": "string", "minLength": 3, "maxLength": 3},
        },
    }
    answer = Answer(
        status=200,
        count=1000,
        schema=json.dumps(schema),
        source="spec",
        media_types=("application/json",),
    )
    operation = OperationProfile(
        operation=Operation(method="POST", template="/invoices"),
        count=1000,
        declared=(200,),
        in_spec=True,
        answers=(answer,),
    )
    timing = Timing(first_at=0, last_at=1, rate_per_second=1, hours=(0,) * 24)
    return Profile(
        version="bench",
        created_at=0,
        exchanges=1000,
        sessions=1,
        origins=("http://127.0.0.1",),
        operations=(operation,),
        timing=timing,
    )


LOCUST = """
import json, os, resource, sys
from locust import FastHttpUser, constant, events, task

COUNT, PAD = int(os.environ["COUNT"]), "x" * 220
state = {"n": 0, "before": 0.0}

def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

class Client(FastHttpUser):
    wait_time = constant(0)

    @task
    def pay(self):
        n = state["n"] = state["n"] + 1
        if n == 1:
            state["before"] = cpu_s()
        if n > COUNT:
            if n == COUNT + 1:
                print(json.dumps({"requests": COUNT, "cpu_s": cpu_s() - state["before"]}))
                sys.stdout.flush()
                os._exit(0)  # its own way out waits for all users
            return
        body = '{"invoice_id":"inv_%d","amount":%d,"currency":"EUR","note":"%s"}' % (n, n, PAD)
        with self.client.post("/invoices", data=body.encode(), catch_response=True,
                headers={"content-type": "application/json"}) as answer:
            if answer.status_code != 200:
                answer.failure("not 200")
"""


ALONE: list[bool] = []
"""Not empty: clients and server have real-time priority; who waits for them has not."""


def first_in_line() -> None:
    """In a child, before it is what it will be."""
    if ALONE:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))


def wrk_rate(port: int, seconds: float, folder: Path) -> float:
    script = folder / "post.lua"
    script.write_text(LUA)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=first_in_line,
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"(\d+) requests in", output)
    assert found is not None, output
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return int(found[1]) / used


def locust_rate(python: str, port: int, count: int, folder: Path) -> float:
    script = folder / "locustfile.py"
    script.write_text(LOCUST)
    command = [python, "-m", "locust", "-f", str(script), "--headless", "--only-summary"]
    command += ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", "120s", "--loglevel", "ERROR"]
    output = subprocess.run(
        [*command, "-H", f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COUNT": str(count)},
        preexec_fn=first_in_line,
    ).stdout
    return rate_in(output)


def own_rate(client: str, port: int, count: int, per: str = "cpu_s") -> float:
    command = [sys.executable, __file__, client, str(port), str(count)]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, preexec_fn=first_in_line
    )
    return rate_in(run.stdout, per)


def rate_in(output: str, per: str = "cpu_s") -> float:
    line = next(line for line in output.splitlines() if line.startswith('{"requests"'))
    numbers = json.loads(line)
    return numbers["requests"] / numbers[per]


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the server did not start")


@contextlib.contextmanager
def server() -> Iterator[int]:
    """The port of a server on the other core."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", str(port)], preexec_fn=first_in_line
    )
    pin(0)
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def measure(requests: int, rounds: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {}
    locust = os.environ.get("LOCUST_PYTHON", "")
    if not shutil.which("wrk"):
        print("wrk is not on PATH: skipped")
    if not locust:
        print("LOCUST_PYTHON is not set: Locust skipped")
    with server() as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(rounds):
            if shutil.which("wrk"):
                seconds = max(2.0, requests / 50_000)
                rates.setdefault("wrk", []).append(wrk_rate(port, seconds, folder))
            rates.setdefault("sender", []).append(own_rate("bare", port, requests))
            rates.setdefault("preparing", []).append(own_rate("making", port, requests))
            rates.setdefault("awaited", []).append(own_rate("awaited", port, requests // 2))
            rates.setdefault("runner", []).append(own_rate("whole", port, requests * 2))
            if locust:
                rate = locust_rate(locust, port, requests // 6, folder)
                rates.setdefault("locust", []).append(rate)
    return rates


def main() -> None:
    clients = {f.__name__: f for f in (serve, bare, making, awaited, whole)}
    if len(sys.argv) > 2 and sys.argv[1] in clients:
        pin(1 if sys.argv[1] == "serve" else 0)
        clients[sys.argv[1]](*(int(text) for text in sys.argv[2:]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--schedule", action="store_true", help="send errors of a paced sender")
    parser.add_argument(
        "--alone",
        action="store_true",
        help="real-time priority for client and server: as if the machine did nothing else",
    )
    options = parser.parse_args()
    if options.alone:
        ALONE.append(True)
    if options.schedule:
        import bench_schedule

        bench_schedule.measure(options.requests, options.rounds)
        return
    rates = measure(options.requests, options.rounds)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{'':10}{'requests per CPU-second':>24}{'of wrk':>10}{'of Locust':>12}")
    for name, rate in medians.items():
        of_wrk = f"{rate / medians['wrk']:.2f}" if "wrk" in medians else "-"
        of_locust = f"{rate / medians['locust']:.1f}" if "locust" in medians else "-"
        print(f"{name:10}{rate:>24,.0f}{of_wrk:>10}{of_locust:>12}")


if __name__ == "__main__":
    main()
