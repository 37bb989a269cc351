from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest
from sqlalchemy import event

from premortem.config import StoreConfig
from premortem.errors import DiskFull, StoreError, StoreLocked
from premortem.store import Store, open_store
from premortem.store.exchanges import BATCH_MAX
from premortem.store.keys import data_key
from premortem.store.sqlite import SqliteDatabase
from tests.shared import ROOT
from tests.store.values import a_profile, an_exchange

CONFIG = StoreConfig(lock_wait_s=0.1)


def opened(directory):
    return open_store(CONFIG, directory, environment={})


def in_another_process(script: str, directory, *, expect: int = 0) -> str:
    prelude = """
        import os, sys
        from pathlib import Path
        from premortem.config import StoreConfig
        from premortem.errors import PremortemError
        from premortem.store import open_store
        from tests.store.values import an_exchange
        store = open_store(StoreConfig(), Path(sys.argv[1]), environment={})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(script), directory],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stdout


def test_an_import_that_is_killed_leaves_whole_batches_and_a_store_that_opens(tmp_path):
    script = f"""
        def killed():
            for n in range({BATCH_MAX} * 2 + 500):
                yield an_exchange(n, answer=str(n).encode() * 200)
            os._exit(9)
        store.add_exchanges(killed())
    """
    in_another_process(script, tmp_path, expect=9)
    with opened(tmp_path) as store:
        recorded = [an_exchange(n, answer=str(n).encode() * 200) for n in range(BATCH_MAX * 2 + 9)]
        assert list(store.exchanges()) == recorded[: BATCH_MAX * 2]
        assert store.integrity() > 0
        assert store.add_exchanges(recorded).added == 9


def test_a_full_disk_is_said_and_what_was_committed_stays(tmp_path):
    # A limit on the size of files acts like a full disk, for this one process.
    script = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
        try:
            store.add_exchanges(
                an_exchange(n, answer=os.urandom(1500)) for n in range({BATCH_MAX} * 10)
            )
        except PremortemError as error:
            print(type(error).__name__, error)
        print(store.traffic_count())
    """
    said = in_another_process(script, tmp_path).splitlines()
    assert said[0].startswith("DiskFull no room left while writing")
    stored = int(said[1])
    assert stored
    assert stored % BATCH_MAX == 0
    with opened(tmp_path) as store:
        assert len(list(store.exchanges())) == stored
        assert store.integrity() > 0
        assert store.add_exchanges([an_exchange(99_999)]).added == 1


def test_a_full_database_is_a_full_disk(tmp_path):
    opened(tmp_path).close()
    database = SqliteDatabase(tmp_path / CONFIG.path, lock_wait_s=0.1)
    event.listen(database.engine, "connect", lambda c, _: c.execute("PRAGMA max_page_count = 60"))
    key = data_key(database, key_file=tmp_path / CONFIG.key_file, environment={}, now=0.0)
    with Store(database, key, clock=float) as store:
        store.add_exchanges([an_exchange(1)])
        with pytest.raises(DiskFull, match="free some space"):
            store.add_exchanges([an_exchange(2, answer=os.urandom(1_000_000))])
        assert list(store.exchanges()) == [an_exchange(1)]
        store.add_exchanges([an_exchange(3)])


def test_another_process_that_writes_locks_writers_out_but_not_readers(tmp_path):
    with opened(tmp_path) as store:
        store.add_exchanges([an_exchange(1)])
        other = sqlite3.connect(tmp_path / CONFIG.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked, match=r"waited 0\.1 s"):
            store.add_exchanges([an_exchange(2)])
        with pytest.raises(StoreLocked):
            store.save_profile(a_profile())
        assert list(store.exchanges()) == [an_exchange(1)]
        with opened(tmp_path) as second:
            assert second.traffic_count() == 1
        other.execute("COMMIT")
        other.close()
        assert store.add_exchanges([an_exchange(2)]).added == 1


def test_a_second_process_that_waits_a_moment_gets_its_turn(tmp_path):
    with open_store(StoreConfig(lock_wait_s=10), tmp_path, environment={}) as store:
        other = sqlite3.connect(
            tmp_path / CONFIG.path, isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, other.execute, ["COMMIT"])
        timer.start()
        assert store.add_exchanges([an_exchange(1)]).added == 1
        timer.join()
        other.close()


def test_two_processes_that_import_at_once_both_succeed(tmp_path):
    opened(tmp_path).close()
    script = "store.add_exchanges(an_exchange(n) for n in range({}, {}))"
    threads = [
        threading.Thread(
            target=in_another_process, args=(script.format(first, first + 1500), tmp_path)
        )
        for first in (0, 1000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened(tmp_path) as store:
        assert store.traffic_count() == 2500
        assert store.integrity() > 0


def test_a_store_of_a_newer_version_is_left_alone(tmp_path):
    opened(tmp_path).close()
    path = tmp_path / CONFIG.path
    with sqlite3.connect(path) as newer:
        newer.execute("INSERT INTO schema_version VALUES (99, 0)")
    newer.close()
    with pytest.raises(StoreError, match=r"newer premortem \(its schema is 99.*pip install -U"):
        opened(tmp_path)


def test_a_file_that_is_no_store_is_said(tmp_path):
    path = tmp_path / CONFIG.path
    path.parent.mkdir()
    path.write_bytes(b"a letter to my aunt " * 1000)
    with pytest.raises(StoreError, match=r"damaged or no store at all.*import the recordings"):
        opened(tmp_path)
    assert path.read_bytes() == b"a letter to my aunt " * 1000


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / CONFIG.path
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE aunts (name TEXT)")
    other.close()
    with pytest.raises(StoreError, match="database of another program"):
        opened(tmp_path)


def test_a_truncated_store_is_said(tmp_path):
    with opened(tmp_path) as store:
        store.add_exchanges(an_exchange(n, answer=os.urandom(500)) for n in range(1000))
    path = tmp_path / CONFIG.path
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreError, match="damaged"), opened(tmp_path) as store:
        list(store.exchanges())


def change(path, statement: str) -> None:
    with sqlite3.connect(path) as changed:
        changed.execute("PRAGMA foreign_keys = OFF")
        changed.execute(statement)
    changed.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocks SET payload = substr(payload, 1, 40)",
        "UPDATE blocks SET payload = x''",
        "UPDATE blocks SET payload = (SELECT payload FROM blocks AS b WHERE b.id != blocks.id)",
        "DELETE FROM blocks",
    ],
    ids=["shortened", "emptied", "swapped", "deleted"],
)
def test_a_block_that_was_tampered_with_is_noticed(tmp_path, statement):
    with opened(tmp_path) as store:
        store.add_exchanges([an_exchange(1, answer=b"x" * 1000)])
        assert store.integrity() > 0
    change(tmp_path / CONFIG.path, statement)
    if statement.startswith("DELETE"):
        with opened(tmp_path) as store, pytest.raises(StoreError, match="is gone"):
            list(store.exchanges())
        return
    with opened(tmp_path) as store:
        with pytest.raises(StoreError, match=r"block 0 of the store .* is damaged"):
            list(store.exchanges())
        with pytest.raises(StoreError, match=r"is damaged \(block 0 cannot be opened"):
            store.integrity()


def test_one_flipped_bit_is_noticed(tmp_path):
    with opened(tmp_path) as store:
        store.add_exchanges([an_exchange(1, answer=b"x" * 1000)])
    with sqlite3.connect(tmp_path / CONFIG.path) as changed:
        payload = bytearray(
            changed.execute("SELECT payload FROM blocks WHERE id = 0").fetchone()[0]
        )
        payload[len(payload) // 2] ^= 1
        changed.execute("UPDATE blocks SET payload = ? WHERE id = 0", [bytes(payload)])
    changed.close()
    with opened(tmp_path) as store, pytest.raises(StoreError, match=r"block 0 .* is damaged"):
        list(store.exchanges())


def test_a_row_that_refers_to_nothing_is_noticed(tmp_path):
    with opened(tmp_path) as store:
        store.add_exchanges([an_exchange(1, answer=b"x" * 1000)])
    change(tmp_path / CONFIG.path, "DELETE FROM pieces")
    with opened(tmp_path) as store, pytest.raises(StoreError, match="refers to nothing in pieces"):
        store.integrity()


def test_a_store_that_lost_its_key_entry_is_said(tmp_path):
    with opened(tmp_path) as store:
        store.add_exchanges([an_exchange(1)])
    change(tmp_path / CONFIG.path, "DELETE FROM keyring")
    with pytest.raises(StoreError, match="lost its key entry"):
        opened(tmp_path)


def test_a_place_where_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="name a writable file"):
        open_store(StoreConfig(path="file/store.db"), tmp_path, environment={})
    with pytest.raises(StoreError, match="name a writable file"):
        open_store(StoreConfig(path="."), tmp_path, environment={})
