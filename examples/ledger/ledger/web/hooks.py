"""What tests need: emptying the books, and switching defects. Never for a service others reach."""

from __future__ import annotations

from fastapi import APIRouter

from ledger.errors import Code, Refused
from ledger.fields import Wire
from ledger.web.service import Ledger

router = APIRouter(prefix="/_test", include_in_schema=False)


class Switch(Wire):
    """The defects to have on; all others go off."""

    on: list[str]


@router.post("/reset")
async def reset(ledger: Ledger) -> dict[str, str]:
    ledger.book.empty()
    return {"status": "empty"}


@router.post("/defects")
async def switch_defects(ledger: Ledger, body: Switch) -> Switch:
    try:
        ledger.defects.switch(body.on)
    except ValueError as error:
        raise Refused(Code.INVALID, f"body.on: {error}") from None
    return Switch(on=ledger.defects.ids())
