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

RIGHTS: Mapping[str, tuple[Role, ...]] = {
    "list_invoices": EVERYONE,
    "create_invoice": DESK,
    "get_invoice": EVERYONE,
    "update_invoice": DESK,
    "approve_invoice": (Role.FINANCE_MANAGER, Role.CFO),
    "cancel_invoice": DESK,
    "create_payment": DESK,
    "list_payments": EVERYONE,
    "get_payment": EVERYONE,
    "create_refund": (Role.SUPPORT_AGENT, Role.CFO),
    "list_refunds": EVERYONE,
    "get_refund": EVERYONE,
    "get_summary": (Role.ANALYST, Role.FINANCE_MANAGER, Role.CFO),
}
"""The roles that may call each operation, by operation id. README.md shows it as a table."""


def password_of(user: str, environment: Mapping[str, str]) -> str:
    """The password of `user`: LEDGER_PASSWORD_<USER>, or `<user>-secret`."""
    return environment.get(f"LEDGER_PASSWORD_{user.upper()}", f"{user}-secret")
