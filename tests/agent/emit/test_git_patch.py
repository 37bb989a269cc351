import subprocess

import pytest

from premortem.agent.emit.files import Change, write_all
from premortem.agent.emit.git_patch import check_patch, git_patch, patch_change, patch_name
from premortem.errors import InputError

FILES = {
    "plain.feature": (b"a\nb\nc\n", b"a\nb\nc\nd\n"),
    "no newline.txt": (b"a\nb", b"a\nB"),
    "becomes whole.txt": (b"a", b"a\n"),
    "crlf.feature": (b"a\r\nb\r\n", b"a\r\nb\r\nc\r\n"),
    'tests/g\u00fcn "x".md': (b"1\n", b"2\n"),
    "new/file.yaml": (None, b"x: 1\n"),
    "empty.txt": (None, b""),
    "same.txt": (b"s\n", b"s\n"),
}


@pytest.fixture
def repository(tmp_path):
    top = tmp_path / "repo"
    top.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=top, check=True)
    for name, (before, _) in FILES.items():
        if before is not None:
            (top / "sub" / name).parent.mkdir(parents=True, exist_ok=True)
            (top / "sub" / name).write_bytes(before)
    return top


def changes(names=FILES):
    return [
        Change(path=name, before=FILES[name][0], after=FILES[name][1], kind="feature")
        for name in names
    ]


def test_git_applies_the_patch_to_the_same_files_that_writing_makes(repository, tmp_path):
    patch = git_patch(changes(), folder="sub")
    check_patch(patch, repository=repository)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=repository, input=patch, check=True
    )
    for name, (_, after) in FILES.items():
        assert (repository / "sub" / name).read_bytes() == after


def test_a_patch_that_does_not_fit_is_refused_before_it_is_written(repository, tmp_path):
    (repository / "sub" / "plain.feature").write_bytes(b"something else\n")
    with pytest.raises(InputError, match="git apply refuses"):
        patch_change(
            tmp_path, "p.diff", changes(["plain.feature"]), folder="sub", repository=repository
        )


def test_nothing_new_is_no_patch(repository, tmp_path):
    with pytest.raises(InputError, match="nothing to patch"):
        patch_change(tmp_path, "p.diff", changes(["same.txt"]), repository=repository)


@pytest.mark.parametrize(
    ("trace", "name"),
    [
        ("payments-2025-0427", "patch-test-trace-0427.diff"),
        ("prompt 12", "patch-test-trace-12.diff"),
        ("../../x", "patch-test-trace-x.diff"),
        ("", "patch-test-trace-untraced.diff"),
    ],
)
def test_a_patch_is_named_after_its_trace(trace, name):
    assert patch_name(trace) == name


def test_when_one_file_cannot_be_written_none_is(tmp_path):
    (tmp_path / "plain.feature").write_bytes(b"a\nb\nc\n")
    (tmp_path / "shut").mkdir(mode=0o555)
    there = [*changes(["plain.feature", "new/file.yaml"])]
    with pytest.raises(InputError, match="read-only"):
        write_all(tmp_path, [*there, Change(path="shut/x", before=None, after=b"", kind="log")])
    assert (tmp_path / "plain.feature").read_bytes() == b"a\nb\nc\n"
    assert not (tmp_path / "new" / "file.yaml").exists()


def test_nothing_is_written_outside_the_folder(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    for path in ("../x", "/x", "link/x", ""):
        with pytest.raises(InputError, match=r"no path below|leads out"):
            write_all(inside, [Change(path=path, before=None, after=b"", kind="log")])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
