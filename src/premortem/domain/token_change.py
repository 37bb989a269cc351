"""Credentials that are not as the target gave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from premortem.domain.traffic import Pairs

Needs = Literal["nothing", "key", "public key", "other"]
"""What it takes to make a forgery: nothing but a token; the key that signs them; the key that they
are verified with; the token of another role."""


class TokenChange(Struct, frozen=True, kw_only=True):
    """What is changed in the credentials that a case goes out with; never the credentials."""

    claims: Pairs = ()
    """Claim of a JSON Web Token -> its value; `signature` breaks any token."""
    key: str = ""
    """`${NAME}` of the variable with the key that signs it anew; empty: the signature stays."""
    algorithm: str = ""
    forgery: str = ""
    """Name of one of FORGERIES, which is done to each JSON Web Token of the credentials; empty:
    `claims` say all."""
    other: str = ""
    """The role whose token's claims are put into this one, where the forgery needs them."""
    public: str = ""
    """Path of the target, or a file, with the keys that tokens are verified with: a JWK set
    (RFC 7517) or PEM."""


class Forgery(Struct, frozen=True, kw_only=True):
    """A token that a correct service refuses, and why it does."""

    name: str
    says: str
    """What is wrong with the token, after `takes a token `."""
    because: str
    """Where it stands that such a token is to be refused."""
    needs: Needs = "nothing"
    severity: Literal["high", "medium", "low"] = "high"
    bound: bool = False
    """Wrong only for a request that names what the token is for."""


_ALL = (
    Forgery(
        name="wrong signature",
        says="whose signature is another",
        because="RFC 7515, 5.2",
    ),
    Forgery(
        name="empty signature",
        says="with an empty signature",
        because="RFC 7515, 5.2",
    ),
    Forgery(
        name="no signature",
        says="without its signature",
        because="RFC 7515, 5.2; RFC 7519, 7.2",
    ),
    Forgery(
        name="own key",
        says="that somebody else's key signed",
        because="RFC 7515, 5.2",
    ),
    Forgery(
        name="unknown key id",
        says="whose key id nobody knows",
        because="RFC 8725, 3.1",
    ),
    Forgery(
        name="key id is a path",
        says="whose key id is the path of an empty file, signed with nothing",
        because="RFC 8725, 3.10",
    ),
    Forgery(
        name="key id is SQL",
        says="whose key id is SQL that answers with a key of the sender's choice",
        because="RFC 8725, 3.10",
    ),
    Forgery(
        name="key in the token",
        says="signed with a key that it brings itself (`jwk`)",
        because="RFC 8725, 3.10; RFC 7515, 4.1.3",
    ),
    Forgery(
        name="algorithm none",
        says="that is unsigned (`alg: none`)",
        because="RFC 8725, 3.1; RFC 7519, 6.1",
    ),
    Forgery(
        name="algorithm None",
        says="that is unsigned (`alg: None`)",
        because="RFC 8725, 3.1",
    ),
    Forgery(
        name="algorithm NONE",
        says="that is unsigned (`alg: NONE`)",
        because="RFC 8725, 3.1",
    ),
    Forgery(
        name="algorithm nOnE",
        says="that is unsigned (`alg: nOnE`)",
        because="RFC 8725, 3.1",
    ),
    Forgery(
        name="public key as secret",
        says="signed with the public key as if it were a secret (HS256)",
        because="RFC 8725, 2.1 and 3.1",
        needs="public key",
    ),
    Forgery(
        name="another's subject",
        says="with another user's subject and the old signature",
        because="RFC 7515, 5.2",
        needs="other",
    ),
    Forgery(
        name="another's role",
        says="with another role and the old signature",
        because="RFC 7515, 5.2",
        needs="other",
    ),
    Forgery(
        name="expired",
        says="whose time is over (`exp`)",
        because="RFC 7519, 4.1.4",
        needs="key",
    ),
    Forgery(
        name="not yet valid",
        says="whose time has not come (`nbf`)",
        because="RFC 7519, 4.1.5",
        needs="key",
        severity="medium",
    ),
    Forgery(
        name="no expiry",
        says="that never ends (without `exp`)",
        because="RFC 9068, 2.2 and 4; the service's own tokens have one",
        needs="key",
        severity="medium",
    ),
    Forgery(
        name="no audience",
        says="for nobody in particular (without `aud`)",
        because="RFC 8725, 3.9; the service's own tokens have one",
        needs="key",
        severity="medium",
    ),
    Forgery(
        name="other audience",
        says="for another service (`aud`)",
        because="RFC 7519, 4.1.3",
        needs="key",
    ),
    Forgery(
        name="other issuer",
        says="of another issuer (`iss`)",
        because="RFC 8725, 3.8",
        needs="key",
    ),
    Forgery(
        name="other tenant",
        says="of another tenant than it asks for",
        because="OWASP API Security 2023, API1: broken object level authorization",
        needs="key",
        bound=True,
    ),
)
FORGERIES: Mapping[str, Forgery] = {forgery.name: forgery for forgery in _ALL}
"""By name, in the order in which they are tried."""
