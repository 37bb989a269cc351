"""What was suspected is sent again: how often it came, when it is left alone, what is one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from msgspec import Struct
from msgspec.structs import replace

from premortem.analyse import Candidate, as_declared, group
from premortem.capture import Redactor
from premortem.checks import Checker
from premortem.config import Config
from premortem.domain.log_error import Frame, LogError, LogLine
from premortem.domain.run import Case, Fault, Finding, Intent, Sent, Sequence
from premortem.domain.traffic import Response
from premortem.errors import TargetDown, TargetError
from premortem.pipeline.confirming import (
    DOUBTFUL_TRIES,
    MINIMISE_REQUESTS_MAX,
    Bench,
    Confirmed,
    Confirmer,
)
from tests.analyse.samples import MAKE, PAY, READ, case, profile, result, summary

Answer = Callable[[Sequence], int]
"""The status of the last case; 0: the connection is dropped."""


DROPPED = Fault(kind="reset", detail="the connection closed before any answer", sent=True)


class Service:
    """Answers the last case of a sequence with the status that ANSWER gives."""

    def __init__(self, answer: Answer, *, gone: bool = False) -> None:
        self.answer = answer
        self.gone = gone
        self.requests = 0
        self.resets = 0
        self.errors: list[LogError] = []

    def fresh(self) -> None:
        self.resets += 1

    def wait_ready(self, *, timeout_s: float) -> None:
        if self.gone:
            raise TargetDown(target="http://127.0.0.1:1", detail="refused")

    def send_sequence(self, sequence: Sequence, *, apart: bool = False) -> tuple[Sent, ...]:
        self.requests += len(sequence.cases)
        before = sequence.cases[:-1]
        statuses = [*(200 for _ in before), self.answer(sequence)]
        if statuses[-1] >= 500:
            frame = Frame(file="app/store.py", function="load", line=len(self.errors))
            self.errors.append(LogError(exception="KeyError", frame=frame))
        return tuple(
            Sent(request=one.request, response=Response(status=status))
            if status
            else Sent(request=one.request, fault=DROPPED)
            for one, status in zip(sequence.cases, statuses, strict=True)
        )

    # The log

    def mark(self) -> int:
        return len(self.errors)

    def since(self, mark: int) -> list[LogLine]:
        return [
            LogLine(template_id="1", severity="error", text="", error=error)
            for error in self.errors[mark:]
        ]


class Confirming(Struct, frozen=True, kw_only=True):
    confirmed: Confirmed
    saved: list[Finding]
    service: Service


def dropped(given: Sequence) -> list[Candidate]:
    """Candidates: the last case of GIVEN got no answer."""
    bare = result(given, len(given.cases) - 1, 500, b"")
    sent = Sent(request=bare.case.request, fault=DROPPED)
    found = Checker(profile()).check(bare.case, sent)
    return group([replace(bare, sent=sent, verdicts=found)], sequences=[given])


def suspected(*sequences: Sequence) -> list[Candidate]:
    """Candidates: the last case of each of SEQUENCES failed with 500."""
    checker = Checker(profile())
    results = []
    for given in sequences:
        bare = result(given, len(given.cases) - 1, 500, b"")
        found = checker.check(bare.case, bare.sent)
        results.append(result(given, len(given.cases) - 1, 500, b"", *found))
    return group(results, sequences=sequences)


def confirming(
    *sequences: Sequence,
    answer: Answer,
    log: bool = False,
    stop: bool = False,
    gone: bool = False,
    candidates: list[Candidate] | None = None,
    elsewhere: Callable[[Case], Sequence | None] = lambda _: None,
) -> Confirming:
    service, saved = Service(answer, gone=gone), []
    clock = itertools.count().__next__
    bench = Bench(
        service,
        fresh=service.fresh,
        checker=Checker(profile()),
        declared=Checker(as_declared(profile())),
        profile=profile(),
        clock=lambda: clock() * 1e-6,
        log=service if log else None,
    )
    confirmer = Confirmer(
        bench,
        config=Config(),
        summary=summary(),
        exchanges={},
        redactor=Redactor(b"0" * 32),
        save=saved.append,
        elsewhere=elsewhere,
    )
    found = suspected(*sequences) if candidates is None else candidates
    *_, last = confirmer.confirm(found, stop=lambda: stop)
    assert isinstance(last, Confirmed)
    return Confirming(confirmed=last, saved=saved, service=service)


def failing(*statuses: int) -> Answer:
    """STATUSES one after the other, again and again."""
    following: Iterator[int] = itertools.cycle(statuses)
    return lambda _sequence: next(following)


LONG = Sequence(cases=(*(case(READ, f"/invoices/{n}") for n in range(40)), case(PAY, "/pay")))
ONE = Sequence(cases=(case(MAKE, "/invoices", body=b'{"amount": 1}'),))
TWO = Sequence(cases=(case(PAY, "/invoices/inv_1/pay"),))


def test_what_always_comes_again_is_confirmed_short_and_saved():
    done = confirming(LONG, answer=failing(500))
    (finding,) = done.confirmed.findings
    assert (finding.reproduced, finding.reproduction_tries) == (2, 2)
    assert (finding.found_with, len(finding.sequence.cases)) == (1, 1)
    assert finding.kind == "defect"
    assert [one.id for one in done.saved] == [finding.id]
    assert done.service.resets >= 2


def test_what_does_not_come_again_is_no_finding():
    done = confirming(ONE, answer=failing(200))
    assert not done.confirmed.findings
    assert not done.saved
    assert len(done.confirmed.unconfirmed) == 1


def test_what_comes_now_and_then_is_tried_more_often_and_is_flaky():
    done = confirming(ONE, answer=failing(500, 200, 200))
    (finding,) = done.confirmed.findings
    assert finding.kind == "flaky"
    assert (finding.reproduced, finding.reproduction_tries) == (2, DOUBTFUL_TRIES)
    assert finding.found_with == 0


def test_a_stop_leaves_the_rest_unconfirmed_and_unsent():
    done = confirming(ONE, TWO, answer=failing(500), stop=True)
    assert done.service.requests == 0
    assert len(done.confirmed.unconfirmed) == 2


def test_a_target_that_breaks_down_ends_it_with_a_word():
    def answer(_sequence: Sequence) -> int:
        raise TargetError("the reset failed")

    done = confirming(ONE, TWO, answer=answer)
    assert done.confirmed.trouble == "the reset failed"
    assert len(done.confirmed.unconfirmed) == 2


def test_a_dropped_connection_is_confirmed_by_a_target_that_answers_others():
    done = confirming(answer=failing(0), candidates=dropped(ONE))
    (finding,) = done.confirmed.findings
    assert finding.verdict.check == "no_answer"


def test_a_failure_on_what_was_there_in_mid_run_is_shown_on_things_made_for_it():
    live = replace(TWO.cases[0], intent=Intent(kind="adversarial", breaks="x", live=True))
    moved = Sequence(cases=(case(MAKE, "/invoices", setup=True), live))

    def answer(sequence: Sequence) -> int:
        return 500 if len(sequence.cases) == 2 else 404

    alone = confirming(Sequence(cases=(live,)), answer=answer)
    assert not alone.confirmed.findings
    done = confirming(Sequence(cases=(live,)), answer=answer, elsewhere=lambda _: moved)
    (finding,) = done.confirmed.findings
    assert finding.sequence == moved


def test_a_target_that_is_gone_confirms_nothing():
    done = confirming(answer=failing(0), gone=True, candidates=dropped(ONE))
    assert not done.confirmed.findings
    assert len(done.confirmed.unconfirmed) == 1
    assert "127.0.0.1:1" in done.confirmed.trouble
    assert done.service.requests == 0


def test_errors_with_one_frame_are_one_finding_that_lists_its_operations():
    done = confirming(ONE, TWO, answer=failing(500), log=True)
    (finding,) = done.confirmed.findings
    assert finding.cause == "KeyError at app/store.py:load"
    assert finding.title == "fails with 500: KeyError at app/store.py:load"
    assert {finding.operation_id, *finding.operations} == {MAKE, PAY}
    assert {one.id for one in done.saved} == {finding.id}
    apart = confirming(ONE, TWO, answer=failing(500))
    assert len(apart.confirmed.findings) == 2


@pytest.mark.parametrize("needed", [1, 7])
def test_making_shorter_keeps_to_its_budget(needed):
    wanted = tuple(case(MAKE, f"/made/{n}") for n in range(needed))
    setup = tuple(case(READ, f"/invoices/{n}", setup=True) for n in range(60))
    given = Sequence(cases=(*setup, *wanted, case(PAY, "/pay")))

    def answer(sequence: Sequence) -> int:
        paths = {one.request.path for one in sequence.cases}
        return 500 if all(one.request.path in paths for one in wanted) else 200

    kept = Sequence(
        cases=tuple(
            one
            if one.setup or index == len(given.cases) - 1
            else case(MAKE, one.request.path, setup=True)
            for index, one in enumerate(given.cases)
        )
    )
    done = confirming(kept, answer=answer)
    (finding,) = done.confirmed.findings
    assert finding.found_with == len(given.cases)
    assert len(finding.sequence.cases) < finding.found_with / 2
    assert done.service.requests <= MINIMISE_REQUESTS_MAX + 2 * len(given.cases)
