"""What can go wrong with a server, and that it is said without the password."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap

import psycopg
import pytest

from premortem.config import StoreConfig
from premortem.errors import ConfigError, DiskFull, StoreError, StoreLocked
from premortem.store import open_store
from premortem.store.exchanges import BATCH_MAX
from premortem.store.postgres import WRITER_LOCK, address_of, refuse_old
from tests.contract.server import PASSWORD
from tests.shared import ROOT
from tests.store.values import an_exchange


def opened(url: str, directory, **environment: str):
    return open_store(StoreConfig(url=url, lock_wait_s=0.2), directory, environment=environment)


def refused(url: str, directory, **environment: str) -> str:
    with pytest.raises((StoreError, ConfigError)) as caught:
        opened(url, directory, **environment)
    said = str(caught.value)
    assert PASSWORD not in said
    assert "hunter2" not in said
    return said


def test_a_password_comes_from_the_environment_and_may_hold_anything(server, tmp_path):
    server.run("CREATE ROLE strange LOGIN PASSWORD 'p@ss:/w?rd#1'")
    server.run("CREATE DATABASE strange OWNER strange")
    url = f"postgresql://strange:${{PGPASS}}@127.0.0.1:{server.port}/strange"
    with opened(url, tmp_path, PGPASS="p@ss:/w?rd#1") as store:
        assert store.add_exchanges([an_exchange(1)]).added == 1
        assert "p@ss" not in store.path
        assert "p@ss" not in store.stats().path
    with opened("${ALL}", tmp_path, ALL=server.database()) as store:
        assert store.traffic_count() == 0
    assert "PGPASS is not set" in refused(url, tmp_path)


def test_a_server_on_a_socket_is_a_store(server, tmp_path):
    server.run("CREATE DATABASE by_socket")
    url = f"postgresql://premortem:{PASSWORD}@/by_socket?host={server.folder}&port={server.port}"
    with opened(url, tmp_path) as store:
        assert store.add_exchanges([an_exchange(1)]).added == 1


def test_what_keeps_a_store_from_opening_is_said(server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = f"postgresql://premortem:hunter2@127.0.0.1:{port}/store"
    assert "cannot be reached" in refused(nobody, tmp_path)
    wrong = server.url().replace(PASSWORD, "hunter2")
    assert "the password or the user is wrong" in refused(wrong, tmp_path)
    assert "createdb" in refused(server.url("not_there"), tmp_path)
    server.run(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    assert "CREATE on the schema" in refused(server.url(user="guest"), tmp_path)
    assert "write it like postgresql://" in refused("postgresql://a:hunter2@b:port/x", tmp_path)
    assert "not supported" in refused("mysql://a:hunter2@b/x", tmp_path)


def test_a_database_of_another_program_and_a_newer_store_are_left_alone(server, tmp_path):
    url = server.database()
    name = url.rpartition("/")[2]
    server.run("CREATE TABLE aunts (name text)", database=name)
    assert "a database of another program" in refused(url, tmp_path)
    url = server.database()
    name = url.rpartition("/")[2]
    opened(url, tmp_path).close()
    server.run("INSERT INTO schema_version VALUES (99, 0)", database=name)
    assert "written by a newer premortem" in refused(url, tmp_path)


def test_an_old_server_is_refused():
    with pytest.raises(StoreError, match="is PostgreSQL 11; version 12 or newer"):
        refuse_old(110_022, name="postgresql://host/store")
    refuse_old(120_000, name="postgresql://host/store")


def test_one_writes_at_a_time_and_readers_go_on(server, tmp_path):
    url = server.database()
    with opened(url, tmp_path) as store, psycopg.connect(url) as other:
        store.add_exchanges([an_exchange(1)])
        other.execute(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
        with pytest.raises(StoreLocked, match=r"waited 0\.2 s"):
            store.add_exchanges([an_exchange(2)])
        assert list(store.exchanges()) == [an_exchange(1)]
        other.rollback()
        assert store.add_exchanges([an_exchange(2)]).added == 1


def test_two_processes_that_import_at_once_both_succeed(server, tmp_path):
    url = server.database()
    opened(url, tmp_path).close()
    script = """
        import sys
        from pathlib import Path
        from premortem.config import StoreConfig
        from premortem.store import open_store
        from tests.store.values import an_exchange
        first = int(sys.argv[3])
        with open_store(StoreConfig(url=sys.argv[1]), Path(sys.argv[2]), environment={}) as store:
            store.add_exchanges(an_exchange(n) for n in range(first, first + 1500))
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), url, str(tmp_path), str(first)],
            cwd=ROOT,
        )
        for first in (0, 1000)
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    with opened(url, tmp_path) as store:
        assert store.traffic_count() == 2500
        assert store.integrity() > 0


def test_a_connection_lost_in_an_import_keeps_what_was_whole(server, tmp_path):
    url = server.database()
    name = url.rpartition("/")[2]

    def cut():
        for number in range(BATCH_MAX + 500):
            if number == BATCH_MAX + 10:
                server.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    f"WHERE datname = '{name}'"
                )
            yield an_exchange(number)

    with opened(url, tmp_path) as store:
        # The pool notices before the next batch and connects anew: nothing is lost.
        assert store.add_exchanges(cut()).added == BATCH_MAX + 500
        with (
            pytest.raises(StoreError, match=r"connection to the store .* was lost"),
            store._database.writing() as connection,
        ):
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        assert store.traffic_count() == BATCH_MAX + 500
        assert store.integrity() > 0


def test_a_full_disk_is_said_and_what_was_committed_stays(server, tmp_path):
    with opened(server.database(), tmp_path) as store:
        store.add_exchanges([an_exchange(1)])
        with pytest.raises(DiskFull, match="free some space"), store._database.writing() as open_:
            open_.exec_driver_sql(
                "DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE='53100'; END $$"
            )
        assert list(store.exchanges()) == [an_exchange(1)]


def test_a_text_that_is_no_text_is_not_found(server, tmp_path):
    with opened(server.database(), tmp_path) as store:
        for text in ("\0", "é", "\ud800"):
            with pytest.raises(Exception, match=r"no (exchange|finding)"):
                store.exchange(text)
            with pytest.raises(Exception, match=r"no (exchange|finding)"):
                store.finding(text)


def test_an_address_keeps_its_options():
    url = address_of("postgresql://u:${P}@h:1/d?sslmode=require", environment={"P": "a b/c"})
    assert (url.password, url.query["sslmode"], url.port) == ("a b/c", "require", 1)
