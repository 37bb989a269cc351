"""The users, their roles and rights; the service and its client both read them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """Who a user is."""

    GUEST = "Guest"
    CASHIER = "Cashier"
    SUPPORT_AGENT = "SupportAgent"
    ANALYST = "Analyst"
    FINANCE_MANAGER = "FinanceManager"
    CFO = "CFO"


USERS: Mapping[str, Role] = {
    "guest": Role.GUEST,
    "cashier": Role.CASHIER,
    "support": Role.SUPPORT_AGENT,
    "analyst": Role.ANALYST,
    "finance": Role.FINANCE_MANAGER,
    "cfo": Role.CFO,
}

EVERYONE = tuple(Role)
DESK = (Role.CASHIER, Role.FINANCE_MANAGER, Role.CFO)
APPROVERS = (Role.FINANCE_MANAGER, Role.CFO)
READERS = (Role.ANALYST, Role.FINANCE_MANAGER, Role.CFO)
REQUESTERS = (Role.CASHIER, Role.SUPPORT_AGENT, Role.FINANCE_MANAGER)

RIGHTS: Mapping[str, tuple[Role, ...]] = {
    "end_session": EVERYONE,
    "list_customers": EVERYONE,
    "create_customer": DESK,
    "get_customer": EVERYONE,
    "update_customer": DESK,
    "get_statement": (Role.SUPPORT_AGENT, *READERS),
    "list_invoices": EVERYONE,
    "create_invoice": DESK,
    "get_invoice": EVERYONE,
    "update_invoice": DESK,
    "approve_invoice": APPROVERS,
    "cancel_invoice": DESK,
    "lock_invoice": APPROVERS,
    "unlock_invoice": (Role.CFO,),
    "charge_late_fee": APPROVERS,
    "create_credit_note": APPROVERS,
    "list_credit_notes": EVERYONE,
    "create_payment": DESK,
    "list_payments": EVERYONE,
    "get_payment": EVERYONE,
    "check_payment": READERS,
    "release_payment": APPROVERS,
    "create_refund": (Role.SUPPORT_AGENT, Role.CFO),
    "list_refunds": EVERYONE,
    "get_refund": EVERYONE,
    "request_refund": REQUESTERS,
    "list_refund_requests": (Role.CASHIER, Role.SUPPORT_AGENT, *READERS),
    "get_refund_request": (Role.CASHIER, Role.SUPPORT_AGENT, *READERS),
    "approve_refund_request": APPROVERS,
    "deny_refund_request": APPROVERS,
    "cancel_refund_request": (*REQUESTERS, Role.CFO),
    "pay_out_request": (Role.SUPPORT_AGENT, Role.CFO),
    "get_summary": READERS,
    "get_tax_report": READERS,
    "get_daily_report": READERS,
    "list_audit": (Role.ANALYST, Role.CFO),
}
"""The roles that may call each operation, by operation id. README.md shows it as a table."""

APPROVAL_LIMIT_CENTS = 10_000_00
"""Up to this amount a FinanceManager approves invoices and refunds; beyond it, only a CFO."""

MASKED_FOR = frozenset({Role.GUEST, Role.ANALYST})
"""Roles that see neither e-mail nor account number of a customer."""


def password_of(user: str, environment: Mapping[str, str]) -> str:
    """The password of `user`: LEDGER_PASSWORD_<USER>, or `<user>-secret`."""
    return environment.get(f"LEDGER_PASSWORD_{user.upper()}", f"{user}-secret")
