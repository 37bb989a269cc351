"""What breaks while a run goes on: connections, servers, keys, and what is taken out meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, update

from premortem.config import StoreConfig
from premortem.domain.run import Origin, Sequence
from premortem.errors import StoreError, StoreLocked, StoreUnavailable
from premortem.store import Wanted, open_store, rotate_key, tables
from tests.contract.server import started
from tests.store.queue_values import RUN, a_batch, a_job, a_live_run, a_slice
from tests.store.values import a_case, a_result, an_exchange

NOW, LEASE_S = 1000.0, 10.0


def begun(queue, jobs):
    last = max(job.first + job.count for job in jobs)
    queue.begin_run(a_live_run(planned=last), [a_slice(count=last)])
    queue.claim_slice(RUN, "c1", now=NOW, lease_s=LEASE_S)
    assert queue.cut_slice(RUN, 0, "c1", jobs) == "cut"


def take(queue, worker="w1"):
    return queue.take_job(RUN, worker, now=NOW, lease_s=LEASE_S)


def apply(queue, *batches):
    return queue.apply_batches(batches, now=NOW, lease_s=LEASE_S)


def worked_on(store, worker):
    """Take jobs and end them until there are none; how many, and which epochs."""
    done = []
    while (granted := take(store.queue, worker)) is not None:
        first, last = granted.job.first, granted.job.first + granted.job.count - 1
        batches = [
            a_batch(granted, 1, (first, first + 3)),
            a_batch(granted, 2, (first + 4, last), results=[a_result(first)], final=True),
        ]
        words = apply(store.queue, *batches)
        assert [word.fresh for word in words] == [True, True]
        done.append((granted.job.id, granted.epoch))
    return done


def test_controllers_that_contend_give_each_job_once(backend, tmp_path):
    # On a file they take turns; on a server each passes over what another has locked.
    config = backend.config(lock_wait_s=20.0)
    with open_store(config, tmp_path, environment={}) as store:
        begun(store.queue, [a_job(n) for n in range(40)])

        def controller(name):
            with open_store(config, tmp_path, environment={}) as own:
                return worked_on(own, name)

        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(controller, [f"w{n}" for n in range(4)]))
        done = [lease for part in parts for lease in part]
        assert sorted(done) == sorted((f"{RUN}/{n}", 1) for n in range(40))
        assert [c.count for c in store.queue.counts(RUN, ())] == [400]
        assert len(store.results(RUN)) == 40
        assert store.queue.stats(RUN).done == 40
        assert store.integrity() > 0


def test_a_server_that_is_restarted_in_mid_run_costs_nothing(tmp_path):
    with started() as server:
        config = StoreConfig(url=server.database(), lock_wait_s=5.0)
        with open_store(config, tmp_path, environment={}) as store:
            begun(store.queue, [a_job(0), a_job(1)])
            granted = take(store.queue)
            batch = a_batch(granted, 1, (0, 4))
            apply(store.queue, batch)
            server.stop()
            more = a_batch(granted, 2, (5, 9), results=[a_result(1)], final=True)
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match=r"start the server|was lost"):
                    apply(store.queue, batch, more)
            with pytest.raises(StoreUnavailable):
                take(store.queue)
            server.start()
            words = apply(store.queue, batch, more)
            assert [(word.accepted, word.fresh) for word in words] == [(True, False), (True, True)]
            assert take(store.queue).job.number == 1
            assert [c.count for c in store.queue.counts(RUN, ())] == [10]
            assert store.results(RUN) == [a_result(1)]


def test_a_connection_cut_within_a_transaction_leaves_nothing_of_it(server, tmp_path):
    config = StoreConfig(url=server.database(), lock_wait_s=20.0)
    with open_store(config, tmp_path, environment={}) as store:
        begun(store.queue, [a_job(0), a_job(1)])
        one, two = take(store.queue, "w1"), take(store.queue, "w2")
        batches = [a_batch(one, 1, (0, 9)), a_batch(two, 1, (10, 19))]
        with store._database.engine.connect() as holder:
            # The second job is held, so the transaction waits within its work.
            holder.execute(update(tables.jobs).where(tables.jobs.c.number == 1).values(run=1))
            caught: list[Exception] = []

            def applying():
                try:
                    apply(store.queue, *batches)
                except StoreError as error:
                    caught.append(error)

            thread = threading.Thread(target=applying)
            thread.start()
            query = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            database = config.url.rpartition("/")[2]
            while thread.is_alive() and not server.run(query, database=database)[0][0]:
                thread.join(0.01)
            thread.join(20)
            holder.rollback()
        assert [type(error) for error in caught] == [StoreUnavailable]
        assert store.queue.counts(RUN) == []
        assert [s.ended for s in store.queue.job_states(RUN)] == [(), ()]
        assert all(word.fresh for word in apply(store.queue, *batches))


def test_who_waits_too_long_for_a_job_is_told(server, tmp_path):
    config = StoreConfig(url=server.database(), lock_wait_s=0.05)
    with open_store(config, tmp_path, environment={}) as store:
        begun(store.queue, [a_job(0)])
        granted = take(store.queue)
        with store._database.engine.connect() as holder:
            holder.execute(update(tables.jobs).values(run=1))
            with pytest.raises(StoreLocked):
                apply(store.queue, a_batch(granted, 1, (0, 9)))
            holder.rollback()
        assert apply(store.queue, a_batch(granted, 1, (0, 9)))[0].done


def test_new_keys_open_what_is_in_the_queue(config, reopened, tmp_path):
    with reopened() as store:
        begun(store.queue, [a_job(n) for n in range(3)])
        granted = take(store.queue)
        apply(store.queue, a_batch(granted, 1, (0, 4)))
        store.queue.bury(f"{RUN}/1", lost_at_s=0.0, why="a person said so")
        store.queue.request_stop(RUN, reason="enough")
        old = store.queue.counts(RUN), store.queue.job_states(RUN), store.queue.run(RUN)
        rotate_key(config, tmp_path, data=True, environment={})
        with pytest.raises(StoreError, match="changed meanwhile"):
            apply(store.queue, a_batch(granted, 2, (5, 9)))
    with reopened() as store:
        assert len(store._key.blocks) == 1
        found = store.queue.counts(RUN), store.queue.job_states(RUN), store.queue.run(RUN)
        assert found == old
        assert apply(store.queue, a_batch(granted, 2, (5, 9)))[0].done
        assert store.integrity() == 0


def test_jobs_made_of_what_is_purged_are_dead(store):
    exchange, kept = an_exchange(1), an_exchange(2)
    store.add_exchanges([exchange, kept])
    jobs = []
    for number, made_of in enumerate((exchange, kept)):
        case = a_case(number, origin=Origin(source="replay", parents=(made_of.id,)))
        job = a_job(number, count=1, slots=[float(number)])
        jobs.append(
            type(job)(
                **{n: getattr(job, n) for n in job.__struct_fields__}
                | {"sequences": (Sequence(cases=(case,)),)}
            )
        )
    begun(store.queue, jobs)
    report = store.purge(Wanted(ids=(exchange.id,)))
    assert report.took.jobs == 1
    states = store.queue.job_states(RUN)
    assert [s.status for s in states] == ["dead", "untaken"]
    assert states[0].reason == "what its cases were made of was purged"
    assert take(store.queue).job == jobs[1]
    assert store.integrity() > 0


def test_a_damaged_queue_is_found(store):
    begun(store.queue, [a_job(0), a_job(1)])
    take(store.queue)
    with store._database.writing() as connection:
        first = tables.job_payloads.c.id == store.queue._row_of(f"{RUN}/0")
        connection.execute(update(tables.job_payloads).where(first).values(payload=b"x" * 40))
    with pytest.raises(StoreError, match=r"job \d+ cannot be opened"):
        store.integrity()
    with store._database.writing() as connection:
        connection.execute(delete(tables.job_payloads).where(first))
    with pytest.raises(StoreError, match="has not ended and nothing to send"):
        store.integrity()
