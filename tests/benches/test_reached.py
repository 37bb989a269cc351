from __future__ import annotations

from benches.defects.reached import load, ran_lines, save

TEXT = """// a comment
function used() {
  return 1;
}
function unused() {
  return 2;
}
"""


def span(text: str, start: str, end: str, count: int) -> dict:
    first = text.index(start)
    return {
        "startOffset": first,
        "endOffset": text.index(end, first) + len(end),
        "count": count,
    }


def functions(text: str, *, unused: int) -> list[dict]:
    whole = {"startOffset": 0, "endOffset": len(text), "count": 1}
    inner = span(text, "function unused", "}", unused)
    return [{"ranges": [whole]}, {"ranges": [inner]}]


def test_lines_within_a_function_that_never_ran_are_not_reached():
    assert list(ran_lines(TEXT, [functions(TEXT, unused=0)])) == [2, 3]


def test_what_ran_in_one_process_ran():
    both = [functions(TEXT, unused=0), functions(TEXT, unused=4)]
    assert list(ran_lines(TEXT, both)) == [2, 3, 5, 6]


def test_a_branch_within_a_line_leaves_the_line_reached():
    text = "const a = b ? c : d;\n"
    never = span(text, "c", "c", 0)
    ranges = [{"startOffset": 0, "endOffset": len(text), "count": 1}, never]
    assert list(ran_lines(text, [[{"ranges": ranges}]])) == [1]


def test_what_was_reached_comes_back_as_it_was_saved(tmp_path):
    places = {("a.py", 1, 2), ("b.py", 3, -1)}
    save(places, tmp_path / "reached.json.gz")
    assert load(tmp_path / "reached.json.gz") == places
    assert load(tmp_path / "nothing") == set()
