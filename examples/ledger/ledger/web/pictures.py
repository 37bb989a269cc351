"""What happens to pictures that a text names, while API7 is on; a correct ledger has none."""

from __future__ import annotations

import asyncio
import re
import socket

from ledger.errors import Code, Refused

PICTURES_MAX = 4
_PICTURE = re.compile(r"""<img[^>]*\ssrc=["']?https?://([A-Za-z0-9.-]{1,253})""", re.IGNORECASE)


async def look_up(text: str) -> None:
    """Look up the hosts of pictures in `text`, as printing it would; nothing is sent to them.

    Raises Refused (422), which tells the caller what came of it.
    """
    for host in _PICTURE.findall(text)[:PICTURES_MAX]:
        try:
            await asyncio.to_thread(socket.getaddrinfo, host, 80)
        except OSError as error:
            raise Refused(
                Code.INVALID, f"body.description: the picture of {host} cannot be loaded: {error}"
            ) from None
