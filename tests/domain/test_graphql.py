"""Two requests are one operation when they ask for the same fields with the same arguments."""

from __future__ import annotations

import json

import pytest

from premortem.domain.graphql import FIELDS_MAX, query_of, variant_of, variant_of_query
from premortem.domain.template import Matcher
from premortem.domain.traffic import Operation, Request

JSON = (("content-type", "application/json"),)
NAMED = "query Q($id: ID!) { invoice(id: $id) { id ...F } } fragment F on Invoice { total }"


def post(query: object, **more: object) -> Request:
    body = json.dumps({"query": query, **more}).encode()
    return Request(method="POST", origin="", path="/graphql", headers=JSON, body=body)


@pytest.mark.parametrize(
    "other",
    [
        '{ invoice(id: "3") { total, id } }',
        "query Other($x: ID!) { shown: invoice(id: $x) { __typename id total } }",
        "{ invoice(id: 7) { ... on Invoice { id } total } }",
    ],
    ids=["values and order", "names", "inline fragment"],
)
def test_values_names_and_order_do_not_matter(other):
    assert variant_of(post(other)) == variant_of(post(NAMED)) != ""


@pytest.mark.parametrize(
    "other",
    ["{ invoice(id: 3) { id } }", "{ invoice { id total } }", "mutation { invoice(id: 3) { id } }"],
    ids=["fewer fields", "no argument", "another kind"],
)
def test_another_set_of_fields_is_another_operation(other):
    assert variant_of(post(other)) not in ("", variant_of(post(NAMED)))


def test_a_variant_says_what_is_done():
    kind, root, digest = variant_of(post("mutation { pay(id: 1) { id } }")).split(" ")
    assert (kind, root, len(digest)) == ("mutation", "pay", 6)


def test_of_several_operations_the_named_one_counts():
    both = "query A { a { id } } query B { b { id } }"
    assert variant_of(post(both, operationName="B")).startswith("query b ")
    assert variant_of(post(both)) == ""


@pytest.mark.parametrize(
    "request_",
    [
        post("all invoices of May"),
        post("query of all things"),
        post(["{ a }"]),
        Request(method="POST", origin="", path="/graphql", body=b'{"query": "{ a'),
        Request(method="GET", origin="", path="/search", query=(("query", "shoes"),)),
        post("fragment F on A { b } "),
    ],
    ids=["words", "words that begin like it", "a list", "broken", "a search", "nothing to do"],
)
def test_what_is_no_graphql_has_no_variant(request_):
    assert variant_of(request_) == ""


def test_the_other_ways_to_ask_are_read_too():
    by_get = Request(method="GET", origin="", path="/graphql", query=(("query", "{ a { b } }"),))
    plain = Request(
        method="POST",
        origin="",
        path="/graphql",
        headers=(("content-type", "application/graphql"),),
        body=b"{ a { b } }",
    )
    assert query_of(by_get) == query_of(plain) == ("{ a { b } }", "")
    assert variant_of(by_get) == variant_of(plain) != ""


def test_a_fragment_within_itself_and_endless_nesting_end():
    assert variant_of_query("{ a { ...F } } fragment F on A { b ...F }")
    variant_of_query("{ a " * 3000 + "}" * 3000)
    variant_of_query("{" + " ".join(f"f{i}" for i in range(FIELDS_MAX * 2)) + "}")


def test_a_matcher_tells_variants_of_one_path_apart():
    named = Operation(method="POST", template="/graphql", variant=variant_of(post(NAMED)))
    plain = Operation(method="POST", template="/graphql")
    matcher = Matcher([named, plain])
    assert matcher.match_request(post(NAMED)).operation == named
    assert matcher.match_request(post("{ other }")).operation == plain
    assert Matcher([named]).match_request(post("{ other }")) is None
    assert named.id == f"POST /graphql {named.variant}"
