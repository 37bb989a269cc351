"""The bank that pays refunds out: a pause of some milliseconds, or a real address.

With LEDGER_BANK_URL set, every payout is posted there, and the request's trace goes on in its
`traceparent` header.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from contextlib import suppress

from ledger.defects import Defects
from ledger.web.traces import Tracing

ANSWER_S = 0.002
TIMEOUT_S = 5
ANSWER_BYTES_MAX = 65_536


class Bank:
    """Takes payouts."""

    def __init__(
        self, *, environment: Mapping[str, str], tracing: Tracing, defects: Defects
    ) -> None:
        self._url = environment.get("LEDGER_BANK_URL", "")
        self._tracing, self._defects = tracing, defects

    async def pay_out(self, request_id: str, trace_parent: str) -> None:
        """Tell the bank, which needs a moment. Its failure is its own: the payout is booked."""
        with self._tracing.paying_out(trace_parent) as onward:
            if not self._url:
                await asyncio.sleep(ANSWER_S)
                return
            await asyncio.to_thread(self._post, request_id, onward)

    def _post(self, request_id: str, trace_parent: str) -> str:
        """What the bank calls it; empty: nobody asks. With API10 its word is taken for granted."""
        request = urllib.request.Request(
            self._url,
            data=json.dumps({"refund_request": request_id}).encode(),
            headers={"content-type": "application/json", "traceparent": trace_parent},
        )
        if self._defects.on("API10"):
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return str(json.loads(answer.read(ANSWER_BYTES_MAX))["reference"])
        with suppress(OSError):
            urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
        return ""
