"""Do realistic cases live? Sent to real services, table per source and service.

Written before anything was measured. A case is realistic when its intent says so, or when it
replays production; setup is not counted. Its answer's status class counts as predicted:

strict   replay: the class that production answered with. Other sources: 2xx (or 3xx) where
         production ever had such an answer from the operation; else the class that production
         showed most; of an operation that only the specification knows, 2xx (or 3xx).
lenient  any class that production showed for the operation; of one that only the specification
         knows, any class that it declares.

No answer at all counts as missed. Misses answered 5xx are counted apart, too: they are the
service's own findings, and stay misses. Goal: strict >= 0.95 for every source and service.
`FLOOR` is what the suite insists on, so that a slip shows; the table shows the rest.

    PHOENIX_VENV=/where/phoenix/is/installed pytest tests/quality/test_live.py -s

The row `llm` is there where the built-in model is (`make models`); a laptop writes about one body
in a second, so it has few cases.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from premortem.config import Config, load
from premortem.domain.run import Plan, Result
from premortem.domain.traffic import OperationProfile
from premortem.models import find_cached
from premortem.pipeline.capturing import capture
from premortem.pipeline.confirming import Reproducing
from premortem.pipeline.generate import recorded
from premortem.pipeline.learning import learn
from premortem.pipeline.run import execute, prepare
from premortem.pipeline.training import train_traffic
from premortem.run import Gathered
from premortem.store import Store, open_store
from tests.services import KINTO_CONFIG, PASSWORDS, free_port, kinto, ledger, phoenix
from tests.shared import ROOT, shared

pytestmark = pytest.mark.quality

FLOOR = 0.80
SOURCES = ("sample", "traffic", "schema")
MISSES_SHOWN = 25
LARGER = {"schema": 3}
"""Times the requests of a plan: most cases of this source break something and do not count here."""
LLM_REQUESTS = 100
OUTSIDE = ("/chat", "/agent_sessions")
"""Operations that look up hosts outside."""
PHOENIX = """
[target]
base_url = "{base}"
disposable = true
ready = "/healthz"
spec = "{spec}"
[target.reset]
command = "{reset}"
[capture]
hosts = ["*"]
[roles.Admin]
bearer = "${{PHOENIX_ADMIN_SECRET}}"
"""


@contextmanager
def learned(directory: Path, recording: Path) -> Iterator[tuple[Config, Store]]:
    config = load(directory / "premortem.toml")
    with open_store(config.store, directory) as store:
        capture([recording], config=config, store=store)
        profile = learn(config=config, store=store)
        train_traffic(store, profile, recorded(store, profile))
        yield config, store


@contextmanager
def on_ledger(directory: Path) -> Iterator[tuple[Config, Store]]:
    os.environ.update(PASSWORDS)
    port = free_port()
    text = (ROOT / "examples" / "ledger" / "premortem.toml").read_text()
    (directory / "premortem.toml").write_text(text.replace(":8700", f":{port}"))
    recording = directory / "production.har.gz"
    with ledger(port=port) as base:
        document = urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read()
        (directory / "openapi.json").write_bytes(document)
        client = [sys.executable, "-m", "ledger.client", "--base", base, "--seed", "7"]
        subprocess.run(
            [*client, "--requests", "2000", "--har", str(recording)],
            cwd=ROOT / "examples" / "ledger",
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with learned(directory, recording) as project:
            yield project


@contextmanager
def on_kinto(directory: Path) -> Iterator[tuple[Config, Store]]:
    os.environ.update({f"{n.upper()}_PASSWORD": f"{n}pw" for n in ("alice", "bob", "carol")})
    with kinto(directory) as base:
        spec = shared("targets/kinto/openapi.json.gz")
        (directory / "premortem.toml").write_text(KINTO_CONFIG.format(base=base, spec=spec))
        with learned(directory, shared("targets/kinto/production.har.gz")) as project:
            yield project


@contextmanager
def on_phoenix(directory: Path) -> Iterator[tuple[Config, Store]]:
    with phoenix(directory) as (base, reset):
        spec = shared("targets/phoenix/openapi.json.gz")
        (directory / "premortem.toml").write_text(PHOENIX.format(base=base, spec=spec, reset=reset))
        with learned(directory, shared("targets/phoenix/production.har.gz")) as project:
            yield project


SERVICES = {
    "ledger": (on_ledger, Plan(rate_per_second=250, requests_max=1500, duration_s=3600)),
    "kinto": (on_kinto, Plan(rate_per_second=40, requests_max=800, duration_s=3600, timeout_s=30)),
    "phoenix": (
        on_phoenix,
        Plan(rate_per_second=15, requests_max=600, duration_s=3600, timeout_s=30),
    ),
}


def sent(config: Config, store: Store, plan: Plan) -> list[Result]:
    """What became of PLAN's cases; findings are not reproduced."""
    names = [operation.id for operation in store.profile().operations]
    outside = tuple(name for name in names if any(word in name for word in OUTSIDE))
    plan = replace(plan, exclude_operations=outside, keep_all=True)
    prepared = prepare(plan, config=config, store=store)
    results: list[Result] = []
    for event in execute(prepared, config=config, store=store, stop=threading.Event()):
        if isinstance(event, Gathered):
            results += event.results
        elif isinstance(event, Reproducing):
            break
    return results


def predicted(result: Result, operation: OperationProfile | None) -> tuple[bool, bool]:
    """(strict, lenient): see the module."""
    answer = result.sent.response
    if answer is None:
        return False, False
    got = answer.status // 100
    if result.case.recorded_status:
        same = got == result.case.recorded_status // 100
        return same, same
    if operation is None:
        return False, False
    shown: Counter[int] = Counter()
    for known in operation.answers:
        shown[abs(known.status) // 100 if known.status > 0 else -known.status] += known.count
    seen = {kind for kind, count in shown.items() if count}
    if not seen:
        return got in (2, 3), got in shown or got in (2, 3)
    passing = seen & {2, 3}
    wanted = passing or {shown.most_common(1)[0][0]}
    return got in wanted, got in seen


def counted(results: list[Result], config: Config, store: Store) -> dict[str, list[int]]:
    """Source -> [cases, strict, lenient, 5xx]."""
    profile = store.profile()
    operations = {operation.id: operation for operation in profile.operations}
    table: dict[str, list[int]] = {}
    misses: Counter[str] = Counter()
    for result in results:
        case = result.case
        if case.setup or case.intent.kind != "realistic":
            continue
        strict, lenient = predicted(result, operations.get(case.operation_id))
        row = table.setdefault(case.origin.source, [0, 0, 0, 0])
        row[0] += 1
        row[1] += strict
        row[2] += lenient
        if not strict:
            answer = result.sent.response
            row[3] += answer is not None and answer.status >= 500
            status = str(answer.status) if answer else result.sent.fault.kind
            words = answer.body[:90].decode("utf-8", "replace") if answer else ""
            what = f"{case.origin.source:7} {case.operation_id} {status}"
            misses[f"{what} {case.origin.operator} {words}"[:200]] += 1
    for what, count in misses.most_common(MISSES_SHOWN):
        print(f"    {count:4} {what}")
    return table


def most(source: str, plan: Plan) -> int:
    return LLM_REQUESTS if source == "llm" else plan.requests_max * LARGER.get(source, 1)


@pytest.mark.parametrize("service", SERVICES)
def test_realistic_cases_get_an_answer_that_the_profile_predicts(service, tmp_path):
    start, plan = SERVICES[service]
    rows: dict[str, list[int]] = {}
    wanted = (*SOURCES, "llm") if find_cached() is not None else SOURCES
    with start(tmp_path) as (config, store):
        for source in wanted:
            asked = replace(
                plan, sources={source: 1}, dynamic="60%", requests_max=most(source, plan)
            )
            print(f"\n{service}, {source}:")
            for name, row in counted(sent(config, store, asked), config, store).items():
                total = rows.setdefault(name, [0, 0, 0, 0])
                rows[name] = [a + b for a, b in zip(total, row, strict=True)]
    print(f"\n{service:10}{'cases':>8}{'strict':>9}{'lenient':>9}{'5xx':>6}")
    for name, (count, strict, lenient, broken) in sorted(rows.items()):
        print(f"{name:10}{count:8}{strict / count:9.3f}{lenient / count:9.3f}{broken:6}")
    assert {"replay", *wanted} <= set(rows)
    assert all(strict / count >= FLOOR for count, strict, *_ in rows.values())
