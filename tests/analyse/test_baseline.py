from __future__ import annotations

import tomllib
from datetime import date

import pytest

from premortem.analyse import active, decide, load_baseline, save_baseline, until_date
from premortem.domain.run import Ignored
from premortem.errors import InputError
from tests.analyse.samples import finding

TODAY = date(2026, 11, 21)
OLD = finding(id="00000001", title='says "no"\n\x7f\\ and "\u2028"')
NEW = finding(id="00000002")


def ids(findings):
    return [f.id for f in findings]


def decided(fail_on, **more):
    return ids(decide([OLD, NEW], fail_on, baseline={OLD.id}, today=TODAY, **more))


def test_never_fails_never_any_fails_on_all_and_new_on_the_new():
    assert decided("never") == []
    assert decided("any") == [OLD.id, NEW.id]
    assert decided("new") == [NEW.id]


@pytest.mark.parametrize(
    ("until", "quiet"),
    [("", True), ("2026-11-21", True), ("2026-11-22", True), ("2026-11-20", False)],
)
def test_an_ignored_finding_is_quiet_up_to_its_day(until, quiet):
    ignored = {NEW.id: Ignored(finding_id=NEW.id, reason="known", until=until)}
    assert (decided("new", ignored=ignored) == []) is quiet
    assert (NEW.id in active(ignored, TODAY)) is quiet


def test_a_day_that_is_none_is_refused():
    with pytest.raises(InputError, match="2027-01-31"):
        until_date("soon")


@pytest.mark.parametrize("name", ["known.toml", "known.json"])
def test_what_is_written_is_read(tmp_path, name):
    path = tmp_path / name
    save_baseline(path, [NEW, OLD])
    assert load_baseline(path) == {OLD.id, NEW.id}
    save_baseline(path, [])
    assert load_baseline(path) == frozenset()


def test_titles_survive_toml(tmp_path):
    save_baseline(tmp_path / "k.toml", [OLD])
    known = tomllib.loads((tmp_path / "k.toml").read_text())
    assert known["finding"][0]["title"] == OLD.title


def test_without_a_file_nothing_is_known(tmp_path):
    assert load_baseline(tmp_path / "none.toml") == frozenset()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.toml", "finding = 3"),
        ("k.toml", "["),
        ("k.json", "{"),
        ("k.json", '{"finding": [{"title": 1}]}'),
        ("k.json", "\udcff"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused_by_name(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=name):
        load_baseline(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        save_baseline(tmp_path / "nowhere" / "k.toml", [NEW])
    with pytest.raises(InputError, match="cannot read"):
        load_baseline(tmp_path)
