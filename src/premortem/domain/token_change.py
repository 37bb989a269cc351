"""Credentials that are not as the target gave them."""

from __future__ import annotations

from msgspec import Struct

from premortem.domain.traffic import Pairs


class TokenChange(Struct, frozen=True, kw_only=True):
    """What is changed in the credentials that a case goes out with; never the credentials."""

    claims: Pairs
    """Claim of a JSON Web Token -> its value; `signature` breaks any token."""
    key: str = ""
    """`${NAME}` of the variable with the key that signs it anew; empty: the signature stays."""
    algorithm: str = ""
