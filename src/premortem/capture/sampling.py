"""Which clients are recorded when not all are: whole clients, minute by minute.

A sample of single requests would tear the requests apart that belong together: the one that
created an id from those that use it. So the coin is thrown once per client and minute.
"""

from __future__ import annotations

import os
from hashlib import blake2b

from premortem.errors import ConfigError

WINDOW_S = 60.0
REMEMBERED_MAX = 10_000
"""Clients whose coin of the present minute is kept."""


class Sampler:
    """Says whether a client is recorded; SHARE within [0, 1]. Raises ConfigError."""

    def __init__(self, share: float, *, salt: bytes = b"") -> None:
        if not 0 <= share <= 1:
            raise ConfigError(
                f"a sample of {share:g}: write a share from 0 to 1, or from 0% to 100%"
            )
        self._all, self._none = share >= 1, share <= 0
        self._limit = int(share * 2**64)
        self._salt = salt or os.urandom(16)
        self._window = -1
        self._thrown: dict[bytes, bool] = {}

    def wants(self, who: bytes, at: float) -> bool:
        """Whether WHO (credentials, cookies or an address) is recorded at AT, epoch seconds."""
        if self._all or self._none:
            return self._all
        window = int(at // WINDOW_S)
        if window != self._window or len(self._thrown) >= REMEMBERED_MAX:
            self._window = window
            self._thrown.clear()
        known = self._thrown.get(who)
        if known is None:
            data = b"%d " % window + who
            digest = blake2b(data, digest_size=8, key=self._salt).digest()
            known = self._thrown[who] = int.from_bytes(digest, "big") < self._limit
        return known
