"""`purge`, `archive` and `rotate-key` as a user gives them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from premortem.cli.keeping import moment
from premortem.errors import InputError
from tests.cli.console import premortem


def listed(*arguments: object) -> dict:
    return premortem("traffic", "--json", "--limit", 100_000, *arguments).json


def middle() -> str:
    """A time that half of the traffic is older than."""
    rows = listed()["rows"]
    at = (rows[len(rows) // 2 - 1]["started_at"] + rows[len(rows) // 2]["started_at"]) / 2
    return datetime.fromtimestamp(at, UTC).isoformat()


def test_a_purge_says_first_and_then_does_what_it_said(project):
    before = listed()["total"]
    told = premortem("purge", "--before", middle(), "--dry-run")
    assert told.code == 0
    assert "exchanges would go" in told.out
    assert "nothing was changed" in told.out
    assert listed()["total"] == before
    planned = premortem("purge", "--before", middle(), "--dry-run", "--json").json
    at = middle()
    done = premortem("purge", "--before", at)
    assert f"{planned['exchanges']:,} exchanges gone" in done.out
    assert "next: premortem learn" in done.out
    assert listed()["total"] == before - planned["exchanges"]
    assert premortem("learn").code == 0
    assert premortem("doctor").out.count("intact") == 1


def test_one_exchange_is_purged_by_the_start_of_its_id(project):
    row = listed()["rows"][3]
    report = premortem("purge", "--exchange", row["id"][:12], "--json").json
    assert report["took"]["exchanges"] == 1
    assert premortem("traffic", row["id"]).code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say what to purge"),
        (["--before", "2026-01-01", "--session", "x"], "one of them"),
        (["--before", "yesterday"], "write it like 2026-01-01"),
        (["--exchange", "zzz"], "no exchange 'zzz'"),
    ],
)
def test_a_purge_that_is_not_clear_changes_nothing(project, arguments, told):
    before = listed()["total"]
    assert told in premortem("purge", *arguments).complaint
    assert listed()["total"] == before


def test_an_archive_is_a_store_to_look_at_and_to_learn_from(project):
    before, at = listed()["rows"], middle()
    assert "exchanges moved" in premortem("archive", "--before", at, "--to", "old.db").out
    old, new = listed("--store", "old.db")["rows"], listed()["rows"]
    assert sorted(r["id"] for r in old + new) == sorted(r["id"] for r in before)
    assert max(r["started_at"] for r in old) < min(r["started_at"] for r in new)
    assert premortem("traffic", old[0]["id"], "--store", "old.db").code == 0
    assert premortem("learn", "--store", "old.db").code == 0
    # What was learned stays; a second time there is nothing to move.
    assert premortem("profile", "--json").code == 0
    assert premortem("archive", "--before", at, "--to", "old.db", "--json").json["moved"] == 0
    assert (
        "is the store itself"
        in premortem("archive", "--before", at, "--to", ".premortem/store.db").complaint
    )


def test_a_new_key_opens_what_the_old_one_opened(project):
    key = project.folder / ".premortem" / "key"
    old, rows = key.read_bytes(), listed()
    for options in ([], ["--data"]):
        assert "the store has a new key" in premortem("rotate-key", *options).out
        assert listed() == rows
    new = key.read_bytes()
    key.write_bytes(old)
    assert "does not open the store" in premortem("traffic").complaint
    key.write_bytes(new)
    assert listed() == rows


def test_nothing_is_made_where_there_is_no_store(empty):
    for command in (["purge", "--before", "2026-01-01"], ["rotate-key"]):
        assert "there is no traffic" in premortem(*command).complaint
    assert not (empty / ".premortem").exists()


def test_a_server_that_is_not_there_is_one_line_without_the_password(empty):
    url = "postgresql://me:hunter2@127.0.0.1:1/store"
    for command in (["traffic"], ["learn"], ["doctor"]):
        ran = premortem(*command, "--store", url)
        assert ran.code != 0
        assert "cannot be reached" in ran.out + ran.err
        assert "hunter2" not in ran.out + ran.err


def test_days_and_times_are_read_as_utc():
    assert moment("2026-01-01") == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert moment("2026-01-01T06:30") == datetime(2026, 1, 1, 6, 30, tzinfo=UTC).timestamp()
    assert moment("2026-01-01T06:30+02:00") == moment("2026-01-01T04:30Z")
    for text in ("", "1", "2026-13-01", "now", "2026-01-01T99"):
        with pytest.raises(InputError, match="not a day or a time"):
            moment(text)
