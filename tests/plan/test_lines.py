"""Where in a TOML file a key stands."""

from __future__ import annotations

import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.plan.lines import line_at, lines_of

TEXT = """\
# a comment with [brackets] = "and = signs"
name = "x" # [load]
"quoted.key" = 1
a.b . "c d" = 2

long = \"\"\"
[not.a.table]
key = 1
\"\"\"\"
raw = '''
[[nor.this]]
''' # after
list = [ # of three
  "one", # ]
  [2, 3], { k = 'v', w.x = "]" }

]
[load]
points = [[0, 10],
          [60, 200]]
[[stop]]
when = "a > 1" # "
[[stop]]

when = 'b'
[stop.deep]
x = 1979-05-27 07:32:00
[ context . ranges."POST /x" ]
min = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("quoted.key",), 3),
        (("a", "b", "c d"), 4),
        (("a",), 4),
        (("long",), 6),
        (("raw",), 10),
        (("list",), 13),
        (("list", 0), 14),
        (("list", 1), 15),
        (("list", 2, "k"), 15),
        (("list", 2, "w", "x"), 15),
        (("load",), 18),
        (("load", "points"), 19),
        (("load", "points", 0), 19),
        (("load", "points", 1), 20),
        (("stop", 0), 21),
        (("stop", 0, "when"), 22),
        (("stop", 1), 23),
        (("stop", 1, "when"), 25),
        (("stop", 1, "deep", "x"), 27),
        (("context", "ranges", "POST /x"), 28),
        (("context", "ranges", "POST /x", "min"), 29),
    ],
    ids=str,
)
def test_every_key_is_found_where_it_stands(path, line):
    assert lines_of(TEXT)[path] == line


def test_what_is_not_there_is_looked_for_around_it():
    found = lines_of(TEXT)
    assert line_at(found, ("stop", 1, "for_s")) == 23
    assert line_at(found, ("hold", "value")) == 1


def paths(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*path, index)
            yield from paths(inner, (*path, index))


def test_nothing_that_tomllib_reads_is_left_out():
    assert set(paths(tomllib.loads(TEXT))) <= set(lines_of(TEXT))


SIGNS = (
    '"',
    "'",
    '"""',
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "#",
    "\n",
    " ",
    "\\",
)
WORDS = ("a", "b", "1", "true", "a = 1\n", "[t]\n", "[[s]]\n", 'k = "v"\n', "l = [1,\n2]\n")
pieces = st.sampled_from([*SIGNS, *WORDS])


@given(st.lists(pieces, max_size=30).map("".join))
def test_any_text_ends_and_valid_toml_is_known_throughout(text):
    found = lines_of(text)
    with suppress(tomllib.TOMLDecodeError):
        assert set(paths(tomllib.loads(text))) <= set(found)
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
