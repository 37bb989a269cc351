"""What runs and scenarios cover of the ledger, filled as they go."""

from __future__ import annotations

import threading

import msgspec
import pytest

from premortem.domain.coverage import Cell
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Intent, Origin, Plan, Result, Sent, Sequence
from premortem.domain.traffic import Request, Response
from premortem.errors import InputError
from premortem.pipeline.asking import ask
from premortem.pipeline.covering import Covering, coverage_of
from premortem.pipeline.run import Reported, execute, prepare
from tests.pipeline.conftest import Project

REQUESTS = 120
PAY, READ = "POST /invoices/{invoice_id}/payments", "GET /payments/{payment_id}"


def run(project: Project, config=None, **more: object) -> Reported:
    config = config or project.config
    plan = Plan(rate_per_second=200.0, duration_s=60.0, requests_max=REQUESTS, seed=3, **more)
    with project.opened() as store:
        prepared = prepare(plan, config=config, store=store)
        stop = threading.Event()
        events = list(execute(prepared, config=config, store=store, stop=stop))
    assert isinstance(events[-1], Reported)
    return events[-1]


@pytest.fixture
def calm(project: Project) -> Project:
    project.switch()
    return project


def test_a_run_that_keeps_all_covers_what_it_sent(calm):
    summary = run(calm, keep_all=True).summary
    with calm.opened() as store:
        covered = store.coverage.of_run(summary.id)
        found = coverage_of(calm.config, store, run_id=summary.id)

    assert (covered.cases, covered.read) == (REQUESTS, REQUESTS)
    as_such = [c for c in covered.cells if not c.cell.place]
    assert sum(c.hits for c in as_such) == REQUESTS
    assert all(c.last_run == summary.id for c in covered.cells)
    assert {item.kind for item in covered.seen} == {"field", "link"}
    assert found.fields_seen > 100
    assert found.links_seen > 0
    assert found.whole.tried > 50


def test_what_was_not_kept_counts_for_its_operation(calm):
    summary = run(calm).summary
    with calm.opened() as store:
        covered = store.coverage.of_run(summary.id)

    as_such = [c for c in covered.cells if not c.cell.place]
    assert covered.cases == REQUESTS
    assert sum(c.hits for c in as_such) == REQUESTS
    unread = sum(c.hits for c in as_such if c.cell.role == "*")
    assert unread == REQUESTS - covered.read


def test_runs_with_one_profile_add_up(calm):
    with calm.opened() as store:
        version = store.profile().version
        before = store.coverage.of_profile(version)
    run(calm)
    with calm.opened() as store:
        after = store.coverage.of_profile(version)

    assert after.cases == (before.cases if before else 0) + REQUESTS


def test_production_itself_gives_the_weights(calm):
    with calm.opened() as store:
        found = coverage_of(calm.config, store)
        with pytest.raises(InputError, match="no run"):
            coverage_of(calm.config, store, run_id="nosuchrun")

    login = next(row for row in found.rows if row.operation_id == "POST /login")
    places = {row.place: row.classes for row in login.places}
    assert places["body:"]["typical"].production > 100
    weights = [gap.production for gap in found.untested]
    assert weights == sorted(weights, reverse=True)


def test_scenarios_cover_too(calm):
    question = "What if the amount is zero?"
    with calm.opened() as store:
        list(ask(question, config=calm.config, store=store))
        name = next(run for run in store.coverage.runs() if run.startswith("ask "))
        covered = store.coverage.of_run(name)

    zero = {c.cell.operation_id for c in covered.cells if c.cell.value_class == "out_of_range"}
    assert PAY in zero
    assert covered.read > 0


def test_the_targets_log_and_code_are_read_at_the_end(calm, tmp_path):
    report = '{"files": {"ledger/app.py": {"summary": {"num_statements": 9, "covered_lines": 7}}}}'
    (tmp_path / "coverage.json").write_text(report)
    config = msgspec.structs.replace(
        calm.config,
        target=msgspec.structs.replace(
            calm.config.target, log=str(tmp_path / "none.log"), trace=True
        ),
        coverage=msgspec.structs.replace(
            calm.config.coverage, code=str(tmp_path / "coverage.json")
        ),
    )
    summary = run(calm, config).summary
    with calm.opened() as store:
        covered = store.coverage.of_run(summary.id)

    assert [(c.file, c.lines_covered) for c in covered.code] == [("ledger/app.py", 7)]
    assert len(covered.notes) == 1
    assert "none.log" in covered.notes[0]


@pytest.mark.parametrize(
    ("method", "headers", "more"),
    [
        ("GET", (("authorization", "Bearer of-a-session"),), {}),
        ("GET", (("cookie", "sid=1"),), {"operator": "in a session"}),
        ("DELETE", (), {"breaks": "method DELETE"}),
        ("GET", (), {"breaks": "version /v1"}),
    ],
)
def test_what_says_nothing_of_its_role_does_not_count_for_nobody(calm, method, headers, more):
    with calm.opened() as store:
        profile = store.profile()
    case = Case(
        request=Request(method=method, origin="", path="/reports/summary", headers=headers),
        operation_id="GET /reports/summary",
        origin=Origin(source="scenario", operator=more.get("operator", "")),
        intent=Intent(kind="adversarial", breaks=more.get("breaks", "")),
    )
    covering = Covering(profile, run_id="r")
    sent = Sent(request=case.request, response=Response(status=200))
    covering.take([Result(case=case, sequence_id="", position=0, sent=sent)], lambda _: None)
    assert [c.cell.role for c in covering.finished((), at=1.0).cells] == ["*"]


def test_links_are_named_as_the_profile_names_them(calm):
    with calm.opened() as store:
        profile = store.profile()
    origin = Origin(source="sample")
    made = Case(
        request=Request(method="POST", origin="", path="/invoices/1/payments"),
        operation_id=PAY,
        origin=origin,
    )
    bound = Binding(
        step=0,
        select=Place(part="body", name="/id"),
        place=Place(part="path", name="1"),
        recorded="7",
    )
    read = Case(
        request=Request(method="GET", origin="", path="/payments/7"),
        operation_id=READ,
        origin=origin,
        bindings=(bound,),
    )
    sequence = Sequence(cases=(made, read))
    answer = Response(status=200, headers=(("content-type", "application/json"),), body=b"[1]")
    covering = Covering(profile, run_id="r")
    sent = Sent(request=read.request, response=answer)
    result = Result(case=read, sequence_id=sequence.id, position=1, sent=sent)
    covering.take([result], lambda _: sequence)
    covered = covering.finished((), at=1.0)

    (link,) = [item for item in covered.seen if item.kind == "link"]
    known = {f"{x.producer} {x.select} -> {x.place}" for x in profile.links if x.consumer == READ}
    assert link.name in known
    path = Cell(operation_id=READ, place="path:payment_id", value_class="typical")
    assert path in {c.cell for c in covered.cells}
