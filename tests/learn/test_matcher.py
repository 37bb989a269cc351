from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.template import Matcher, fill, parameter_names, split_path, split_template
from premortem.domain.traffic import Operation


def operation(text: str) -> Operation:
    method, template = text.split(" ", 1)
    return Operation(method=method, template=template)


def matched(path: str, *templates: str) -> str | None:
    method, path = path.split(" ", 1)
    found = Matcher(map(operation, templates)).match(method, path)
    return found and found.operation.id


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("GET /users/me", "GET /users/me"),
        ("GET /users/7", "GET /users/{id}"),
        ("GET /users/7.json", "GET /users/{id}.json"),
        ("GET /users/7/", "GET /users/{id}"),
        ("GET /users", None),
        ("GET /users/7/posts", None),
        ("POST /users/me", "POST /users/{name}"),
        ("GET /users/%6De", "GET /users/me"),
        ("GET /", "GET /"),
    ],
)
def test_a_concrete_segment_beats_a_pattern_beats_a_parameter(path, expected):
    templates = ("GET /users/me", "GET /users/{id}", "GET /users/{id}.json", "POST /users/{name}")
    assert matched(path, *templates, "GET /") == expected


def test_a_concrete_segment_that_leads_nowhere_hides_nothing():
    assert matched("GET /a/me/x", "GET /a/me/y", "GET /a/{id}/x") == "GET /a/{id}/x"


def test_a_match_tells_parameters_decoded_and_where_they_stand():
    match = Matcher([operation("GET /v1/{a}/x/{b}-{c}.txt")]).match("GET", "/v1/o%2Fne/x/p-q.txt")
    assert match.params == {"a": "o/ne", "b": "p", "c": "q"}
    assert match.segments == {"a": 1, "b": 3, "c": 3}


def test_filling_a_parameter_that_is_missing_names_it():
    with pytest.raises(KeyError, match="b"):
        fill("/{a}/{b}", {"a": "1"})


texts = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12)


@given(texts, texts)
def test_what_was_filled_in_is_found_again(first, second):
    template = "/a/{x}/b/{y}"
    path = fill(template, {"x": first, "y": second})
    match = Matcher([Operation(method="GET", template=template)]).match("GET", path)
    assert match.params == {"x": first, "y": second}
    assert len(split_path(path)) == len(split_template(template))


segments = st.sampled_from(["a", "b", "{x}", "{y}", "{z}.json"])


@given(st.lists(st.lists(segments, min_size=1, max_size=4, unique=True), min_size=1, max_size=8))
def test_every_template_matches_what_it_is_filled_to(lists):
    operations = {operation("GET /" + "/".join(parts)) for parts in lists}
    matcher = Matcher(operations)
    for one in operations:
        params = dict.fromkeys(parameter_names(one.template), "q1")
        assert matcher.match("GET", fill(one.template, params)) is not None
