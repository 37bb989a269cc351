"""Files of tests before they are written: what stood there, and what is to stand there.

Every emitter makes a Change and writes nothing; a Change is written, or becomes a patch. So a
repository that may not be written to still gets its tests, and nothing is written by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile

from msgspec import Struct

from premortem.domain.proposal import Artifact, ArtifactKind, TestKind
from premortem.errors import InputError

FILE_BYTES_MAX = 4 * 1024 * 1024
"""Larger files are no tests that people read."""
WRITE_BITS = 0o222
"""Of a file's mode; where all are gone, nothing is to be written, not even by root."""


class Change(Struct, frozen=True, kw_only=True):
    """A file as it is to be."""

    path: str
    """Below the output folder, with `/`."""
    before: bytes | None
    """What stands there; None: no such file."""
    after: bytes
    kind: ArtifactKind
    test_kind: TestKind | None = None
    names: tuple[str, ...] = ()
    """Scenario titles or test methods that it gains."""
    check: Callable[[bytes], None] | None = None
    """Reads what was written as its reader will. Raises InputError when that fails."""

    @property
    def artifact(self) -> Artifact:
        """The file as it is once the change was made."""
        if self.before == self.after:
            action = "unchanged"
        else:
            action = "created" if self.before is None else "patched"
        return Artifact(
            path=self.path,
            kind=self.kind,
            action=action,  # type: ignore[arg-type]
            test_kind=self.test_kind,
            names=self.names,
        )


def read(root: Path, path: str, *, bytes_max: int = FILE_BYTES_MAX) -> bytes | None:
    """What stands at PATH below ROOT; None: nothing. Raises InputError when it cannot be read."""
    place = placed(root, path)
    try:
        with place.open("rb") as file:
            data = file.read(bytes_max + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {place}: {error.strerror}") from None
    if len(data) > bytes_max:
        raise InputError(f"{place} has more than {bytes_max} bytes, which is the most that is read")
    return data


def text_of(data: bytes | None, path: object) -> str:
    """DATA as text. Raises InputError where it is not UTF-8."""
    try:
        return (data or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8 first") from None


def newline_of(text: str) -> str:
    """The line break that TEXT uses."""
    return "\r\n" if "\r\n" in text else "\n"


def placed(root: Path, path: str) -> Path:
    """PATH below ROOT. Raises InputError for one that leads out of it."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise InputError(f"{path!r} is no path below {root}; give one without `..`")
    place = root.joinpath(*relative.parts)
    if not place.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{place} leads out of {root} by a link; nothing was written")
    return place


def write(root: Path, change: Change) -> Artifact:
    """Make CHANGE below ROOT, all of it or nothing, and read it back as its reader will.

    Raises InputError when the file changed meanwhile, cannot be written, or does not read back;
    then what stood there stands there.
    """
    place = placed(root, change.path)
    if change.before == change.after:
        return change.artifact
    if change.check is not None:
        change.check(change.after)
    if (place.read_bytes() if place.exists() else None) != change.before:
        raise InputError(f"{place} changed while tests were made for it; give the command again")
    replace(place, change.after)
    return change.artifact


def write_all(root: Path, changes: Sequence[Change]) -> tuple[Artifact, ...]:
    """Make CHANGES below ROOT; when one cannot be made, those before it are taken back."""
    made: list[Change] = []
    artifacts: list[Artifact] = []
    folders = {place for change in changes for place in _missing(placed(root, change.path).parent)}
    for change in changes:
        try:
            artifacts.append(write(root, change))
        except InputError:
            _take_back(root, made)
            for folder in sorted(folders, reverse=True):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
            raise
        made.append(change)
    return tuple(artifacts)


def _missing(folder: Path) -> Iterator[Path]:
    """FOLDER and those above it, as far as they are not there."""
    while not folder.exists():
        yield folder
        folder = folder.parent


def _take_back(root: Path, made: Iterable[Change]) -> None:
    for change in made:
        place = placed(root, change.path)
        if change.before == change.after:
            continue
        if change.before is None:
            place.unlink(missing_ok=True)
        else:
            replace(place, change.before)


def replace(path: Path, data: bytes) -> None:
    """All of DATA at PATH or nothing: a half-written file helps nobody."""
    part = ""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        above = next(folder for folder in path.absolute().parents if folder.exists())
        # To replace a file asks no leave of it; whoever took its write bits away meant it.
        if not mode & WRITE_BITS or not above.stat().st_mode & WRITE_BITS:
            raise PermissionError(13, "it is read-only")
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False, suffix=".part") as file:
            part = file.name
            file.write(data)
        made = Path(part)
        made.chmod(mode)
        made.replace(path)
    except OSError as error:
        if part:
            Path(part).unlink(missing_ok=True)
        raise InputError(
            f"cannot write {path}: {error.strerror}; name a folder that may be written, "
            f"or take the tests as a patch"
        ) from None
