"""Files that are not what they should be: one line that says what to do, and nothing lost."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from tests.cli.console import premortem
from tests.cli.recordings import entry, write_har

KNOWN = (400, 38)
"""What the project's store holds, and keeps."""
LARGE_BYTES = 50 * 1024 * 1024
MEMORY_BYTES_MAX = 500 * 1024 * 1024
"""For a body of 50 MB: the piece of the file that holds it, its text and its bytes."""


def test_a_truncated_recording_keeps_what_was_whole(project):
    whole = gzip.decompress((project.folder / "production.har.gz").read_bytes())
    (project.folder / "cut.har").write_bytes(whole[: len(whole) // 2])
    ran = premortem("capture", "har", "cut.har", "--store", "other.db")
    assert ran.code == 2, ran
    assert ran.out == ""
    [line] = ran.err.splitlines()
    assert "cut.har" in line
    kept = premortem("traffic", "--store", "other.db", "--json").json["total"]
    assert 100 < kept < 400
    assert project.counts() == KNOWN


def test_a_truncated_gzip_keeps_what_was_whole(project):
    packed = (project.folder / "production.har.gz").read_bytes()
    (project.folder / "cut.har.gz").write_bytes(packed[: len(packed) // 2])
    assert "cut.har.gz" in premortem("capture", "har", "cut.har.gz", "--store", "o.db").complaint
    assert premortem("traffic", "--store", "o.db", "--json").json["total"] > 50


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\x89PNG",
        b"{}",
        b"[]",
        b"null",
        b'{"log": {"entries": 3}}',
        b'{"log": ',
        b"GET / HTTP/1.1\r\n\r\n",
        b"[target]\nbase_url = 1\n",
        b"\x1f\x8b\x08garbage that claims to be gzip",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_file_that_is_no_recording_is_named(project, content):
    (project.folder / "bad.har").write_bytes(content)
    complaint = premortem("capture", "har", "bad.har").complaint
    assert "bad.har" in complaint
    assert project.counts() == KNOWN


def test_a_missing_recording_or_a_folder_is_named(project):
    assert "nothing.har" in premortem("capture", "har", "nothing.har").complaint
    empty = project.folder / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("nothing recorded")
    assert "no file in" in premortem("capture", "har", empty).complaint
    assert project.counts() == KNOWN


def test_one_bad_file_among_many_loses_none_of_the_others(project):
    base = "http://127.0.0.1:8000"
    write_har(project.folder / "good.har", [entry(base=base), entry("/more", base=base)])
    project.configure("[target]", '[capture]\nhosts = ["*"]\n[target]')
    ran = premortem("capture", "har", "good.har", "gone.har")
    assert "gone.har" in ran.complaint
    assert project.counts()[0] == 402


def test_malformed_entries_are_skipped_counted_and_listed(empty):
    good = entry(minute=1)
    odd = [
        None,
        17,
        {},
        {"request": {}},
        {**good, "startedDateTime": "yesterday"},
        {**good, "request": {**good["request"], "url": "http://[::1"}},
        {**good, "response": {**good["response"], "status": "fine"}},
        {**good, "response": {**good["response"], "content": {"text": "@@", "encoding": "base64"}}},
    ]
    write_har(empty / "odd.har", [entry(), *odd, good])
    ran = premortem("capture", "har", "odd.har")
    assert ran.code == 0
    assert f"{len(odd) + 2} read" in ran.out
    told = premortem("capture", "har", "odd.har", "--json").json
    assert told["malformed_total"] + sum(told["dropped"].values()) + told["duplicates"] == 10
    assert len([line for line in ran.err.splitlines() if "skipped entry" in line]) > 4


def test_binary_bodies_just_work(empty):
    blobs = [bytes(range(256)) * 40, b"\xff\xd8\xff\xe0" * 99, b"\x00" * 5000, gzip.compress(b"x")]
    entries = [
        entry(f"/files/{n}", body=blob, media_type="application/octet-stream", minute=n)
        for n, blob in enumerate(blobs)
    ]
    # Declared as something that it is not.
    entries.append(entry("/lies", body=b"\x80\x81\xfe", media_type="application/json", minute=9))
    write_har(empty / "binary.har", entries)
    assert "5 added" in premortem("capture", "har", "binary.har").out
    assert premortem("learn").code == 0
    for row in premortem("traffic", "--json").json["rows"]:
        assert premortem("traffic", row["id"]).code == 0
        assert premortem("traffic", row["id"], "--json").json["id"] == row["id"]
    assert premortem("profile").code == 0


def test_a_body_of_50_mb_is_left_out_and_counted_within_bounded_memory(empty):
    large = entry("/large", media_type="text/plain")
    words = "many words " * (LARGE_BYTES // 11)
    large["response"]["content"] = {"mimeType": "text/plain", "text": words}
    write_har(empty / "large.har", [entry(), large, entry("/last", minute=2)])
    code = (
        "import sys, resource; from premortem.cli.app import main\n"
        "def peak():\n"
        "    if sys.platform == 'darwin':\n"
        "        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        # ru_maxrss of a new process begins with what its parent had.
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(line.split()[1] for line in lines if line.startswith('VmHWM'))\n"
        "try: main(['capture', 'har', 'large.har', '--json'])\n"
        "finally: print(peak(), file=open('rss', 'w'))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["read"] == 3
    assert told["added"] == 3
    assert told["bodies_dropped"] == 1
    unit = 1 if sys.platform == "darwin" else 1024
    assert int((empty / "rss").read_text()) * unit < MEMORY_BYTES_MAX
    assert premortem("traffic", "--json").json["total"] == 3


def test_a_specification_that_cannot_be_read_names_the_place(project):
    document = json.loads((project.folder / "openapi.json").read_text())
    path = next(iter(document["paths"].values()))
    operation = next(iter(path.values()))
    operation["responses"]["200"] = {"$ref": "#/components/responses/Nowhere"}
    (project.folder / "openapi.json").write_text(json.dumps(document))
    complaint = premortem("learn").complaint
    assert "#/components/responses/Nowhere" in complaint
    assert "openapi.json" in complaint
    assert project.counts() == KNOWN


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("spec.yaml", b"openapi: 3.1.0\npaths: [unclosed\n"),
        ("spec.yaml", b"a: &a [*a]\n"),
        ("spec.yaml", b"- 1\n- 2\n"),
        ("spec.json", b"{'openapi': 1}"),
        ("spec.json", b""),
        ("spec.json", b"\xff\xfe\x00"),
        ("spec.json", b'{"openapi": "9.0", "paths": {}}'),
        ("spec.json", b'{"openapi": "3.1.0", "paths": 7}'),
        ("spec.yaml", b"openapi: 3.1.0\nx: !!python/object/apply:os.system ['true']\npaths: {}\n"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
def test_a_malformed_specification_is_named(project, name, content):
    (project.folder / name).write_bytes(content)
    assert name in premortem("learn", "--spec", name).complaint
    assert project.counts() == KNOWN


def test_a_missing_specification_is_named(project):
    assert "gone.json" in premortem("learn", "--spec", "gone.json").complaint
    project.configure('spec = "openapi.json"', 'spec = "moved.yaml"')
    assert "moved.yaml" in premortem("learn").complaint


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[target]", "[target", "premortem.toml"),
        ("disposable = true", 'disposable = "yes"', "disposable"),
        ("disposable = true", "disposible = true", "disposible"),
        ("[target.reset]", "[target.rest]", "rest"),
        ("[roles.CFO.login]", "[roles.CFO.logon]", "logon"),
        ("[target]", "[targets]", "targets"),
        ("[target]", "\x00", "premortem.toml"),
        ("[target]", "# \udcff", "premortem.toml"),
    ],
    ids=lambda value: ascii(value),
)
@pytest.mark.parametrize("command", ["traffic", "doctor"])
def test_a_malformed_configuration_names_file_and_key(project, old, new, told, command):
    text = project.config.read_text().replace(old, new)
    project.config.write_bytes(text.encode("utf-8", "surrogateescape"))
    ran = premortem(command)
    assert ran.code == 2
    said = ran.out + ran.err
    assert "premortem.toml" in said
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("rate_per_secnd = 3\n", "rate_per_secnd"),
        ("rate_per_second = -1\n", "rate_per_second"),
        ("rate_per_second = inf\n", "rate_per_second"),
        ('dynamic = "half"\n', "dynamic"),
        ("[sources]\nmagic = 3\n", "magic"),
        ("seed = -1\n", "seed"),
        ('operations = ["POST /unicorns"]\n', "unicorns"),
        ('profile = "ffff"\n', "ffff"),
        ('checks_off = ["spelling"]\n', "spelling"),
        ("[[[", "TOML"),
        ("in_flight_max = 0\n", "in_flight_max"),
        ("duration_s = 1e300\n", "duration_s"),
    ],
)
@pytest.mark.parametrize("command", [["run"], ["plan", "show"]], ids=" ".join)
def test_a_malformed_plan_names_the_key_before_anything_is_sent(project, content, told, command):
    project.configure(project.base, "http://127.0.0.1:9")
    (project.folder / "plan.toml").write_text(content)
    assert told in premortem(*command, "plan.toml").complaint


def test_a_missing_plan_points_to_plan_build(project):
    assert "premortem plan build" in premortem("run", "gone.toml").complaint
    assert "premortem plan build" in premortem("plan", "show").complaint


def test_output_that_cannot_be_written_is_named(project):
    assert "no/c.jsonl" in premortem("generate", "--count", "3", "--out", "no/c.jsonl").complaint
    (project.folder / "file").write_text("")
    assert "file/p.toml" in premortem("plan", "build", "--out", "file/p.toml").complaint
