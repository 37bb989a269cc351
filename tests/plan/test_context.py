"""Unknown and contradictory context parameters are refused before anything runs."""

from __future__ import annotations

import pytest

from premortem.domain.context import Context, Range, User
from premortem.errors import ConfigError
from premortem.plan.context import check_context
from tests.generate.small import profile

NOW = 1_780_000_000.0
BOTH = {"sample": 50, "mutate": 50}


def check(
    context: Context, *, sources: dict[str, int] = BOTH, operations: tuple[str, ...] = ()
) -> None:
    check_context(
        context,
        profile(),
        roles=("clerk", "manager"),
        tenant_header="",
        edition_header="x-edition",
        sources=sources,
        now=NOW,
        where="plan.toml",
        operations=operations,
    )


def ranged(key: str = "amount", **wanted: object) -> Context:
    return Context(ranges={key: Range(**wanted)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "context",
    [
        Context(),
        Context(user=User(role="clerk", locale="de-AT", edition="lite")),
        Context(requests=("create", "read")),
        ranged(min=1, max=500),
        ranged("POST /invoices amount", min=1, distribution="lognormal", mean=50, deviation=10),
        ranged("currency", values=("EUR", "USD"), weights=(9, 1)),
        ranged("limit", values=(1, 50, 100), distribution="zipf"),
        ranged("due", since="-30d", until="now"),
        ranged("note", null_share=0.2, absent_share=0.3),
        ranged("customer", pattern="C-[0-9]{4}"),
    ],
)
def test_what_fits_passes(context):
    check(context)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (Context(user=User(role="boss")), "user.role 'boss' is not in premortem.toml; there are"),
        (Context(user=User(tenant="acme")), "set `tenant_header` under [target]"),
        (Context(user=User(locale="de AT!")), "is no language tag"),
        (Context(requests=("delete",)), "no operation is there to delete"),
        (Context(tone="edge"), "needs the source schema"),
        (ranged(min=5, max=1), "min 5 is above max 1"),
        (ranged(), "it says nothing"),
        (ranged("colour", min=1), "no request has such a field"),
        (ranged("amout", min=1), "did you mean amount?"),
        (ranged("currency", values=("YEN",)), "lets no value of it stand at body:/currency"),
        (ranged("POST /invoices amount", max=0), "lets no value of it stand at body:/amount"),
        (ranged("limit", min=101), "lets no value of it stand at query:limit"),
        (ranged("currency", min=1), "min and max need a number"),
        (ranged("quantity", pattern="[0-9]+"), "a pattern needs text"),
        (ranged("customer", pattern="[0-9"), "is no regular expression"),
        (ranged("due", since="soon"), "not a time: 'soon'"),
        (ranged("due", since="now", until="-1d"), "since now is after until -1d"),
        (ranged(min=1, values=(1,)), "min/max and values cannot both hold"),
        (ranged(values=(1, 2), weights=(1,)), "1 weights for 2 values"),
        (ranged(min=1, max=2, distribution="zipf"), "zipf needs values"),
        (ranged(distribution="normal", deviation=1, min=1), "needs a mean, or min and max"),
        (ranged(mean=9, min=1, max=2), "mean 9 is outside min and max"),
        (ranged(null_share=0.7, absent_share=0.7), "1 together at most"),
        (ranged("invoice_id", absent_share=0.5), "is part of the path and cannot be absent"),
    ],
)
def test_what_is_unknown_or_contradicts_is_said(context, said):
    with pytest.raises(ConfigError) as caught:
        check(context)
    assert said in str(caught.value)
    assert str(caught.value).startswith("plan.toml: [context] cannot be followed: ")


def test_all_that_is_wrong_is_said_at_once():
    context = Context(user=User(role="boss"), ranges={"amount": Range(min=5, max=1)})
    with pytest.raises(ConfigError, match=r"boss.*min 5 is above max 1"):
        check(context)


def test_a_tone_needs_a_source_that_can_have_it():
    with pytest.raises(ConfigError, match="the only source is mutate"):
        check(Context(tone="realistic"), sources={"mutate": 1})


def test_a_field_counts_only_within_the_plans_operations():
    check(ranged("limit", max=10), operations=("GET /invoices",))
    with pytest.raises(ConfigError, match="no request has such a field"):
        check(ranged("limit", max=10), operations=("POST /invoices",))
