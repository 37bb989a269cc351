"""Damaged recordings of every format: counted or named, never a crash or a wrong count."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from premortem.capture import FORMATS, CaptureCounts, ReadOptions, capture_recordings, detect
from premortem.config import Config
from premortem.errors import InputError
from tests.capture.recording import document, entry
from tests.capture.test_formats_recorded import FORM_OF, RECORDINGS

ROUNDS = 25
BYTES_MAX = 30_000
JUNK = (b"null", b"-1", b'"x"', b"[]", b"{}", b"1e400", b'""', b"\0", b"\xff\xfe", b"9" * 20, b"\n")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """DATA with a few stretches cut out, doubled, overwritten, or with values replaced."""
    out = bytearray(data[:BYTES_MAX])
    for _ in range(rng.randrange(1, 6)):
        start = rng.randrange(len(out) + 1)
        end = min(len(out), start + rng.randrange(1, 60))
        match rng.randrange(4):
            case 0:
                del out[start:end]
            case 1:
                out[start:end] = out[start:end] * rng.randrange(2, 5)
            case 2:
                out[start:end] = rng.choice(JUNK)
            case _:
                colon = out.find(b":", start)
                stop = out.find(b",", colon)
                out[colon + 1 : max(stop, colon + 1)] = rng.choice(JUNK)
    return bytes(out)


def taken_in(path: Path, form: str, counts: CaptureCounts) -> CaptureCounts:
    recordings = FORMATS[form].read(path, counts=counts, progress=None, options=ReadOptions())
    for _ in capture_recordings(
        recordings, config=Config(), redaction_key=b"k" * 32, counts=counts
    ):
        pass
    return counts


@pytest.mark.parametrize("name", sorted(FORM_OF))
def test_damage_is_counted_or_named(name, tmp_path):
    rng = random.Random(name)
    data = (RECORDINGS / name).read_bytes()
    path = tmp_path / "damaged"
    for _ in range(ROUNDS):
        path.write_bytes(damaged(data, rng))
        detect(path)
        counts = CaptureCounts()
        with suppress(InputError):
            taken_in(path, FORM_OF[name], counts)
            assert counts.read == counts.kept + counts.dropped.total() + counts.malformed_total


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"\xff" * 100, b"[" * 9999, b'{"a":' * 9999])
def test_what_is_no_recording_is_named_by_every_reader(form, data, tmp_path):
    path = tmp_path / "odd"
    path.write_bytes(data)
    assert detect(path) == ""
    with pytest.raises(InputError, match=str(path)):
        taken_in(path, form, CaptureCounts())


def test_an_entry_that_is_no_utf8_is_counted(tmp_path):
    path = tmp_path / "a.har"
    whole = document([entry(), entry(method="PÖST"), entry()])
    path.write_bytes(whole.replace(b"P\\u00d6ST", b"P\xd6ST"))
    counts = taken_in(path, "har", CaptureCounts())
    assert counts.kept == 2
    assert [place for place, _ in counts.malformed] == [1]
