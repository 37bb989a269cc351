"""Changes as one commit in the repository that they belong to.

Only the files of the changes go into it: what else is staged or edited stays as it is. When the
commit cannot be made, the files are as they were.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from premortem.agent.emit.files import WRITE_BITS, Change, placed, replace, write_all
from premortem.errors import InputError

GIT_S_MAX = 60.0
"""Hooks run in it; one that takes longer is not waited for."""
SAID_CHARACTERS_MAX = 600


def commit_changes(root: Path, changes: Sequence[Change], *, message: str) -> str:
    """Make CHANGES below ROOT and commit them; the commit's short name.

    Raises InputError when ROOT lies in no repository, one of the files has changes of its own
    that are not committed, or git refuses; then everything is as it was.
    """
    wanted = [change for change in changes if change.before != change.after]
    top = repository(root)
    paths = [str(placed(root, change.path).resolve().relative_to(top)) for change in wanted]
    _refuse_unready(top, paths)
    write_all(root, wanted)
    try:
        git(top, "add", "--", *paths)
        git(top, "commit", "--quiet", "--only", "--message", message, "--", *paths)
    except InputError:
        for change in wanted:
            _restore(root, change)
        git(top, "reset", "--quiet", "--", *paths, check=False)
        raise
    return git(top, "rev-parse", "--short", "HEAD").strip()


def repository(root: Path) -> Path:
    """The top of the repository that ROOT lies in. Raises InputError when it lies in none."""
    there = next(p for p in (root, *root.absolute().parents) if p.is_dir())
    try:
        return Path(git(there, "rev-parse", "--show-toplevel").strip()).resolve()
    except InputError as error:
        raise InputError(
            f"{root} lies in no git repository that can be used ({error}); "
            f"run `git init` there, or take the scenarios as a patch"
        ) from None


def git(top: Path, *arguments: str, check: bool = True) -> str:
    """What git prints. Raises InputError, with what it says, when it refuses and CHECK."""
    command = ["git", "-C", str(top), *arguments]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program; no shell sees the arguments
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GIT_S_MAX,
            check=False,
        )
    except FileNotFoundError:
        raise InputError("git is not installed; install it, or take a patch") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"`git {arguments[0]}` took longer than {GIT_S_MAX:.0f} s") from None
    if check and done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-SAID_CHARACTERS_MAX:]
        raise InputError(f"`git {arguments[0]}` refused: {said}")
    return done.stdout


def _refuse_unready(top: Path, paths: Sequence[str]) -> None:
    own = Path(git(top, "rev-parse", "--absolute-git-dir").strip())
    # Root may write anywhere; whoever took the write bits away meant it.
    if not own.stat().st_mode & WRITE_BITS or not os.access(own, os.W_OK):
        raise InputError(
            f"{own} is read-only, so nothing can be committed; make it writable, "
            f"or take the scenarios as a patch"
        )
    for name in ("MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD"):
        if (top / git(top, "rev-parse", "--git-path", name).strip()).exists():
            raise InputError(f"{top} is in the middle of a merge or rebase; end that first")
    changed = git(top, "status", "--porcelain", "--", *paths).splitlines() if paths else []
    if changed:
        names = ", ".join(line[3:] for line in changed[:3])
        raise InputError(
            f"{names} has changes that are not committed; commit or stash them first, "
            f"or take the scenarios as a patch"
        )


def _restore(root: Path, change: Change) -> None:
    place = placed(root, change.path)
    if change.before is None:
        place.unlink(missing_ok=True)
    else:
        replace(place, change.before)
