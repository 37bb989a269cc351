"""Results with the same fingerprint are one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.analyse.slices import slices
from premortem.domain.run import Case, Finding, Result, Sent, Sequence, Verdict

EXAMPLES_MAX = 3
"""Results kept per fingerprint: where the simplest does not come again, the next is tried."""
OTHERS_MAX = 8
"""Kinds of broken constraints of which an example each is kept per fingerprint."""
MAKE_THEIR_OWN = frozenset(
    {
        *("witness", "probe", "rule", "read around a denial", "method override"),
        *("another's thing", "stored injection", "forged token"),
    }
)
"""Operators of cases in whose sequences all that they read is made before."""
CANDIDATES_MAX = 5_000
"""Distinct fingerprints of one run; beyond them a target is not helped by more."""
Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
"""Gravest first."""


class Example(Struct, frozen=True, kw_only=True):
    """One result that shows a defect."""

    result: Result
    verdict: Verdict


class Candidate(Struct, frozen=True, kw_only=True):
    """A suspected finding, before it was reproduced."""

    id: str
    operation_id: str
    check: str
    signature: str
    title: str
    severity: Severity
    """The gravest that one of its verdicts had."""
    count: int
    examples: tuple[Example, ...]
    """Simplest first; at least one, at most EXAMPLES_MAX."""
    sequences: tuple[Sequence, ...]
    """What to send to see it again: of the simplest example what it needs, then all before it; then
    the same of others that make themselves what they read."""
    sources: Mapping[str, int]
    """Source of the cases -> how many of them showed it."""
    others: tuple[tuple[Example, tuple[Sequence, ...]], ...] = ()
    """Further examples, each the simplest that breaks something else, with what to send for it:
    of errors without words several may look like one."""

    @property
    def verdict(self) -> Verdict:
        """Of the simplest example."""
        return self.examples[0].verdict

    @property
    def case(self) -> Case:
        """Of the simplest example."""
        return self.examples[0].result.case

    @property
    def sent(self) -> Sent:
        """Of the simplest example."""
        return self.examples[0].result.sent


def fingerprint(operation_id: str, check: str, signature: str) -> str:
    """8 hex digits that name a defect across runs."""
    return sha256(f"{operation_id}\n{check}\n{signature}".encode()).hexdigest()[:8]


class _Group:
    __slots__ = ("best", "by_breaks", "count", "severity", "sources")

    def __init__(self) -> None:
        self.count = 0
        self.severity = len(SEVERITIES) - 1
        self.sources: Counter[str] = Counter()
        self.best: list[tuple[tuple[int, ...], int, Example]] = []
        self.by_breaks: dict[str, tuple[tuple[int, ...], int, Example]] = {}

    def add(self, example: Example, cost: tuple[int, ...]) -> None:
        self.count += 1
        self.sources[example.result.case.origin.source] += 1
        rank = SEVERITIES.index(example.verdict.severity)
        self.severity = min(self.severity, rank)
        # The count breaks ties in the order of sending, so that examples are never compared.
        # Before all else: one that brings its own state shows again from a fresh one.
        ranked = ((cost[0], rank, *cost[1:]), self.count, example)
        self.best = sorted([*self.best, ranked])[:EXAMPLES_MAX]
        breaks = example.result.case.intent.breaks
        if breaks in self.by_breaks or len(self.by_breaks) < OTHERS_MAX:
            self.by_breaks[breaks] = min(self.by_breaks.get(breaks, ranked), ranked)


def group(
    results: Iterable[Result],
    *,
    sequences: Iterable[Sequence] = (),
    ignored: Collection[str] = (),
) -> list[Candidate]:
    """Suspected findings of RESULTS, gravest first, then the most frequent.

    SEQUENCES: what was sent, for what comes before an example; a result of none of them stands
    for itself. IGNORED: ids to leave out. Memory: at most EXAMPLES_MAX results for each of at
    most CANDIDATES_MAX fingerprints.
    """
    groups: dict[tuple[str, str, str], _Group] = {}
    for result in results:
        for verdict in result.verdicts:
            key = (result.case.operation_id, verdict.check, verdict.signature)
            found = groups.get(key)
            if found is None:
                if len(groups) >= CANDIDATES_MAX or fingerprint(*key) in ignored:
                    continue
                found = groups[key] = _Group()
            found.add(Example(result=result, verdict=verdict), _cost(result))
    wanted = {
        e.result.sequence_id
        for found in groups.values()
        for _, _, e in (*found.best, *found.by_breaks.values())
    }
    known = {s.id: s for s in sequences if s.id in wanted} if wanted else {}
    candidates = [_candidate(key, found, known) for key, found in groups.items()]
    return sorted(candidates, key=lambda c: (SEVERITIES.index(c.severity), -c.count, c.id))


def _cost(result: Result) -> tuple[int, ...]:
    """What makes an example simple to read and to reproduce, most important first."""
    case = result.case
    request = case.request
    size = len(request.path) + len(request.body) + sum(len(k) + len(v) for k, v in request.query)
    # What a list shows was made by somebody: an example that made it itself shows it again.
    return (
        int(case.intent.live),
        int(not _makes_its_own(result)),
        len({b.step for b in case.bindings}),
        int(case.setup),
        size,
        result.position,
    )


def _makes_its_own(result: Result) -> bool:
    return result.case.origin.operator in MAKE_THEIR_OWN


def _candidate(
    key: tuple[str, str, str], found: _Group, sequences: Mapping[str, Sequence]
) -> Candidate:
    examples = [(e, _slices(e.result, sequences)) for _, _, e in found.best]
    examples.sort(
        key=lambda pair: (
            pair[0].result.case.intent.live,
            SEVERITIES.index(pair[0].verdict.severity),
            len(pair[1][0].cases),
        )
    )
    operation_id, check, signature = key
    # What the simplest reads may have been made by others: then one that makes its own follows.
    own = [several for e, several in examples[1:] if _makes_its_own(e.result)]
    ways = {way.id: way for several in (examples[0][1], *own) for way in several}
    return Candidate(
        id=fingerprint(*key),
        operation_id=operation_id,
        check=check,
        signature=signature,
        title=examples[0][0].verdict.title,
        severity=SEVERITIES[found.severity],
        count=found.count,
        examples=tuple(example for example, _ in examples),
        sequences=tuple(ways.values()),
        sources=dict(found.sources),
        others=tuple(
            (example, _slices(example.result, sequences))
            for _, _, example in sorted(found.by_breaks.values())
            if example is not examples[0][0]
        ),
    )


def _slices(result: Result, sequences: Mapping[str, Sequence]) -> tuple[Sequence, ...]:
    sequence = sequences.get(result.sequence_id)
    if sequence is None or result.position >= len(sequence.cases):
        return (Sequence(cases=(result.case,)),)
    return slices(sequence, result.position)


def finding_of(
    candidate: Candidate,
    *,
    sequence: Sequence,
    reproduced: int,
    tries: int,
    curl: str = "",
    run_id: str = "",
    first_seen_at: float = 0.0,
    sent: Sent | None = None,
) -> Finding:
    """CANDIDATE as a finding.

    SEQUENCE is what showed it again, ending with the failing case; SENT what came of that
    (default: what came of the simplest example in the run).
    """
    return Finding(
        id=candidate.id,
        operation_id=candidate.operation_id,
        check=candidate.check,
        title=candidate.title,
        signature=candidate.signature,
        severity=candidate.severity,
        count=candidate.count,
        sequence=sequence,
        verdict=candidate.verdict,
        sent=sent or candidate.sent,
        reproduced=reproduced,
        reproduction_tries=tries,
        curl=curl,
        run_id=run_id,
        first_seen_at=first_seen_at,
    )


def alike(findings: Iterable[Finding]) -> dict[tuple[str, str], int]:
    """(check, signature) -> operations that show it, where they are more than one."""
    seen = Counter({(f.check, f.signature, f.operation_id) for f in findings})
    counts = Counter((check, signature) for check, signature, _ in seen)
    return {key: count for key, count in counts.items() if count > 1}


_OF_THE_DOCUMENT = frozenset({"content_type", "undeclared_status", "other_version"})
"""Checks of what answers and addresses are called, not of what they say."""


def shared_id(finding: Finding) -> str:
    """The id of FINDING where it is one and the same in every operation that shows it, else its
    own. It is the same where the target's log names the cause, and where it is the document that
    has to be mended: one word in it says of all operations what they answer. So it is with media
    types and statuses that it does not declare, whoever is wrong: a framework's own refusals
    look alike everywhere."""
    if finding.cause:
        return fingerprint("", finding.check, finding.cause)
    if finding.kind == "drift" or finding.check in _OF_THE_DOCUMENT:
        return fingerprint("", finding.check, finding.signature)
    return finding.id


def as_one(known: Finding, other: Finding) -> Finding:
    """KNOWN and OTHER, of one cause: what takes fewer requests shows it, the operations of both
    are listed."""
    shown, more = known, other
    if len(other.sequence.cases) < len(known.sequence.cases):
        shown, more = other, known
    names = {*known.operations, *other.operations, known.operation_id, other.operation_id}
    ranks = SEVERITIES.index(known.severity), SEVERITIES.index(other.severity)
    return replace(
        shown,
        count=shown.count + more.count,
        severity=SEVERITIES[min(ranks)],
        operations=tuple(sorted(names - {shown.operation_id})),
    )
