"""A run with goals: each slice is made with what came of those before."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from premortem.domain.goals import Goals
from premortem.domain.live import PlanSlice
from premortem.domain.run import Case, Fault, Plan, Result, Sent
from premortem.domain.traffic import Response
from premortem.errors import InputError
from premortem.pipeline.run import Reported, execute, prepare
from premortem.pipeline.supplying import Supply
from premortem.run import Gathered
from tests.pipeline.conftest import Project

REQUESTS = 600
GOALS = Goals(coverage=True, slice_requests=100)
PLAN = Plan(rate_per_second=400.0, connections=4, requests_max=REQUESTS, dynamic="80%", goals=GOALS)


def slice_of(number: int) -> PlanSlice:
    return PlanSlice(number=number, first=number * 100, count=100, start_s=0, end_s=0)


def answered(case: Case, status: int) -> Sent:
    body = b'{"error": "busy"}' if status >= 400 else b'{"id": "abc-123"}'
    headers = (("content-type", "application/json"),)
    return Sent(request=case.request, response=Response(status=status, headers=headers, body=body))


def results_of(sequences, status: int = 200) -> tuple[Result, ...]:
    return tuple(
        Result(case=case, sequence_id=s.id, position=i, sent=answered(case, status))
        for s in sequences
        for i, case in enumerate(s.cases)
    )


def test_a_correct_service_is_accused_of_nothing_and_every_case_ends_once(project: Project):
    project.switch()
    with project.opened() as store:
        prepared = prepare(PLAN, config=project.config, store=store)
        results: list[Result] = []
        for event in execute(prepared, config=project.config, store=store, stop=threading.Event()):
            if isinstance(event, Gathered):
                results += event.results
    assert isinstance(event, Reported)
    summary = event.summary
    assert [finding.title for finding in event.findings] == []
    assert summary.planned == REQUESTS
    assert summary.answered + summary.faulted + summary.unknown + summary.left == REQUESTS
    assert len(results) == REQUESTS - summary.left, "every result comes back"
    roads = Counter(r.case.origin.operator for r in results if not r.case.setup)
    assert roads["several at once"], "requests that were news are altered further"


def test_a_slice_waits_for_what_came_of_those_before_the_last(project: Project):
    with project.opened() as store:
        supply = Supply(PLAN, config=project.config, store=store)
        first = supply.cases(slice_of(0))
        assert not supply.waits()
        second = supply.cases(slice_of(1))
        assert supply.waits()
        *most, last = results_of(first)
        supply.gathered(Gathered(results=(*most, *results_of(second[:1]))))
        assert supply.waits()
        lost = Fault(kind="reset", detail="", sent=True)
        faulted = Sent(request=last.case.request, fault=lost)
        unknown = Result(
            case=last.case, sequence_id=last.sequence_id, position=last.position, sent=faulted
        )
        supply.gathered(Gathered(results=(unknown,)))
        assert not supply.waits()


def test_the_same_answers_make_the_same_cases_whoever_was_quicker(project: Project):
    made = []
    for backwards in (False, True):
        with project.opened() as store:
            supply = Supply(PLAN, config=project.config, store=store, clock=lambda: 1.7e9)
            slices = []
            for number in range(4):
                sequences = supply.cases(slice_of(number))
                slices.append([case.id for s in sequences for case in s.cases])
                results = results_of(sequences)
                supply.gathered(Gathered(results=results[::-1] if backwards else results))
            made.append(slices)
    assert made[0] == made[1]


def test_load_without_goals_waits_for_nothing(project: Project):
    with project.opened() as store:
        supply = Supply(
            Plan(requests_max=200, rate_per_second=100.0), config=project.config, store=store
        )
        supply.cases(slice_of(0))
        supply.cases(slice_of(1))
        assert not supply.waits()


def test_goals_for_an_operation_that_is_not_there_are_refused(project: Project):
    plan = Plan(requests_max=100, goals=Goals(coverage=True, operations=("GET /nowhere",)))
    with project.opened() as store, pytest.raises(InputError, match="no operation 'GET /nowhere'"):
        Supply(plan, config=project.config, store=store)
