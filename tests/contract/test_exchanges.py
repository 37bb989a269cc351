from __future__ import annotations

from hashlib import shake_128

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premortem.domain.traffic import Exchange, Request, Response, Tags
from premortem.errors import InputError
from premortem.store import Added, TrafficFilter, open_store
from premortem.store.blocks import BLOCK_PLAIN_BYTES_MAX
from premortem.store.exchanges import BATCH_MAX, PAGE_MAX
from tests.store.values import an_exchange

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
pairs = st.lists(st.tuples(texts, texts), max_size=4).map(tuple)
bodies = st.one_of(st.binary(max_size=400), st.binary(min_size=1, max_size=9).map(lambda b: b * 99))
exchanges = st.builds(
    Exchange,
    request=st.builds(
        Request, method=texts, origin=texts, path=texts, query=pairs, headers=pairs, body=bodies
    ),
    response=st.builds(Response, status=st.integers(100, 599), headers=pairs, body=bodies),
    started_at=st.floats(allow_nan=False, allow_infinity=False, width=32),
    duration_ms=st.floats(0, 1e9),
    tags=st.builds(Tags, client=texts, session=texts, trace_id=texts, role=texts, edition=texts),
)


@pytest.fixture(scope="module")
def long_lived(backend, tmp_path_factory):
    directory = tmp_path_factory.mktemp("store")
    with open_store(backend.config(), directory, environment={}) as opened:
        yield opened, {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given=st.lists(exchanges, min_size=1, max_size=8))
def test_any_exchange_comes_back_as_it_was(long_lived, given):
    store, seen = long_lived
    store.add_exchanges(given)
    for exchange in given:
        # The id leaves out tags and headers of answers: of two with one id the first is kept.
        seen.setdefault(exchange.id, exchange)
    asked = list(dict.fromkeys(exchange.id for exchange in given))
    assert store.exchanges_by_id(asked) == {i: seen[i] for i in asked}
    assert list(store.exchanges_by_id(asked)) == asked


def test_everything_of_an_exchange_comes_back(store):
    exchange = an_exchange(1, text="Zoë \x00 “q”", answer=bytes(range(256)) * 20)
    store.add_exchanges([exchange])
    assert store.exchange(exchange.id) == exchange


def test_importing_the_same_again_adds_nothing(store):
    recorded = [an_exchange(n) for n in range(30)]
    assert store.add_exchanges(recorded) == Added(added=30, duplicates=0)
    assert store.add_exchanges([*recorded, an_exchange(99)]) == Added(added=1, duplicates=30)
    assert store.traffic_count() == 31


def test_the_same_exchange_twice_in_one_import_is_stored_once(store):
    assert store.add_exchanges([an_exchange(1)] * 3) == Added(added=1, duplicates=2)


def test_nothing_to_add_is_no_mistake(store):
    assert store.add_exchanges([]) == Added(added=0, duplicates=0)
    assert list(store.exchanges()) == []
    assert store.traffic() == []


def test_exchanges_come_by_start_and_then_by_order_of_import(store):
    late, early, same = (
        an_exchange(1, started_at=20.0),
        an_exchange(2, started_at=10.0),
        an_exchange(3, started_at=20.0),
    )
    store.add_exchanges([late, early, same])
    assert list(store.exchanges()) == [early, late, same]


def test_the_times_of_the_latest_exchanges_are_listed_alone(store):
    given = [an_exchange(number) for number in range(5)]
    store.add_exchanges(given)
    times = sorted(exchange.started_at for exchange in given)
    assert store.times(99) == times
    assert store.times(2) == times[-2:]


def test_a_store_of_many_pages_is_read_whole_and_in_order(store):
    # Two starts for many exchanges, so that pages end among equal ones.
    count = PAGE_MAX * 2 + 7
    recorded = [an_exchange(n, started_at=float(n % 2)) for n in range(count)]
    store.add_exchanges(recorded)
    assert list(store.exchanges()) == sorted(recorded, key=lambda e: e.started_at)
    assert list(store.exchanges(limit=PAGE_MAX + 3)) == list(store.exchanges())[: PAGE_MAX + 3]


def test_reading_ends_although_exchanges_are_added_meanwhile(store):
    store.add_exchanges(an_exchange(n) for n in range(PAGE_MAX + 1))
    seen = 0
    for exchange in store.exchanges():
        seen += 1
        if seen % 50 == 0:
            store.add_exchanges([an_exchange(10_000 + seen, text=exchange.id)])
    assert seen == PAGE_MAX + 1


def test_what_was_read_before_a_broken_file_broke_is_stored(store):
    def broken():
        for n in range(BATCH_MAX + 5):
            yield an_exchange(n)
        raise InputError("the recording ends here")

    with pytest.raises(InputError):
        store.add_exchanges(broken())
    assert store.traffic_count() == BATCH_MAX + 5


def test_equal_bodies_are_stored_once(store):
    document = b"a long document " * 100
    store.add_exchanges(an_exchange(n, body=document, answer=document) for n in range(50))
    assert store.stats().bodies == 1
    store.add_exchanges([an_exchange(99, body=document, answer=document + b"!")])
    assert store.stats().bodies == 2


@pytest.mark.parametrize("around", [-1, 0, 1])
def test_bodies_around_the_size_of_a_block_come_back(store, around):
    body = bytes(n * n % 251 for n in range(BLOCK_PLAIN_BYTES_MAX + around))
    recorded = [
        an_exchange(1, body=body, answer=b"short" * 50),
        an_exchange(2, body=body[::-1], answer=body + body[1:]),
    ]
    store.add_exchanges(recorded)
    assert list(store.exchanges()) == recorded


def test_a_body_of_50_megabytes_comes_back(store):
    body = shake_128(b"a body").digest(50_000_000)
    recorded = [an_exchange(1), an_exchange(2, answer=body), an_exchange(3)]
    store.add_exchanges(recorded)
    read = list(store.exchanges())
    assert read == recorded


def test_an_exchange_is_found_by_the_start_of_its_id(store):
    recorded = [an_exchange(n) for n in range(40)]
    store.add_exchanges(recorded)
    assert store.exchange(recorded[7].id[:12]) == recorded[7]
    with pytest.raises(InputError, match="no exchange 'zzz'"):
        store.exchange("zzz")
    with pytest.raises(InputError, match="more than one exchange starts with"):
        # 40 ids have 16 first digits among them.
        store.exchange(
            next(d for d in "0123456789abcdef" if sum(e.id[0] == d for e in recorded) > 1)
        )


@pytest.mark.parametrize("prefix", ["", "%", "_", "'", "\x00", "a" * 40])
def test_a_strange_id_is_an_unknown_id(store, prefix):
    store.add_exchanges([an_exchange()])
    with pytest.raises(InputError, match="no exchange"):
        store.exchange(prefix)


def test_unknown_ids_are_left_out(store):
    exchange = an_exchange()
    store.add_exchanges([exchange])
    assert store.exchanges_by_id(["0" * 16, exchange.id]) == {exchange.id: exchange}
    assert store.exchanges_by_id([]) == {}


FILTERS = [
    (TrafficFilter(), 6),
    (TrafficFilter(method="post"), 6),
    (TrafficFilter(method="GET"), 0),
    (TrafficFilter(host="api.example.org"), 6),
    (TrafficFilter(host="API.example.org:8443"), 6),
    (TrafficFilter(host="api.example"), 0),
    (TrafficFilter(host="%"), 0),
    (TrafficFilter(status="404"), 1),
    (TrafficFilter(status="4xx"), 2),
    (TrafficFilter(status="2XX"), 4),
    (TrafficFilter(role="CFO"), 1),
    (TrafficFilter(path="/invoices/*"), 6),
    (TrafficFilter(path="/invoices/3/*"), 1),
    (TrafficFilter(path="/invoices"), 0),
    (TrafficFilter(since=1_700_000_003.25), 3),
    (TrafficFilter(until=1_700_000_003.25), 3),
    (TrafficFilter(status="4xx", path="*/data", role="Cashier"), 2),
]


@pytest.mark.parametrize(("where", "count"), FILTERS, ids=lambda value: str(value)[:60])
def test_a_filter_narrows_lists_counts_and_readings_alike(store, where, count):
    recorded = [an_exchange(n) for n in range(3)]
    recorded += [an_exchange(3, status=404), an_exchange(4, status=422)]
    recorded += [an_exchange(5, role="CFO")]
    store.add_exchanges(recorded)
    assert store.traffic_count(where) == count
    assert len(list(store.exchanges(where=where))) == count
    assert [row.id for row in store.traffic(where)] == [e.id for e in store.exchanges(where=where)]
    assert len(list(store.exchanges(where=where, limit=2))) == min(2, count)


def test_a_list_goes_on_where_its_last_page_ended(store):
    recorded = [an_exchange(n) for n in range(10)]
    store.add_exchanges(recorded)
    for where in (TrafficFilter(), TrafficFilter(path="*")):
        pages = [store.traffic(where, limit=4, offset=offset) for offset in (0, 4, 8, 12)]
        assert [len(page) for page in pages] == [4, 4, 2, 0]
        assert [row.id for page in pages for row in page] == [e.id for e in recorded]
    row = store.traffic(limit=1)[0]
    assert (row.method, row.host, row.path) == (
        "POST",
        "api.example.org:8443",
        "/invoices/0/data",
    )
    assert row.bytes == len(recorded[0].request.body) + len(recorded[0].response.body)


def test_a_status_that_is_none_is_refused(store):
    with pytest.raises(InputError, match="write it like 404 or 4xx"):
        store.traffic(TrafficFilter(status="bad"))
