"""`make demo`: the whole road on the sample service, by the commands a user would type.

Production is a correct ledger, driven by its own client. The release under test is the same
ledger with its thirty documented defects switched on: what broke is what the plan has to find.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEDGER = ROOT / "examples" / "ledger"
WORK = ROOT / ".build" / "demo"
PREMORTEM = Path(sys.executable).parent / "premortem"
USERS = ("guest", "cashier", "support", "analyst", "finance", "cfo")
REQUESTS = 2000
QUESTION = "What if a refund is issued twice?"
READY_S_MAX = 30


def say(text: str) -> None:
    """A heading of the demo's own."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def premortem(*arguments: str, environment: Mapping[str, str]) -> int:
    """Run a command as the user would and show it; 2 ends the demo."""
    print(f"$ premortem {shlex.join(arguments)}", flush=True)
    code = subprocess.run(
        [PREMORTEM, *arguments], cwd=WORK, env=dict(environment), check=False
    ).returncode
    if code == 2:
        sys.exit(f"the demo stops here: `premortem {arguments[0]}` could not run")
    return code


def drive(command: list[str], environment: Mapping[str, str]) -> None:
    """Run the ledger's own client and show its first line; the table below it is for its README."""
    done = subprocess.run(
        command, cwd=LEDGER, env=dict(environment), check=True, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout.partition("\n")[0], flush=True)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ledger(port: int, environment: Mapping[str, str], **extra: str) -> Iterator[str]:
    """The sample service as a process of its own, ended by its handle."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger", "--port", str(port)],
        cwd=LEDGER,
        env={**environment, "LEDGER_TEST_HOOKS": "1", **extra},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                urllib.request.urlopen(f"{base}/health", timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the ledger did not start; try: cd examples/ledger; python -m ledger")
                time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=10)


def main() -> None:
    """The road from production traffic to findings and a scenario."""
    started = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    passwords = {f"LEDGER_PASSWORD_{user.upper()}": f"{user}-secret" for user in USERS}
    environment = {**os.environ, **passwords, "COLUMNS": os.environ.get("COLUMNS", "110")}
    port = free_port()
    config = (LEDGER / "premortem.toml").read_text().replace(":8700", f":{port}")
    (WORK / "premortem.toml").write_text(config)

    say(f"1. Production: the ledger serves its own client, {REQUESTS:,} requests, six roles")
    with ledger(port, environment) as base:
        document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
        (WORK / "openapi.json").write_bytes(document)
        client = [sys.executable, "-m", "ledger.client", "--base", base, "--seed", "7"]
        recording = ["--requests", str(REQUESTS), "--har", str(WORK / "production.har.gz")]
        drive(client + recording, environment)

    say("2. Premortem takes the recording in (redacted before it is stored) and learns from it")
    premortem("capture", "har", "production.har.gz", environment=environment)
    premortem("learn", environment=environment)
    premortem("profile", environment=environment)

    say("3. The next release is up, and something is wrong with it (thirty defects, DEFECTS.md)")
    with ledger(port, environment, LEDGER_DEFECTS="all"):
        plan = ["plan", "build", "--dynamic", "40%", "--rate", "100/s", "--duration", "20s"]
        premortem(*plan, "--out", "plan.toml", environment=environment)
        premortem("run", "plan.toml", environment=environment)

        say(f"4. A question: {QUESTION}")
        premortem("ask", QUESTION, environment=environment)
        premortem(
            "report", "--html", "report.html", "--junit", "report.xml", environment=environment
        )

    say(f"done in {time.monotonic() - started:.0f} s; everything lies in {WORK.relative_to(ROOT)}")
    print(
        "three commands to try next (from that folder, the ledger started as in its README):\n"
        "  premortem findings\n"
        '  premortem ask "What if a Guest approves an invoice?"\n'
        "  premortem profile 'POST /payments/{payment_id}/refunds'"
    )


if __name__ == "__main__":
    main()
