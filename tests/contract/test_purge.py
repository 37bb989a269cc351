"""What a purge takes out, what it leaves, and that the file forgets it."""

from __future__ import annotations

import os

import msgspec
import pytest

from premortem.domain.rejection import Rejection
from premortem.domain.run import Origin, Sequence
from premortem.domain.scenario import ScenarioOrigin
from premortem.domain.traffic import Flow
from premortem.store import TrafficFilter, Wanted
from premortem.store.blocks import BLOCK_PLAIN_BYTES_MAX
from premortem.store.exchanges import BATCH_MAX
from tests.store.values import (
    a_case,
    a_finding,
    a_profile,
    a_result,
    a_run,
    a_scenario,
    a_scenario_verdict,
    an_exchange,
)

AT = 1_700_000_000.25
"""When `an_exchange(0)` started; each next one a second later."""


def before(number: int) -> Wanted:
    return Wanted(before=AT + number)


def case_of(exchange, number: int = 1, **origin):
    return a_case(number, origin=Origin(source="replay", parents=(exchange.id,), **origin))


def recorded(count: int, **more):
    return [an_exchange(n, answer=f"answer {n} ".encode() * 60, **more) for n in range(count)]


def test_what_started_before_goes_and_the_rest_comes_back_as_it_was(store):
    given = recorded(2500)
    store.add_exchanges(given)
    assert store.purge_preview(before(1700)).exchanges == 1700
    assert store.traffic_count() == 2500
    report = store.purge(before(1700))
    assert report.took.exchanges == 1700
    assert report.bodies == 1700
    assert report.bytes_after < report.bytes_before
    assert list(store.exchanges()) == given[1700:]
    assert store.traffic_count() == 800
    assert store.stats().exchanges == 800
    assert store.integrity() > 0


def test_everything_can_go(store):
    given = recorded(30)
    store.add_exchanges(given)
    store.purge(before(99))
    stats = store.stats()
    assert (stats.exchanges, stats.bodies, stats.blocks) == (0, 0, 0)
    assert store.traffic() == []
    assert store.integrity() == 0
    assert store.add_exchanges(given).added == 30
    assert list(store.exchanges()) == given


def test_nothing_to_purge_is_no_mistake(store):
    store.add_exchanges(recorded(3))
    report = store.purge(before(0))
    assert (report.took.exchanges, report.bodies) == (0, 0)
    assert store.traffic_count() == 3


def test_one_exchange_goes_and_its_neighbours_in_the_block_stay(store):
    given = recorded(40)
    store.add_exchanges(given)
    store.purge(Wanted(ids=(given[17].id,)))
    assert list(store.exchanges()) == [*given[:17], *given[18:]]
    assert store.exchanges_by_id([given[17].id]) == {}
    assert store.integrity() > 0


def test_a_session_goes(store):
    given = [an_exchange(n, text="one" if n % 3 else "two") for n in range(30)]
    store.add_exchanges(given)
    assert store.purge(Wanted(session="two")).took.exchanges == 10
    assert list(store.exchanges()) == [e for e in given if e.tags.session == "one"]


def test_a_body_that_another_exchange_has_stays(store):
    document = b"a long document " * 100
    store.add_exchanges(an_exchange(n, answer=document) for n in range(4))
    assert store.purge(before(3)).bodies == 0
    assert [e.response.body for e in store.exchanges()] == [document]


@pytest.mark.parametrize("around", [-1, 0, 1])
def test_values_that_flow_through_many_blocks_come_back(store, around):
    size = BLOCK_PLAIN_BYTES_MAX * 2 + around
    given = [an_exchange(n, answer=os.urandom(size + n)) for n in range(6)]
    store.add_exchanges(given)
    store.purge(Wanted(ids=(given[1].id, given[4].id)))
    assert list(store.exchanges()) == [given[0], given[2], given[3], given[5]]
    assert store.integrity() > 0


def filled(store, old, new):
    """One thing of each kind made of OLD, one of NEW; profiles learned of each."""
    store.add_exchanges([old, new])
    for version, exchange in (("aaaaaaaaaaaa", old), ("bbbbbbbbbbbb", new)):
        flows = (Flow(exchange_ids=(exchange.id,), started_at=1.0),)
        store.save_profile(a_profile(version, flows=flows))
    for number, exchange in enumerate((old, new)):
        case = case_of(exchange, number)
        sequence = Sequence(cases=(a_case(10 + number, setup=True), case))
        store.save_sequences(f"batch {number}", [sequence])
        store.save_rejections([Rejection(case=case, rule="shape", reason=str(number))])
        setup = a_result(5 + number, case=sequence.cases[0])
        results = [setup, a_result(number, case=case)]
        same = [msgspec.structs.replace(r, sequence_id=sequence.id) for r in results]
        store.save_results("run", same)
        finding = a_finding(number)
        store.save_findings([msgspec.structs.replace(finding, sequence=sequence)])
        scenario = a_scenario(str(number))
        origin = ScenarioOrigin(parents=(exchange.id,))
        scenario = msgspec.structs.replace(scenario, origin=origin)
        store.save_scenario(scenario, a_scenario_verdict(), 1.0)
    store.save_run(a_run("run"))


def test_what_was_made_of_an_exchange_goes_with_it(store):
    old, new = an_exchange(0), an_exchange(9)
    filled(store, old, new)
    took = store.purge_preview(before(5))
    assert took == store.purge(before(5)).took
    assert took.profiles == ("aaaaaaaaaaaa",)
    assert (took.cases, took.rejections, took.results) == (2, 1, 2)
    assert (took.findings, took.scenarios) == (1, 1)
    assert [version for version, _, _ in store.profiles()] == ["bbbbbbbbbbbb"]
    assert [case.origin.parents for case in store.cases()] == [(new.id,)]
    assert [r.case.origin.parents for r in store.rejections()] == [(new.id,)]
    assert len(store.results("run")) == 2
    assert [f.id for f in store.findings()] == ["00000001"]
    assert [s.scenario.title for s in store.scenarios()] == ["1"]
    assert store.runs() == [a_run("run")]
    assert store.integrity() > 0


def test_values_drawn_with_a_profile_go_with_it(store):
    old = an_exchange(0)
    filled(store, old, an_exchange(9))
    drawn = Origin(source="sample", profile_version="aaaaaaaaaaaa")
    sequence = Sequence(cases=(a_case(77, origin=drawn),))
    store.save_sequences("sampled", [sequence])
    store.save_findings([msgspec.structs.replace(a_finding(7), sequence=sequence)])
    took = store.purge_preview(before(5))
    assert (took.cases, took.findings, took.findings_kept) == (3, 1, 1)
    assert store.purge_preview(before(5), strict=True).findings == 2
    assert store.purge_preview(Wanted(ids=(old.id,))).findings == 2


def test_a_large_body_of_a_case_that_stays_stays(store):
    body = bytes(range(256)) * 400
    store.add_exchanges([an_exchange(0, body=body), an_exchange(9)])
    kept = Sequence(cases=(a_case(5, body=body),))
    store.save_sequences("batch", [kept])
    store.purge(before(5))
    assert store.cases() == [kept.cases[0]]


def test_a_purge_that_was_cut_off_is_ended_by_the_next_one(store):
    given = recorded(BATCH_MAX * 3)
    store.add_exchanges(given)

    def cut(what: str, done: int) -> None:
        if what == "removing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.purge(before(2900), progress=cut)
    assert 0 < store.traffic_count() < 3000
    left = {e.id for e in store.exchanges()}
    assert left >= {e.id for e in given[2900:]}
    assert len(left) == store.traffic_count()
    assert store.integrity() > 0
    store.purge(before(2900))
    assert list(store.exchanges()) == given[2900:]
    assert store.stats().bodies == 100
    assert store.stats().blocks <= 4


def test_who_had_the_store_open_sees_what_is_there_now(store, reopened):
    store.add_exchanges(recorded(50))
    with reopened() as other:
        assert len(list(other.exchanges())) == 50
        store.purge(before(40))
        new = [an_exchange(n, text="another", role="CFO") for n in range(100, 130)]
        store.add_exchanges(new)
        assert list(other.exchanges())[10:] == new
        assert other.traffic_count(TrafficFilter(role="CFO")) == 30
        assert other.add_exchanges([an_exchange(500, role="Guest")]).added == 1
    assert store.traffic_count(TrafficFilter(role="Guest")) == 1


def test_the_bytes_of_what_was_purged_are_in_no_file(backend, store, config, tmp_path, request):
    if backend.name == "sqlite":
        folder = tmp_path / ".premortem"
        bytes_of = lambda: {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "key"}  # noqa: E731
    else:
        server = request.getfixturevalue("server")
        database = config.url.rpartition("/")[2]
        number = server.run(f"SELECT oid FROM pg_database WHERE datname = '{database}'")[0][0]
        folder = server.folder / "data" / "base" / str(number)

        def bytes_of():
            server.run("CHECKPOINT")
            return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}

    store.add_exchanges(an_exchange(n, answer=os.urandom(3000)) for n in range(300))
    with store._database.reading() as connection:  # what the file holds is asked of the file
        sealed = connection.exec_driver_sql("SELECT payload FROM blocks").scalars().all()
    parts = [bytes(payload)[at : at + 64] for payload in sealed for at in (40, 900, 2100)]
    parts = [part for part in parts if len(part) == 64]
    there = b"".join(bytes_of().values())
    assert sum(part in there for part in parts) >= len(parts) // 2
    store.purge(before(290))
    there = b"".join(bytes_of().values())
    assert not [part for part in parts if part in there]
    assert len(list(store.exchanges())) == 10
