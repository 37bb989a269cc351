"""Changes as a patch that `git apply` takes, for repositories that may not be written to."""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from premortem.agent.emit.files import Change, read
from premortem.errors import InputError

PATCH_BYTES_MAX = 16 * 1024 * 1024
GIT_TIMEOUT_S = 30.0
_NO_NEWLINE = b"\n\\ No newline at end of file\n"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+,=@~-]+")


def git_patch(changes: Iterable[Change], *, folder: str = "") -> bytes:
    """CHANGES as a unified diff with git's headers, empty where nothing changes.

    FOLDER: the output folder as the repository knows it, with `/`. Raises InputError when the
    patch would be larger than PATCH_BYTES_MAX.
    """
    parts = [_file(change, folder) for change in changes if change.before != change.after]
    patch = b"".join(parts)
    if len(patch) > PATCH_BYTES_MAX:
        raise InputError(
            f"the patch has more than {PATCH_BYTES_MAX} bytes; write the files instead"
        )
    return patch


def patch_name(trace_id: str) -> str:
    """`patch-test-trace-0427.diff` for the trace `payments-2025-0427`."""
    last = re.split(r"[^A-Za-z0-9]+", trace_id.strip("-_. "))[-1]
    return f"patch-test-trace-{last or 'untraced'}.diff"


def patch_change(
    root: Path, path: str, changes: Sequence[Change], *, folder: str = "", repository: Path
) -> Change:
    """The patch file PATH below ROOT for CHANGES; `git apply --check` in REPOSITORY took it.

    Raises InputError when git refuses it, or there is nothing to patch.
    """
    patch = git_patch(changes, folder=folder)
    if not patch:
        raise InputError("there is nothing to patch: every test is there already")
    check_patch(patch, repository=repository)
    return Change(path=path, before=read(root, path), after=patch, kind="patch")


def check_patch(patch: bytes, *, repository: Path) -> None:
    """Have `git apply --check` read PATCH in REPOSITORY. Raises InputError when it refuses."""
    command = ["git", "-c", "core.autocrlf=false", "apply", "--check", "--whitespace=nowarn", "-"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, the patch on stdin
            command, cwd=repository, input=patch, capture_output=True, timeout=GIT_TIMEOUT_S
        )
    except FileNotFoundError:
        raise InputError("git is not on the path; install it to have patches checked") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"git could not check the patch in {repository}: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(f"git apply refuses the patch in {repository}: {said[0] if said else '?'}")


def _file(change: Change, folder: str) -> bytes:
    name = f"{folder}/{change.path}" if folder else change.path
    old, new = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    head = b"diff --git " + old + b" " + new + b"\n"
    if change.before is None:
        head += b"new file mode 100644\n"
        old = b"/dev/null"
    lines = _hunks(change.before or b"", change.after)
    if not lines:  # an empty file is made
        return head
    return head + b"--- " + old + b"\n+++ " + new + b"\n" + b"".join(lines)


def _hunks(before: bytes, after: bytes) -> list[bytes]:
    found = list(
        difflib.diff_bytes(
            difflib.unified_diff, _lines(before), _lines(after), b"", b"", lineterm=b"\n"
        )
    )[2:]
    return [line if line.endswith(b"\n") else line + _NO_NEWLINE for line in found]


def _lines(data: bytes) -> list[bytes]:
    """Lines as git counts them: broken by line feeds alone."""
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _quoted(path: str) -> bytes:
    """PATH as git writes it: in quotes, with octal escapes, where it is not plain."""
    if _PLAIN_PATH.fullmatch(path):
        return path.encode()
    shown = "".join(
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
        for byte in path.encode()
    )
    return f'"{shown}"'.encode()
