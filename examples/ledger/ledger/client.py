"""`python -m ledger.client`: drives the ledger as its people would, and records it as HAR.

Some working days pass in seconds: visits come when people work, overlap, and pause between two
requests. The recording says when each request would have come; a ledger with test hooks is told
so and lives on those days, too. The same seed and first day ask for the same things in the same
order of a fresh ledger; only ids, tokens and durations differ.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from heapq import heappop, heappush
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from ledger.people.calendar import ZONE, Calendar, recent_monday
from ledger.people.desk import Ask, Desk, Reply
from ledger.people.har import Exchanged, HarWriter
from ledger.people.sessions import Session, open_session

PROGRESS_EVERY = 200
TIMEOUT_S = 10

AGENTS = {
    "Guest": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Cashier": "LedgerDesk/4.2 (Windows)",
    "SupportAgent": "SupportPortal/2.9",
    "Analyst": "python-requests/2.32",
    "FinanceManager": "LedgerDesk/4.3 (macOS)",
    "CFO": "LedgerMobile/1.8 (iOS 18)",
}


class Caller:
    """One keep-alive connection that records what it carries."""

    def __init__(self, base: str, har: HarWriter, rng: Random) -> None:
        address = urlsplit(base)
        if address.scheme != "http" or not address.hostname:
            raise ValueError(f"--base must look like http://127.0.0.1:8700, not {base}")
        self._base, self._host, self._har, self._rng = base.rstrip("/"), address.netloc, har, rng
        self._connection = HTTPConnection(address.hostname, address.port or 80, timeout=TIMEOUT_S)
        self.answers: Counter[tuple[str, int]] = Counter()

    def ask(self, session: Session, ask: Ask, at: datetime) -> Reply:
        """Send one request of `session`, record it as of `at`, give the answer back."""
        body = ask.text if ask.text is not None else _json(ask.body)
        headers = self._headers(session, ask, body)
        # Only a ledger with test hooks looks at it; it is no part of what is recorded.
        sent = {**headers, "X-Test-Now": at.isoformat(timespec="milliseconds")}
        start = time.perf_counter()
        self._connection.request(ask.method, ask.path, body.encode() or None, sent)
        response = self._connection.getresponse()
        text = response.read().decode()
        duration_ms = (time.perf_counter() - start) * 1000
        self._har.write(
            Exchanged(
                started_at=at,
                duration_ms=duration_ms,
                method=ask.method,
                url=self._base + ask.path,
                request_headers=headers,
                request_body=body,
                status=response.status,
                reason=response.reason,
                response_headers=response.getheaders(),
                response_body=text,
            )
        )
        self.answers[ask.operation, response.status] += 1
        return Reply(status=response.status, body=_parsed(text))

    def _headers(self, session: Session, ask: Ask, body: str) -> dict[str, str]:
        span = f"{self._rng.getrandbits(64):016x}"
        headers = {
            "Host": self._host,
            "User-Agent": AGENTS[session.role],
            "Accept": "application/json",
            "X-Client-Id": session.client,
            "traceparent": f"00-{session.trace}-{span}-01",
        }
        headers |= ask.headers
        if ask.token:
            headers["Authorization"] = f"Bearer {ask.token}"
        if body:
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(body.encode()))
        return headers


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # a defect may answer 500 with plain text; the session simply goes on


def drive(caller: Caller, *, calendar: Calendar, rng: Random) -> Iterator[int]:
    """Play visits until the calendar's requests were sent; yields how many were."""
    desk = Desk(rng=rng, environment=os.environ, today=calendar.first_day)
    # The number breaks ties, so that nothing compares sessions.
    waiting: list[tuple[datetime, int, Session, Ask]] = []
    arrival, visits = calendar.next_visit(calendar.opening(), rng), 0
    for sent in range(1, calendar.requests + 1):
        while not waiting or arrival <= waiting[0][0]:
            session = open_session(desk)
            visits += 1
            heappush(waiting, (arrival, visits, session, next(session.steps)))
            arrival = calendar.next_visit(arrival, rng)
        at, visit, session, ask = heappop(waiting)
        desk.today = at.astimezone(ZONE).date()
        reply = caller.ask(session, ask, at.astimezone(UTC))
        try:
            following = session.steps.send(reply)
        except StopIteration:
            pass
        else:
            heappush(waiting, (at + calendar.pause(rng), visit, session, following))
        yield sent


def main() -> int:
    """Exit 0 when everything was sent and the HAR is complete, 2 if the ledger cannot be used."""
    parser = argparse.ArgumentParser(prog="ledger.client", description=__doc__)
    parser.add_argument("--base", default="http://127.0.0.1:8700")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=5, help="days that the requests spread over")
    parser.add_argument(
        "--first-day",
        type=date.fromisoformat,
        help="YYYY-MM-DD; the latest Monday that is a week ago unless given",
    )
    parser.add_argument("--har", type=Path, required=True, help="OUT.har or OUT.har.gz")
    parser.add_argument("--progress", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    calendar = Calendar(
        first_day=arguments.first_day or recent_monday(datetime.now(ZONE).date()),
        days=max(arguments.days, 1),
        requests=arguments.requests,
    )
    try:
        with HarWriter(arguments.har) as har:
            # Its own source: a header more or less must not change what is asked for.
            caller = Caller(arguments.base, har, Random(f"spans {arguments.seed}"))
            for sent in drive(caller, calendar=calendar, rng=Random(arguments.seed)):
                if arguments.progress and sent % PROGRESS_EVERY == 0:
                    print(f"{sent}/{arguments.requests}", file=sys.stderr, flush=True)
    except (OSError, HTTPException, ValueError) as error:
        print(f"{arguments.base}: {error}", file=sys.stderr)
        return 2
    _report(caller.answers, seconds=time.perf_counter() - start)
    return 0


def _report(answers: Counter[tuple[str, int]], *, seconds: float) -> None:
    total = answers.total()
    refused = sum(count for (_, status), count in answers.items() if status >= 400)
    print(f"{total} requests in {seconds:.1f} s, {refused} refused ({refused / total:.1%})")
    for (operation, status), count in sorted(answers.items()):
        print(f"{count:6} {status} {operation}")


if __name__ == "__main__":
    sys.exit(main())
