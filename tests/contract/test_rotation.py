"""New keys: what opens a store before, while and after they change."""

from __future__ import annotations

import base64
import shutil
import stat

import msgspec
import pytest

from premortem.errors import StoreError, WrongKey
from premortem.store import rotate_key
from premortem.store.rotation import SEALED
from premortem.store.tables import metadata
from tests.store.test_keys import fill
from tests.store.values import a_profile, an_exchange

KEY, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_every_payload_is_known_to_the_change_of_keys():
    assert {t.name for t in metadata.sorted_tables if "payload" in t.c} == {t.name for t in SEALED}


@pytest.mark.parametrize("data", [False, True])
def test_the_new_key_opens_everything_and_the_old_one_nothing(config, reopened, tmp_path, data):
    with reopened(PREMORTEM_KEY=KEY) as store:
        fill(store, "text")
        tokens = store.redaction_key
        there = list(store.exchanges()), store.profile(), store.cases(), store.results("run")
    report = rotate_key(
        config,
        tmp_path,
        data=data,
        environment={"PREMORTEM_KEY": KEY, "PREMORTEM_NEW_KEY": NEW},
    )
    assert (report.key_source, report.reencrypted > 8) == ("PREMORTEM_NEW_KEY", data)
    with pytest.raises(WrongKey):
        reopened(PREMORTEM_KEY=KEY)
    with reopened(PREMORTEM_KEY=NEW) as store:
        found = list(store.exchanges()), store.profile(), store.cases(), store.results("run")
        assert found == there
        assert store.redaction_key == tokens
        assert store.integrity() > 0
        assert store.add_exchanges(there[0]).duplicates == 2


def test_a_key_file_is_replaced_for_its_owner_alone(config, reopened, tmp_path):
    with reopened() as store:
        store.add_exchanges([an_exchange(1)])
    path = tmp_path / config.key_file
    old = path.read_bytes()
    rotate_key(config, tmp_path, environment={})
    assert path.read_bytes() != old
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir() if "new" in p.name] == []
    with reopened() as store:
        assert list(store.exchanges()) == [an_exchange(1)]
    path.write_bytes(old)
    with pytest.raises(WrongKey):
        reopened()


def test_a_change_cut_off_before_the_key_file_is_ended_by_the_next_opening(
    config, reopened, tmp_path
):
    reopened().close()
    path = tmp_path / config.key_file
    old = path.read_bytes()
    rotate_key(config, tmp_path, environment={})
    # As if the process had ended after the store was written and before the file was.
    path.rename(path.with_name("key.new"))
    path.write_bytes(old)
    path.chmod(0o600)
    reopened().close()
    assert path.read_bytes() != old
    assert not path.with_name("key.new").exists()
    reopened().close()


def test_a_key_of_the_environment_needs_the_new_one_there(config, reopened, tmp_path):
    reopened(PREMORTEM_KEY=KEY).close()
    with pytest.raises(StoreError, match="put the new one into PREMORTEM_NEW_KEY"):
        rotate_key(config, tmp_path, environment={"PREMORTEM_KEY": KEY})
    reopened(PREMORTEM_KEY=KEY).close()


def test_encrypting_anew_goes_on_where_it_was_cut_off(config, reopened, tmp_path):
    given = [an_exchange(n, answer=str(n).encode() * 2000) for n in range(3000)]
    with reopened() as store:
        store.add_exchanges(given)
        store.save_profile(a_profile())
        blocks = store.stats().blocks

    def cut(done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_key(config, tmp_path, data=True, environment={}, progress=cut)
    with reopened() as store:
        # Meanwhile both keys are there: all can be read, and written.
        assert store.add_exchanges([an_exchange(9999)]).added == 1
        assert len(list(store.exchanges())) == 3001
        assert store.integrity() > blocks
    report = rotate_key(config, tmp_path, data=True, environment={})
    assert report.resumed
    assert report.reencrypted < blocks + 20
    with reopened() as store:
        assert list(store.exchanges()) == [*given, an_exchange(9999)]
        assert store.profile() == a_profile()
        assert len(store._key.blocks) == 1
    assert not rotate_key(config, tmp_path, data=True, environment={}).resumed


def test_who_has_the_store_open_meanwhile_writes_nothing_that_nobody_could_read(
    config, reopened, tmp_path
):
    with reopened() as store:
        store.add_exchanges([an_exchange(1)])
        rotate_key(config, tmp_path, data=True, environment={})
        with pytest.raises(StoreError, match=r"keys of the store .* were changed meanwhile"):
            store.add_exchanges([an_exchange(2)])
        with pytest.raises(StoreError, match="changed meanwhile"):
            store.save_profile(a_profile())


def test_the_old_wrapping_and_the_old_blocks_are_in_no_file(backend, config, reopened, tmp_path):
    if backend.name != "sqlite":
        pytest.skip("there the server's own files are looked at by the test of purge")
    with reopened() as store:
        store.add_exchanges(an_exchange(n, answer=str(n).encode() * 90) for n in range(500))
        with store._database.reading() as connection:
            wrapped = connection.exec_driver_sql("SELECT wrapped FROM keyring").scalar_one()
            sealed = connection.exec_driver_sql("SELECT payload FROM blocks").scalars().all()
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / ".premortem", copy / ".premortem")
    rotate_key(config, tmp_path, data=True, environment={})
    there = b"".join(p.read_bytes() for p in (tmp_path / ".premortem").iterdir() if p.name != "key")
    assert wrapped not in there
    assert not [payload for payload in sealed if payload[100:164] in there]
    # A copy that was made before is not taken back by any of this.
    before = msgspec.structs.replace(config, path=str(copy / config.path))
    with pytest.raises(WrongKey):
        rotate_key(before, tmp_path, environment={})
