"""Whatever a filter says, it says the same as looking at every exchange; on both backends."""

from __future__ import annotations

import re
import time
from fnmatch import translate

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premortem.store import TrafficFilter, open_store
from premortem.store.blocks import BlockReader
from premortem.store.cipher import Cipher
from premortem.store.exchanges import Traffic
from premortem.store.listing import Listing
from premortem.store.path_pages import PathPages
from premortem.store.path_text import BREAK, LineGlob, breaks_of
from premortem.store.paths import SHAPES_MAX, SIBLINGS_MAX, Glob, Shapes
from premortem.store.purge import Wanted
from premortem.store.query import Counted
from premortem.store.store import opened_database
from tests.store.values import an_exchange

segments = st.sampled_from(
    ["a", "b", "invoices", "inv_1", "inv_12", "inv_2", "v1", "7", "", "x" * 50]
)
paths = st.lists(segments, min_size=1, max_size=5).map(lambda s: "/" + "/".join(s))
globs = st.lists(
    st.one_of(
        segments, st.sampled_from(["*", "?", "inv_*", "*1", "[a-c]", "[!a]", "**", "i*s", "["])
    ),
    min_size=1,
    max_size=5,
).map("/".join)


def exchange_at(number: int, path: str, *, status: int = 200, role: str = "", hour: int = 0):
    made = an_exchange(number, status=status, role=role, started_at=hour * 3600.0 + number)
    return msgspec.structs.replace(made, request=msgspec.structs.replace(made.request, path=path))


@settings(max_examples=400, deadline=None)
@given(seen=st.lists(paths, max_size=12), path=paths, pattern=globs)
def test_a_shape_never_says_more_than_it_knows(seen, path, pattern):
    shapes = Shapes()
    for other in seen:
        shapes.add(shapes.of(other))
    shape = shapes.of(path)
    glob = Glob(pattern)
    matches = re.match(translate(pattern), path) is not None
    assert glob.matches(path) == matches
    fit = glob.fit(shape)
    assert fit == "some" or (fit == "all") == matches
    ways = glob.filled(shape)
    if matches and ways is not None:
        assert any(glob.fit(narrower) != "none" for _, _, narrower in ways)


def test_values_and_words_are_told_apart_by_form_and_by_number():
    shapes = Shapes()
    assert shapes.of("/v1/invoices/inv_1e4/pay") == ("", "v1", "invoices", 0, "pay")
    for number in range(SIBLINGS_MAX * 2):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        shapes.add(shapes.of(f"/users/{name}"))
    assert shapes.of("/users/somebody") == ("", "users", 0)
    assert len(shapes) <= SIBLINGS_MAX + 1


def test_shapes_have_an_end():
    shapes = Shapes()
    for number in range(SHAPES_MAX + 500):
        a, b = divmod(number, 90)
        letters = (chr(97 + a % 26) * (a // 26 + 1), chr(97 + b % 26) * (b // 26 + 1))
        shapes.add(shapes.of("/" + "/".join(letters)))
    assert len(shapes) <= SHAPES_MAX + 10
    assert shapes.of("/" + "/".join("abc" * 30))[-1] == 1


@pytest.fixture(scope="module")
def filled(backend, tmp_path_factory):
    made = []
    names = [
        "/invoices",
        "/invoices/inv_{}",
        "/invoices/inv_{}/pay",
        "/a/{}/b/{}",
        "/a/{}/b/{}/c/{}",
    ]
    for number in range(600):
        path = names[number % 5].format(number % 17, number % 7, number % 3)
        status = (200, 201, 404, 500)[number % 4]
        made.append(
            exchange_at(number, path, status=status, role="AB"[number % 2], hour=number % 9)
        )
    with open_store(backend.config(), tmp_path_factory.mktemp("s"), environment={}) as store:
        store.add_exchanges(made)
        yield store, sorted(made, key=lambda e: e.started_at)


def matching(made, where: TrafficFilter):
    glob = re.compile(translate(where.path or "*"))
    return [
        e
        for e in made
        if glob.match(e.request.path)
        and (not where.role or e.tags.role == where.role)
        and (not where.status or str(e.response.status)[0] == where.status[0])
        and (where.since is None or e.started_at >= where.since)
        and (where.until is None or e.started_at < where.until)
    ]


more_globs = st.one_of(
    globs,
    st.sampled_from(
        ["", "/invoices/*", "*/pay", "/invoices/inv_3", "*/inv_3", "/invoices/inv_3/*", "/a/3/b/3"]
    ),
    st.sampled_from(["/a/*/b/2", "/a/1/*", "*/c/1", "/invoices/inv_1*", "*/1/*", "/a/*/b/*"]),
)
wheres = st.builds(
    TrafficFilter,
    path=more_globs,
    role=st.sampled_from(["", "A", "B", "C"]),
    status=st.sampled_from(["", "2xx", "4xx", "3xx"]),
    since=st.one_of(st.none(), st.floats(-10, 33_000)),
    until=st.one_of(st.none(), st.floats(-10, 33_000)),
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=wheres, limit=st.integers(1, 50), offset=st.integers(0, 400))
def test_lists_counts_and_readings_hold_what_a_look_at_each_would(filled, where, limit, offset):
    store, made = filled
    wanted = matching(made, where)
    assert list(store.exchanges(where=where)) == wanted
    assert store.traffic_count(where) == len(wanted)
    assert store.traffic_counted(where).count == len(wanted)
    page = [row.id for row in store.traffic(where, limit=limit, offset=offset)]
    assert page == [e.id for e in wanted[offset : offset + limit]]


def test_a_count_that_would_read_too_many_paths_is_said_to_be_none(config, tmp_path):
    count = 6_000
    with open_store(config, tmp_path, environment={}) as store:
        store.add_exchanges(exchange_at(n, f"/orders/{n:06}") for n in range(count))
    database, key = opened_database(config, tmp_path, environment={}, clock=time.time)
    cipher = Cipher(key, path=database.name)
    traffic = Traffic(database, cipher, BlockReader(cipher))
    listing = Listing(database, traffic, count_limits=(2_000, 3_000))
    exact = listing.count(TrafficFilter(path="/orders/*"))
    assert (exact.count, exact.exact) == (count, True)
    even = TrafficFilter(path="/orders/*[02468]")
    half = listing.count(even)
    assert not half.exact
    assert half.count == pytest.approx(count / 2, rel=0.2)
    assert listing.exact_count(even) == count // 2
    few = TrafficFilter(path="*00[02468]*7*")
    assert not listing.count(few).exact
    enough = Listing(database, traffic, count_limits=(2_000, count))
    assert enough.count(few) == Counted(count=listing.exact_count(few), exact=True)
    database.close()


@settings(max_examples=600, deadline=None)
@given(
    held=st.lists(
        st.one_of(paths, st.text("ab/86\n.é", max_size=9)), min_size=1, max_size=12, unique=True
    ),
    pattern=st.one_of(globs, st.text("ab/86\n.é*?[]!-", max_size=9)),
    few=st.sampled_from([0, 2, 32]),
)
def test_a_glob_finds_in_a_text_of_paths_what_it_fits_singly(held, pattern, few):
    glob = LineGlob(pattern, few=few)
    lines = [path for path in held if BREAK not in path]
    text = BREAK + "".join(path + BREAK for path in lines)
    hits = glob.hits(text, breaks_of(text))
    found = [] if hits is None else [path for path, hit in zip(lines, hits, strict=True) if hit]
    assert found == [path for path in lines if re.match(translate(pattern), path)]
    for path in held:
        assert glob.matches(path) == (re.match(translate(pattern), path) is not None)


def test_paths_with_line_breaks_are_found_and_paths_of_later_imports_join_them(store):
    made = [exchange_at(n, p) for n, p in enumerate(["/a/1\n2", "/a/12", "/b/1\n2", "/a/\n"])]
    for exchange in made:
        store.add_exchanges([exchange])
    for pattern in ("/a/1*", "*1?2", "/a/?", "*2"):
        wanted = matching(made, TrafficFilter(path=pattern))
        assert list(store.exchanges(where=TrafficFilter(path=pattern))) == wanted
        assert store.traffic_count(TrafficFilter(path=pattern)) == len(wanted)


def test_matches_come_in_order_of_time_whatever_the_order_of_import(store):
    made = [exchange_at(n, f"/orders/o{n * 7919 % 6000}x") for n in range(4_500)]
    mixed = sorted(made, key=lambda e: e.request.path)
    store.add_exchanges(mixed[:3_000])
    store.add_exchanges(mixed[3_000:])
    where = TrafficFilter(path="*o1*5x", since=100, until=4_000)
    wanted = matching(made, where)
    assert list(store.exchanges(where=where)) == wanted
    for offset in (0, 9, 100, len(wanted) // 2, len(wanted) - 3, len(wanted)):
        page = [row.id for row in store.traffic(where, limit=7, offset=offset)]
        assert page == [e.id for e in wanted[offset : offset + 7]]


def test_what_a_purge_took_is_found_by_no_part_of_its_path(store):
    made = [exchange_at(n, f"/orders/o{n}x") for n in range(2_500)]
    store.add_exchanges(made)
    where = TrafficFilter(path="*9x")
    assert store.traffic_count(where) == 250
    store.purge(Wanted(before=made[2_000].started_at))
    assert [row.id for row in store.traffic(where)] == [e.id for e in made[2_009::10]]
    store.purge(Wanted(ids=tuple(e.id for e in made[2_400:])))
    again = exchange_at(9_009, "/orders/o77779x")
    store.add_exchanges([again])
    left = [*made[2_009:2_400:10], again]
    assert [row.id for row in store.traffic(where)] == [e.id for e in left]
    assert store.traffic_count(where) == len(left)
    assert store.integrity() > 0


def test_what_a_line_or_a_request_alone_recorded_comes_back_so(store):
    made = [
        msgspec.structs.replace(an_exchange(n), recorded=kind)
        for n, kind in enumerate(("all", "line", "request"))
    ]
    store.add_exchanges(made)
    assert [e.recorded for e in store.exchanges()] == ["all", "line", "request"]


def test_what_is_found_does_not_hang_on_what_stays_in_memory(config, tmp_path):
    made = [exchange_at(n, f"/orders/o{n}x") for n in range(3_500)]
    with open_store(config, tmp_path, environment={}) as store:
        store.add_exchanges(made)
    database, key = opened_database(config, tmp_path, environment={}, clock=time.time)
    cipher = Cipher(key, path=database.name)
    wanted = Traffic(database, cipher, BlockReader(cipher)).narrowed(TrafficFilter(path="*9x"))
    for pages in (PathPages(database, cipher), PathPages(database, cipher, cached_bytes_max=1)):
        for _ in range(2):
            assert len([seq for part in pages.found(wanted) for seq in part]) == 350
    database.close()
