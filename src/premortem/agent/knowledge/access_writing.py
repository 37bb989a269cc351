"""An access table as AuthorizationMap.yaml: however it was said, one way of writing it.

    version: 1
    roles: [Cashier, CFO]
    editions: [lite, enterprise]
    operations:
      POST /invoices/{id}/approve:
        handler: ApproveInvoiceHandler
        roles_allowed: [CFO]              # signed_in: whoever is; public: everybody
        editions: [enterprise]            # that have it; left out: all
        overrides:
          lite: {roles_allowed: []}       # where an edition differs

What is read from it again decides the same.
"""

from __future__ import annotations

from typing import Any

import yaml

from premortem.domain.access import ANYONE, NOBODY, AccessTable

FILE_NAME = "AuthorizationMap.yaml"
_HEAD = "# Who may do what, as all sources together say; `premortem roles --write` made it.\n"


def authorization_map(table: AccessTable) -> str:
    """TABLE as YAML: what counts of it, where sources contradict what the most trusted says.

    Operations that nobody declares anything of are left out; what traffic alone shows is no
    declaration.
    """
    operations = {
        operation: said
        for operation in sorted(table.by_operation)
        if (said := _said(table, operation))
    }
    whole: dict[str, Any] = {"version": 1, "roles": list(table.roles)}
    if table.editions:
        whole["editions"] = list(table.editions)
    whole["operations"] = operations
    text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100)
    return _HEAD + text


def _said(table: AccessTable, operation: str) -> dict[str, Any]:
    """What is written of OPERATION; nothing: nobody declared it."""
    having = [edition for edition in table.editions if _has(table, operation, edition)]
    by_edition = {edition: _allowed(table, operation, edition) for edition in having}
    usual = _allowed(table, operation, "")
    if usual is None:
        usual = next((who for who in by_edition.values() if who is not None), None)
    if usual is None and len(having) == len(table.editions):
        return {}
    said: dict[str, Any] = {}
    handlers = [r.handler for r in table.by_operation[operation] if r.handler]
    if handlers and handlers[0] != operation:
        said["handler"] = handlers[0]
    if usual is not None:
        said["roles_allowed"] = usual
    if len(having) < len(table.editions):
        said["editions"] = having
    differing = {
        edition: {"roles_allowed": who}
        for edition, who in by_edition.items()
        if who is not None and who != usual
    }
    return said | ({"overrides": differing} if differing else {})


def _has(table: AccessTable, operation: str, edition: str) -> bool:
    """Whether EDITION has OPERATION, as far as anybody declared it."""
    everybody = (table.decide(operation, role, edition) for role in (*table.roles, NOBODY))
    rules = [d.declared.rule for d in everybody if d is not None and d.declared]
    return not any(rule.gate == "edition" and rule.grant == "denied" for rule in rules)


def _allowed(table: AccessTable, operation: str, edition: str) -> list[str] | str | None:
    """The roles that may in EDITION; None: nobody declared it."""
    decided = ((r, table.decide(operation, r, edition)) for r in (*table.roles, NOBODY, ANYONE))
    found = {role: d.declared.grant for role, d in decided if d is not None and d.declared}
    signed_in = [role for role in (*table.roles, ANYONE) if role in found]
    if not signed_in:
        return None
    allowed = [role for role in signed_in if found[role] == "allowed"]
    if ANYONE in allowed and len(allowed) == len(signed_in):
        return "public" if found.get(NOBODY) == "allowed" else "signed_in"
    return [role for role in allowed if role != ANYONE]
