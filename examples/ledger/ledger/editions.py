"""The three editions, and what each of them lacks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Edition(StrEnum):
    """What a customer of the ledger has bought; each holds all of the one before."""

    LITE = "lite"
    PRO = "pro"
    ENTERPRISE = "enterprise"


LADDER = tuple(Edition)

FIRST_EDITION: Mapping[str, Edition] = {
    "get_statement": Edition.PRO,
    "charge_late_fee": Edition.PRO,
    "create_credit_note": Edition.PRO,
    "list_credit_notes": Edition.PRO,
    "request_refund": Edition.PRO,
    "list_refund_requests": Edition.PRO,
    "get_refund_request": Edition.PRO,
    "approve_refund_request": Edition.PRO,
    "deny_refund_request": Edition.PRO,
    "cancel_refund_request": Edition.PRO,
    "pay_out_request": Edition.PRO,
    "get_tax_report": Edition.PRO,
    "lock_invoice": Edition.ENTERPRISE,
    "unlock_invoice": Edition.ENTERPRISE,
    "check_payment": Edition.ENTERPRISE,
    "release_payment": Edition.ENTERPRISE,
    "list_audit": Edition.ENTERPRISE,
}
"""The smallest edition that has an operation; what is not named is in all of them."""


def editions_with(operation_id: str) -> tuple[Edition, ...]:
    """The editions that have an operation, the smallest first."""
    return LADDER[LADDER.index(FIRST_EDITION.get(operation_id, Edition.LITE)) :]


def narrowed(licensed: Edition, asked: Edition) -> Edition:
    """What a request runs in: it may ask for less than is licensed, never get more."""
    return LADDER[min(LADDER.index(licensed), LADDER.index(asked))]
