"""Segments: written by many, read up to their end or their cut, kept within limits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from premortem.capture.spool import Limits, SpoolWriter, read_spool, retain, segments
from premortem.domain.traffic import Exchange, Request, Response
from premortem.errors import InputError
from tests.shared import ROOT

KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def exchange(number: int, *, size: int = 10) -> Exchange:
    return Exchange(
        request=Request(method="POST", origin="http://a", path=f"/{number}", body=os.urandom(size)),
        response=Response(status=200, body=b"{}"),
        started_at=1_700_000_000.0 + number,
        duration_ms=1.5,
    )


def writer(directory, clock, **limits) -> SpoolWriter:
    return SpoolWriter(directory, KEY, limits=Limits(**limits), now=clock)


def test_what_was_written_is_read_in_its_order(tmp_path):
    spool = writer(tmp_path / "spool", Clock())
    written = [exchange(number) for number in range(100)]
    for one in written:
        spool.write(one)
    spool.close()
    (segment,) = segments(tmp_path / "spool")
    assert list(read_spool(segment, key=KEY)) == written
    assert list(read_spool(tmp_path / "spool", key=KEY)) == written
    assert (spool.written, spool.closed) == (100, 1)


def test_a_segment_ends_with_its_size_and_with_its_time(tmp_path):
    clock = Clock()
    spool = writer(tmp_path, clock, rotate_bytes=400_000, rotate_s=60)
    for number in range(4):
        spool.write(exchange(number, size=300_000))
    assert spool.closed == 2
    spool.write(exchange(5))
    clock.now += 1
    spool.tick()
    assert spool.written == 5
    assert len(segments(tmp_path)) == 2, "one is being written"
    assert len(segments(tmp_path, waiting=False)) == 3
    clock.now += 60
    spool.tick()
    assert len(segments(tmp_path)) == 3


def test_an_exchange_is_on_the_disk_a_second_later(tmp_path):
    clock = Clock()
    spool = writer(tmp_path, clock)
    spool.write(exchange(1))
    spool.tick()
    assert spool.written == 0
    clock.now += 1
    spool.tick()
    (segment,) = segments(tmp_path, waiting=False)
    assert len(list(read_spool(segment, key=KEY))) == 1


def test_a_segment_is_read_up_to_its_cut(tmp_path):
    clock = Clock()
    spool = writer(tmp_path, clock)
    for number in range(5):
        spool.write(exchange(number))
        spool.flush()
    spool.close()
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    counts = set()
    for size in range(0, len(whole), 9):
        segment.write_bytes(whole[:size])
        counts.add(len(list(read_spool(segment, key=KEY))))
    assert counts == {0, 1, 2, 3, 4, 5}


def test_a_segment_whose_writer_died_waits_to_be_read(tmp_path):
    program = (
        "import os, time; from pathlib import Path\n"
        "from tests.capture.test_spool import KEY, exchange\n"
        "from premortem.capture.spool import Limits, SpoolWriter\n"
        f"w = SpoolWriter(Path({str(tmp_path)!r}), KEY, limits=Limits(), now=time.time)\n"
        "w.write(exchange(1)); w.flush(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT)
    (segment,) = segments(tmp_path)
    assert segment.suffix == ".open"
    assert len(list(read_spool(segment, key=KEY))) == 1


def test_changed_foreign_and_other_keys_segments_are_said(tmp_path):
    spool = writer(tmp_path, Clock())
    spool.write(exchange(1))
    spool.close()
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    with pytest.raises(InputError, match="another key"):
        list(read_spool(segment, key=b"x" * 32))
    for place in (40, len(whole) - 3):
        changed = bytearray(whole)
        changed[place] ^= 1
        segment.write_bytes(changed)
        with pytest.raises(InputError, match="damaged"):
            list(read_spool(segment, key=KEY))
    segment.write_bytes(b"GIF89a" + whole)
    with pytest.raises(InputError, match="not a spool"):
        list(read_spool(segment, key=KEY))
    with pytest.raises(InputError, match="cannot read"):
        list(read_spool(tmp_path / "none", key=KEY))


def test_blocks_cannot_be_left_out_or_moved(tmp_path):
    spool = writer(tmp_path, Clock())
    sizes = []
    for number in range(3):
        spool.write(exchange(number))
        spool.flush()
        sizes.append(next(iter(segments(tmp_path, waiting=False))).stat().st_size)
    spool.close()
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    segment.write_bytes(whole[: sizes[0]] + whole[sizes[1] :])
    with pytest.raises(InputError, match="damaged"):
        list(read_spool(segment, key=KEY))


def test_nothing_readable_is_on_the_disk(tmp_path):
    spool = writer(tmp_path, Clock())
    spool.write(
        replace(exchange(1), request=Request(method="GET", origin="http://secret", path="/"))
    )
    spool.close()
    (segment,) = segments(tmp_path)
    assert b"secret" not in segment.read_bytes()
    assert segment.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"keep_segments": 2}, 2),
        ({"keep_bytes": 250_000}, 2),
        ({"keep_s": 0.0}, 0),
        ({}, 5),
    ],
)
def test_the_oldest_segments_go_first_when_there_are_too_many(tmp_path, limits, left):
    clock = Clock()
    spool = writer(tmp_path, clock)
    for number in range(5):
        clock.now += 1
        spool.write(exchange(number, size=100_000))
        spool.rotate()
    # Written by now, whatever the clock of this test says.
    now = segments(tmp_path)[-1].stat().st_mtime + 1
    assert retain(tmp_path, Limits(**limits), now=now) == 5 - left
    kept = [one.request.path for one in read_spool(tmp_path, key=KEY)]
    assert kept == [f"/{number}" for number in range(5)][5 - left :]


def test_a_disk_that_takes_nothing_costs_what_could_not_be_written_and_no_more(tmp_path):
    clock = Clock()
    directory = tmp_path / "spool"
    spool = writer(directory, clock)
    spool.write(exchange(1))
    spool.rotate()
    directory.chmod(0o500)
    if os.access(directory, os.W_OK):
        directory.chmod(0o700)
        moved = directory.rename(tmp_path / "moved")
        directory.write_text("in the way")
        spool.write(exchange(2))
        with pytest.raises(OSError, match=r".+"):
            spool.flush()
        directory.unlink()
        moved.rename(directory)
    else:
        spool.write(exchange(2))
        with pytest.raises(OSError, match=r".+"):
            spool.flush()
        directory.chmod(0o700)
    spool.write(exchange(3))
    spool.close()
    assert (spool.written, spool.lost) == (2, 1)
    assert [one.request.path for one in read_spool(directory, key=KEY)] == ["/1", "/3"]
