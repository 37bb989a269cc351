"""Changes become one commit, with nothing else in it; or everything is as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from premortem.agent.emit.files import Change
from premortem.agent.emit.git_commit import commit_changes
from premortem.errors import InputError


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def change(path: str, after: str, before: str | None = None) -> Change:
    old = before.encode() if before is not None else None
    return Change(path=path, before=old, after=after.encode(), kind="feature")


@pytest.fixture
def repository(tmp_path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Alex K")
    git(tmp_path, "config", "user.email", "alex@example.org")
    for name in ("there.feature", "mine.txt"):
        (tmp_path / name).write_text("old\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "start")
    return tmp_path


def test_new_and_changed_files_are_one_commit(repository):
    changes = [change("sub/new ü.feature", "n\n"), change("there.feature", "new\n", "old\n")]
    name = commit_changes(repository, changes, message="Add them\n\n- one")
    assert git(repository, "log", "-1", "--format=%h %s").split(maxsplit=1)[0] == name
    assert git(repository, "show", "--stat=200", "-z", "HEAD").count("|") == 2
    assert git(repository, "status", "--porcelain") == ""


def test_what_else_was_staged_or_edited_stays_so(repository):
    (repository / "mine.txt").write_text("staged\n")
    git(repository, "add", "mine.txt")
    (repository / "mine.txt").write_text("and edited\n")
    commit_changes(repository, [change("new.feature", "n\n")], message="Add it")
    assert git(repository, "show", "--name-only", "--format=", "HEAD").split() == ["new.feature"]
    assert git(repository, "status", "--porcelain") == "MM mine.txt\n"


def test_the_first_commit_of_a_repository_can_be_made(tmp_path):
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "A")
    git(tmp_path, "config", "user.email", "a@example.org")
    assert commit_changes(tmp_path, [change("a.feature", "a")], message="First")


def test_a_file_with_uncommitted_changes_is_not_swept_along(repository):
    (repository / "there.feature").write_text("edited\n")
    with pytest.raises(InputError, match=r"there\.feature has changes that are not committed"):
        commit_changes(repository, [change("there.feature", "new\n", "edited\n")], message="m")
    assert (repository / "there.feature").read_text() == "edited\n"


def test_a_refused_commit_leaves_everything_as_it_was(repository):
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on my watch' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = git(repository, "rev-parse", "HEAD")
    changes = [change("new.feature", "n\n"), change("there.feature", "new\n", "old\n")]
    with pytest.raises(InputError, match="not on my watch"):
        commit_changes(repository, changes, message="m")
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "status", "--porcelain") == ""
    assert (repository / "there.feature").read_text() == "old\n"
    assert not (repository / "new.feature").exists()


def test_in_the_middle_of_a_merge_nothing_is_written(repository):
    (repository / ".git" / "MERGE_HEAD").write_text(git(repository, "rev-parse", "HEAD"))
    with pytest.raises(InputError, match="in the middle of a merge"):
        commit_changes(repository, [change("new.feature", "n\n")], message="m")
    assert not (repository / "new.feature").exists()


def test_outside_of_a_repository_that_is_said(tmp_path):
    with pytest.raises(InputError, match="no git repository"):
        commit_changes(tmp_path / "features", [change("a.feature", "a")], message="m")


def test_an_ignored_file_is_not_left_behind(repository):
    (repository / ".gitignore").write_text("*.feature\n")
    with pytest.raises(InputError, match="ignored"):
        commit_changes(repository, [change("new.feature", "n\n")], message="m")
    assert not (repository / "new.feature").exists()


@pytest.mark.parametrize("folder", [".", ".git"])
def test_a_read_only_repository_is_said_to_root_too(repository, folder):
    place = repository / folder
    mode = place.stat().st_mode
    place.chmod(0o555)
    try:
        with pytest.raises(InputError, match=r"read-only.*patch"):
            commit_changes(repository, [change("new.feature", "n\n")], message="m")
    finally:
        place.chmod(mode)
    assert git(repository, "status", "--porcelain") == ""
    assert not (repository / "new.feature").exists()


def test_a_repository_that_another_git_holds_stays_as_it_was(repository):
    lock = repository / ".git" / "index.lock"
    lock.write_bytes(b"")
    changes = [change("new.feature", "n\n"), change("there.feature", "new\n", "old\n")]
    with pytest.raises(InputError, match=r"`git add` refused: .*index\.lock"):
        commit_changes(repository, changes, message="m")
    lock.unlink()
    assert git(repository, "status", "--porcelain") == ""
    assert (repository / "there.feature").read_text() == "old\n"
    assert not (repository / "new.feature").exists()
