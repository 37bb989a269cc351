"""Overrides by edition as they are written down, and differences as traffic shows them."""

import json

import pytest

from premortem.agent.knowledge.access_traffic import access_in_traffic, shown_by, shown_in
from premortem.agent.knowledge.variant_rules import variant_rules
from premortem.domain.access import ANYONE, NOBODY
from premortem.domain.traffic import Exchange, Request, Response, Tags
from premortem.learn import learn_profile
from premortem.learn.variants import learn_variants

WRITTEN = [
    "overrides:\n  - enterprise -> emit InvoiceAuditLogged\n  - lite -> skip tax validation\n",
    "edition_overrides: enterprise -> emit InvoiceAuditLogged, lite -> skip tax validation\n",
    "editions:\n  enterprise: {emit: InvoiceAuditLogged}\n  lite: {skip: [tax validation]}\n",
    "handlers:\n  CreateInvoice:\n    overrides:\n"
    "      enterprise: {emits: [InvoiceAuditLogged]}\n      lite: {skip: tax validation}\n",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_overrides_are_read_however_they_are_written(text):
    rules = variant_rules(text.encode(), origin="blueprint.yaml")
    assert [(r.value, r.action, r.what) for r in rules] == [
        ("enterprise", "emit", "InvoiceAuditLogged"),
        ("lite", "skip", "tax validation"),
    ]
    assert all(rule.place.startswith("blueprint.yaml:") for rule in rules)


def test_overrides_of_regions_and_tenants_are_read():
    text = b"regions: {eu: {skip: [card check]}}\ntenants: {acme: {emit: Audit}}\n"
    rules = variant_rules(text, origin="b.yaml")
    assert [(r.dimension, r.value) for r in rules] == [("region", "eu"), ("tenant", "acme")]


def exchange(at, role="Clerk", edition="", status=201, currency="EUR", path="/orders"):
    body = json.dumps({"currency": currency, "note": f"n{at}"}).encode()
    return Exchange(
        request=Request(
            method="POST",
            origin="http://x",
            path=path,
            headers=(("content-type", "application/json"),),
            body=body,
        ),
        response=Response(status=status),
        started_at=float(at),
        duration_ms=1.0,
        tags=Tags(role=role, edition=edition, session=f"s{at}"),
    )


def recorded(*exchanges):
    return learn_profile(lambda: iter(exchanges), spec=None, now=0.0), exchanges


def many(count, start, **said):
    return [exchange(start + i, **said) for i in range(count)]


TRAFFIC = [
    *many(10, 0, edition="pro"),
    *many(8, 20, edition="pro", currency="USD"),
    *many(9, 40, edition="lite"),
    *many(4, 60, edition="lite", currency="USD", status=403),
]


def test_a_value_that_one_edition_refuses_is_a_difference():
    profile, exchanges = recorded(*TRAFFIC)
    (found,) = learn_variants(exchanges, profile, headers={"edition": "x-edition"})
    assert (found.value, found.field, found.json) == ("lite", "currency", '"USD"')
    assert (found.here, found.elsewhere, found.support) == (403, 201, 4)
    assert found.others == ("pro",)


def test_an_edition_that_refuses_everything_shows_nothing_of_a_value():
    traffic = [*many(10, 0, edition="pro"), *many(8, 20, edition="pro", currency="USD")]
    refused = many(4, 60, edition="lite", currency="USD", status=403)
    profile, exchanges = recorded(*traffic, *refused)
    assert not learn_variants(exchanges, profile, headers={"edition": "x-edition"})


def test_traffic_shows_who_is_let_in_and_who_is_not():
    profile, exchanges = recorded(
        *many(3, 0, role="Clerk", edition="pro"),
        *many(4, 10, role="Guest", edition="pro", status=403),
        *many(2, 20, role="", status=401),
        *many(1, 30, role="unknown", status=401),
        *many(3, 40, role="Clerk", edition="lite", status=403),
    )
    rules = access_in_traffic(shown_by(exchanges, profile), document="t")
    said = {(r.role, r.edition, r.gate): r.grant for r in rules}
    assert said[("Clerk", "pro", "role")] == "allowed"
    assert said[("Guest", "pro", "role")] == "denied"
    assert said[(NOBODY, "", "role")] == "denied"
    assert said[(ANYONE, "lite", "edition")] == "denied"
    assert not [key for key in said if key[0] == "unknown"]


def test_a_token_that_ended_says_nothing_of_a_role():
    profile, _ = recorded(
        *many(3, 0, role="Guest", status=403), *many(3, 10, role="Clerk", status=401)
    )
    said = {r.role: r.grant for r in access_in_traffic(shown_in(profile), document="t")}
    assert said == {"Guest": "denied"}
