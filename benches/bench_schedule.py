"""How far from their slots requests go out: `bench_send.py --schedule`.

Beside each row a timer alone at the same rate in the same run, doing nothing when it wakes: on a
busy machine both wait for the core. `--alone` gives client and server real-time priority.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from functools import partial

from bench_send import CONNECTIONS, cpu_s, own_rate, pin, requests_of, server


def schedule(port: int, rate: int, seconds: int) -> None:
    """How far from their slots requests are written, and a timer alone for comparison, both at
    RATE.

    Prints for each the error's percentiles in ms, and the share of a core used.
    """
    from premortem.config import TargetConfig
    from premortem.send.http import Sender
    from premortem.send.line import new_loop
    from premortem.send.timer import Alarm

    errors: list[float] = []

    async def paced(act) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        alarm, over, begun = Alarm(loop), loop.create_future(), 0
        errors.clear()
        count, step_s = rate * seconds, 1 / rate
        start, before = time.monotonic() + 0.1, cpu_s()

        def due() -> None:
            nonlocal begun
            while begun < count:
                slot = start + begun * step_s
                if slot > time.monotonic():
                    alarm.at(slot, due)
                    return
                act(begun, slot)
                begun += 1
            over.set_result(None)

        alarm.at(start, due)
        await over
        used = (cpu_s() - before) / (time.monotonic() - start)
        alarm.close()
        while len(errors) < count:
            await asyncio.sleep(0.01)
        errors.sort()
        at = {f"p{p}_ms": errors[int(count * p / 100)] * 1000 for p in (50, 99)}
        return at | {"max_ms": errors[-1] * 1000, "cores": used}

    async def main() -> None:
        target = TargetConfig(base_url=f"http://127.0.0.1:{port}")
        async with Sender(target, connections_max=CONNECTIONS) as sender:
            ready = [sender.prepare(one) for one in requests_of(rate)]

            past = sender.now() - time.monotonic()

            def done(slot, outcome, began, _ended) -> None:
                assert outcome.status == 200
                errors.append(began - past - slot)

            gc.collect()
            gc.freeze()
            timer = await paced(lambda _, slot: errors.append(time.monotonic() - slot))
            sending = await paced(
                lambda n, slot: sender.begin(ready[n % rate], partial(done, slot))
            )
            print(json.dumps({"timer": timer, "sender": sending}), flush=True)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def measure(requests: int, rounds: int) -> None:
    """At 5,000/s, and at half of the rate that a closed loop reaches in the same minute."""
    rows: dict[str, list[dict[str, float]]] = {}
    with server() as port:
        for _ in range(rounds):
            half = int(own_rate("bare", port, requests, per="wall_s") / 2)
            for name, rate in (("5,000/s", 5000), ("half of the maximum", half)):
                command = [sys.executable, __file__, str(port), str(rate), "4"]
                output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                for what, row in json.loads(output).items():
                    rows.setdefault(f"{what}, {name}", []).append(row | {"rate": rate})
    columns = ("rate", "p50_ms", "p99_ms", "max_ms", "cores")
    print(f"{'':30}" + "".join(f"{column:>10}" for column in columns))
    for name, measured in rows.items():
        rate, *rest = (statistics.median(row[column] for row in measured) for column in columns)
        print(f"{name:30}{rate:>10,.0f}" + "".join(f"{value:>10.3f}" for value in rest))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pin(0)
        schedule(*(int(text) for text in sys.argv[1:]))
    else:
        measure(60_000, 3)
