"""A generated case in somebody's test: sent when the test says so, judged by the checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from premortem.domain.run import Before, Case, Sent, Sequence, Verdict
from premortem.domain.traffic import Request

EVIDENCE_CHARS_MAX = 2_000
"""Of one verdict's evidence in a message."""


class FindingError(AssertionError):
    """A check says that the service is wrong."""

    def __init__(self, verdicts: tuple[Verdict, ...], *, ids: tuple[str, ...], curl: str) -> None:
        """IDS: the findings' ids, one per verdict, stable across runs."""
        self.verdicts, self.ids, self.curl = verdicts, ids, curl
        lines = [
            f"{id_} {verdict.severity} {verdict.check}: {verdict.title}"
            + (f"\n    {verdict.evidence[:EVIDENCE_CHARS_MAX]}" if verdict.evidence else "")
            for id_, verdict in zip(ids, verdicts, strict=True)
        ]
        known = f'known and accepted? add ignore=("{ids[0]}",) to @premortem.cases'
        super().__init__("\n".join([*lines, f"again: {curl}", known]))


class Answer(Struct, frozen=True, kw_only=True):
    """What came back."""

    sent: Sent
    """The request as it went out, with the answer or the fault."""
    verdicts: tuple[Verdict, ...]
    """What the checks say against it; empty: nothing."""

    @property
    def status(self) -> int:
        """The status code; 0 when no answer came."""
        return self.sent.response.status if self.sent.response is not None else 0

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return self.sent.response.body if self.sent.response is not None else b""

    def json(self) -> Any:
        """The answer's body as a value. Raises ValueError when it is no JSON."""
        return json.loads(self.body)


Send = Callable[[Sequence], tuple[Sent, ...]]
Judge = Callable[[Case, Sent, Before], tuple[Verdict, ...]]


class LiveCase:
    """One generated request, with what has to be sent before it."""

    def __init__(
        self,
        sequence: Sequence,
        *,
        send: Send,
        judge: Judge,
        complain: Callable[[Case, Sent, tuple[Verdict, ...]], FindingError],
        ignored: Callable[[Case, Verdict], bool],
    ) -> None:
        """Made by the pytest plugin. SEQUENCE ends with the case itself."""
        self.sequence = sequence
        self._send = send
        self._judge = judge
        self._complain = complain
        self._ignored = ignored

    @property
    def case(self) -> Case:
        """The case, with its origin, intent and role."""
        return self.sequence.cases[-1]

    @property
    def request(self) -> Request:
        """What will be sent, before live values and credentials are put in."""
        return self.case.request

    @property
    def operation(self) -> str:
        """`POST /invoices`."""
        return self.case.operation_id

    @property
    def realistic(self) -> bool:
        """Whether a correct service should be able to serve it."""
        return self.case.intent.kind == "realistic"

    @property
    def breaks(self) -> str:
        """The constraint it breaks; empty: none."""
        return self.case.intent.breaks

    def send(self, *, check: bool = True) -> Answer:
        """Send what it needs first, then the case itself.

        With CHECK, raises FindingError (an AssertionError) when a check speaks against the
        answer and nobody has ignored that finding. A fault of the network is in the answer.
        """
        *before, sent = self._send(self.sequence)
        found = self._judge(self.case, sent, tuple(before))
        verdicts = tuple(v for v in found if not self._ignored(self.case, v))
        if check and verdicts:
            raise self._complain(self.case, sent, verdicts)
        return Answer(sent=sent, verdicts=verdicts)
