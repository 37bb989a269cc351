from __future__ import annotations

import base64
import os
import stat

import pytest

from premortem.config import StoreConfig
from premortem.domain.proposal import Judgement
from premortem.errors import StoreError, WrongKey
from premortem.store import open_store
from tests.store.values import (
    a_case,
    a_finding,
    a_profile,
    a_rejection,
    a_result,
    a_run,
    a_scenario,
    a_scenario_verdict,
    a_sequence,
    an_exchange,
)

CONFIG = StoreConfig()
KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()


def opened(directory, **environment):
    return open_store(CONFIG, directory, environment=environment)


def test_the_first_use_makes_a_key_file_for_its_owner_alone(tmp_path):
    opened(tmp_path).close()
    key = tmp_path / CONFIG.key_file
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / CONFIG.path).stat().st_mode) == 0o600
    assert sorted(p.name for p in key.parent.iterdir()) == ["key", "store.db"]
    before = key.read_bytes()
    opened(tmp_path).close()
    assert key.read_bytes() == before


@pytest.mark.parametrize("key", [KEY, KEY.replace("+", "-").replace("/", "_"), "correct horse"])
def test_a_key_from_the_environment_opens_the_store_again_and_writes_no_file(tmp_path, key):
    exchange = an_exchange()
    with opened(tmp_path, PREMORTEM_KEY=key) as store:
        store.add_exchanges([exchange])
    with opened(tmp_path, PREMORTEM_KEY=key) as store:
        assert list(store.exchanges()) == [exchange]
    assert not (tmp_path / CONFIG.key_file).exists()


@pytest.mark.parametrize(("made_with", "tried"), [(KEY, OTHER), (KEY, "a phrase"), ("one", "two")])
def test_a_wrong_key_is_refused(tmp_path, made_with, tried):
    opened(tmp_path, PREMORTEM_KEY=made_with).close()
    with pytest.raises(WrongKey, match="PREMORTEM_KEY does not open"):
        opened(tmp_path, PREMORTEM_KEY=tried)


def test_a_lost_key_file_is_never_replaced(tmp_path):
    opened(tmp_path).close()
    key = tmp_path / CONFIG.key_file
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(WrongKey, match="which is not there"):
        opened(tmp_path)
    assert not key.exists()
    key.touch(0o600)
    with pytest.raises(WrongKey, match="which holds no key"):
        opened(tmp_path)
    key.write_bytes(kept)
    opened(tmp_path).close()


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    opened(tmp_path).close()
    key = tmp_path / CONFIG.key_file
    key.chmod(0o640)
    with pytest.raises(StoreError, match=r"open to other users \(mode 0640\); run `chmod 600"):
        opened(tmp_path)


def test_an_empty_key_in_the_environment_is_a_mistake(tmp_path):
    with pytest.raises(StoreError, match="set but empty"):
        opened(tmp_path, PREMORTEM_KEY="")


def test_a_key_file_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    config = StoreConfig(key_file="file/key")
    with pytest.raises(StoreError, match="key file"):
        open_store(config, tmp_path, environment={})


def test_the_redaction_key_is_the_same_each_time_and_another_one_for_each_store(tmp_path):
    keys = []
    for name in ("a", "a", "b"):
        with opened(tmp_path / name, PREMORTEM_KEY=KEY) as store:
            keys.append(store.redaction_key)
    assert len(keys[0]) == 32
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def fill(store, text: str) -> None:
    long = text + os.urandom(3000).hex()
    store.add_exchanges([an_exchange(1, text=text), an_exchange(2, answer=long.encode())])
    store.save_profile(a_profile(text=text))
    store.save_sequences("batch", [a_sequence(1, text=text)])
    store.save_rejections([a_rejection(1, text=text)])
    store.save_results("run", [a_result(1, text=text), a_result(2, case=a_case(9, text=long))])
    store.save_run(a_run(text=text))
    store.save_findings([a_finding(1, text=text)])
    store.save_scenario(a_scenario(text=text), a_scenario_verdict(text), 1.0)
    store.judgements.add([Judgement(scenario_id="a", decision="not_relevant", reason=text)])


def test_nothing_captured_can_be_read_in_the_files(tmp_path):
    # Random digits, which compression could not hide from this test.
    marker = "planted-" + os.urandom(12).hex()
    with opened(tmp_path) as store:
        fill(store, marker)
        files = [p for p in (tmp_path / ".premortem").iterdir() if p.name != "key"]
        while_open = b"".join(path.read_bytes() for path in files)
        assert any(path.name.endswith("-wal") for path in files)
    after = (tmp_path / CONFIG.path).read_bytes()
    for data in (while_open, after):
        assert marker.encode() not in data
        assert b"planted" not in data
        assert b"invoices" not in data
        # No compressed stream (RFC 8878, 3.1.1) lies there in the clear either.
        assert b"\x28\xb5\x2f\xfd" not in data
