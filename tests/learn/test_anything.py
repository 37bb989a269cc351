"""Whatever production sends, it is learned, merged and compared without a crash."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from premortem.analyse import difference_view, profile_view
from premortem.cli.context import out
from premortem.domain.traffic import Exchange, Profile, Response
from premortem.learn import compare_profiles, merge_profiles
from tests.learn.services import call
from tests.learn.test_profile import learn

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *("2026-05-01", "2026-05-01T10:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31"),
            *("EUR", "1e5", "-0", "12.50", "a@b.co", "rdxabc", "\x00", "*", "/", "~0"),
        ]
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1_760_000_000, 1_760_000_000_000, 0.1, -0.0, 1e308, 5e-324]),
    texts,
)
keys = st.one_of(texts, st.sampled_from(["id", "total", "items", "currency", "start", "end", "*"]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
messages = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.sampled_from(["/a", "/a/1000001", "/a/1000002", "/a/{}/b", "/%00", "//", "/ü"]),
    st.sampled_from([0, 200, 201, 204, 301, 404, 500, 999]),
    values,
    values,
    st.sampled_from(["all", "line", "request"]),
    st.lists(st.tuples(texts, texts), max_size=3),
)


def exchange(at: int, made) -> Exchange:
    method, path, status, asked, answered, recorded, query = made
    one = call(
        method,
        path,
        status=200 if recorded != "request" and not status else status,
        body=asked,
        answer=answered,
        at=at * 7.5,
        session=f"s{at % 3}",
        query=tuple(query),
    )
    if recorded == "line":
        bare = replace(one.request, body=b"", headers=())
        one = replace(one, request=bare, response=Response(status=one.response.status))
    if recorded == "request":
        one = replace(one, response=Response(status=0))
    return replace(one, recorded=recorded)


@given(st.lists(messages, max_size=12), st.integers(1, 13))
@settings(max_examples=25, deadline=None)
def test_any_traffic_is_learned_merged_and_compared(made, repeats):
    exchanges = [exchange(at, one) for at, one in enumerate(made * repeats)]
    middle = len(exchanges) // 2
    one, other = learn(exchanges[:middle]), learn(exchanges[middle:])
    joined = merge_profiles(one, other, now=1.0)
    assert joined.exchanges == len(exchanges)
    assert sum(o.count for o in joined.operations) == len(exchanges)
    assert all(a.status for o in joined.operations for a in o.answers)
    assert msgspec.json.decode(msgspec.json.encode(joined), type=Profile) == joined
    difference = compare_profiles(one, other)
    assert compare_profiles(one, one).changes == ()
    with out.capture():
        out.print(difference_view(difference, limit=50))
        out.print(profile_view(joined))
        for operation in joined.operations:
            out.print(profile_view(joined, operation=operation))


@pytest.mark.parametrize("number", ["1" + "0" * 400, "7" * 5000, "-1e308", "0.1e-300"])
def test_numbers_beyond_all_measure_are_learned(number):
    made = [call("POST", "/a", body={"a": 1}, at=n) for n in range(40)]
    made = [
        replace(e, request=replace(e.request, body=f'{{"a": {number}, "b": {n}}}'.encode()))
        for n, e in enumerate(made)
    ]
    profile = learn(made)
    assert merge_profiles(profile, profile, now=1.0).operations[0].count == 80
