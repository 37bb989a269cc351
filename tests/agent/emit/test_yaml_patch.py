import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from premortem.agent.emit.yaml_patch import documents, merged, updated
from premortem.errors import InputError

OWN = """# theirs
trace_id: t-1   # keep me
roles: [CFO]
list:
  - a  # first
  # between
  - b
# before tests
tests:
  - method: M1
    note: "quoted"
  - method: M2

last: 'x'
"""


def test_only_the_lines_of_a_changed_key_move():
    more = {"roles": ["CFO", "Guest"], "list": ["c"], "last": "y", "new": {"a": 1}}
    after = updated(OWN, more, path="it")
    expected = OWN.replace("[CFO]", "[CFO, Guest]").replace("  - b\n", "  - b\n  - c\n")
    assert after == expected.replace("last: 'x'\n", "last: y\nnew:\n  a: 1\n")


def test_an_entry_of_a_list_is_found_again_by_its_name():
    after = updated(OWN, {"tests": [{"method": "M2", "seen": 2}, {"method": "M3"}]}, path="it")
    assert yaml.safe_load(after)["tests"] == [
        {"method": "M1", "note": "quoted"},
        {"method": "M2", "seen": 2},
        {"method": "M3"},
    ]
    assert after.startswith(OWN.split("tests:")[0])
    assert after.endswith("\nlast: 'x'\n")


def test_the_same_again_changes_nothing():
    more = {"roles": ["Guest"], "tests": [{"method": "M2", "seen": 2}], "new": 1}
    after = updated(OWN, more, path="it")
    assert updated(after, more, path="it") == after


def test_line_ends_stay_as_they_are():
    after = updated(OWN.replace("\n", "\r\n"), {"list": ["c"], "new": ["d"]}, path="it")
    assert "\n" not in after.replace("\r\n", "")


def test_the_documents_of_a_file_keep_their_text():
    text = "# head\n---\na: 1\n---\n# b\nb: 2\n"
    parts = documents(text, path="it")
    assert "".join(part for part, _ in parts) == text
    assert [value for _, value in parts] == [{"a": 1}, {"b": 2}]
    assert documents("", path="it") == []
    assert documents("# nothing yet\n", path="it") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "mapping"),
        ("a: [\n", "cannot be read as YAML"),
        ("a: 1\n<<: {b: [2]}\n", "merged in"),
        ("{b: 1}\n", "in braces"),
    ],
)
def test_what_cannot_be_read_or_changed_is_said(text, said):
    with pytest.raises(InputError, match=said):
        updated(documents(text, path="it")[0][0], {"b": [3]}, path="it")


keys = st.sampled_from(["a", "b", "roles", "tests", "note"])
scalars = st.one_of(st.integers(-9, 9), st.booleans(), st.text("ab #:-'\"\n\u00e9", max_size=6))
values = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.dictionaries(keys, scalars, max_size=2)
)
mappings = st.dictionaries(keys, values, max_size=4)


@given(mappings, mappings, st.booleans())
def test_whatever_stands_there_the_change_is_all_that_changes(before, updates, flow):
    style = None if flow else False
    # A mapping of scalars alone would stand in braces; one with a list does not.
    text = yaml.safe_dump({**before, "z": [1]}, default_flow_style=style, sort_keys=False)
    before["z"] = [1]
    assert yaml.safe_load(updated(text, updates, path="it")) == merged(before, updates)
