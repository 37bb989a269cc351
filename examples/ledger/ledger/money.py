"""Money: numbers with two decimals outside, integer cents inside."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact

from ledger.errors import Code, Refused

AMOUNT_MAX = 1_000_000

# Trapping Inexact makes a third decimal an error instead of a silent rounding.
_EXACT = Context(prec=28, traps=[Inexact])


def exact_cents(amount: float) -> int:
    """`amount` in cents. Raises decimal.Inexact if it has more than two decimals."""
    # repr gives the shortest decimal that reads back as this float, so 0.07 is 7 cents.
    return int(Decimal(repr(amount)).scaleb(2).quantize(Decimal(1), context=_EXACT))


def to_cents(amount: float, *, zero_allowed: bool = False) -> int:
    """`amount` in cents. Raises Refused (422) unless it is positive with two decimals at most."""
    try:
        cents = exact_cents(amount)
    except Inexact:
        raise Refused(Code.INVALID, "body.amount: at most two decimals") from None
    require_positive(cents, zero_allowed=zero_allowed)
    return cents


def require_positive(cents: int, *, zero_allowed: bool = False) -> None:
    """Raises Refused (422) unless `cents` is above zero, or zero where that is allowed."""
    if cents < 0 or (cents == 0 and not zero_allowed):
        raise Refused(Code.INVALID, "body.amount: must be greater than 0")


def to_amount(cents: int) -> float:
    """Cents as the JSON number with at most two decimals."""
    return cents / 100


def included_tax(cents: int, percent: int) -> int:
    """The tax that a gross amount includes, in cents, half a cent rounded up.

    119.00 at 19 % holds 19.00: the tax is on the net amount, not on the gross one.
    """
    return (2 * cents * percent + 100 + percent) // (2 * (100 + percent))


def percent_of(cents: int, percent: int) -> int:
    """So many percent of an amount, in cents, half a cent rounded up."""
    return (2 * cents * percent + 100) // 200
