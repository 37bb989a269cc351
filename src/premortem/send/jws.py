"""JSON Web Signatures in compact form: taken apart, put together, signed (RFC 7515, RFC 7518).

Only what forging needs: nothing here verifies a token.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from msgspec import Struct

KEY_BITS = 2048
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Mapping[str, tuple[type[ec.EllipticCurve], int]] = {
    "ES256": (ec.SECP256R1, 32),
    "ES384": (ec.SECP384R1, 48),
    "ES512": (ec.SECP521R1, 66),
}
"""Algorithm -> curve, and bytes of each half of a signature (RFC 7518, 3.4)."""
_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
ALGORITHMS = (
    *("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *_CURVES,
    "EdDSA",
)
"""Those that `sign` knows."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Jws(Struct, frozen=True, kw_only=True):
    """A token taken apart."""

    head: Mapping[str, Any]
    claims: Mapping[str, Any]
    signature: str
    """As it stood there, in Base64url."""


def read(token: str) -> Jws | None:
    """TOKEN taken apart; None where it is no JSON Web Token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    head, claims = _decoded(parts[0]), _decoded(parts[1])
    if not isinstance(head, dict) or not isinstance(claims, dict) or "alg" not in head:
        return None
    return Jws(head=head, claims=claims, signature=parts[2])


def unsigned(head: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """HEAD and CLAIMS as they are signed: `header.payload`."""
    return f"{_encoded(head)}.{_encoded(claims)}"


def signed(head: Mapping[str, Any], claims: Mapping[str, Any], key: PrivateKey | bytes) -> str:
    """A token with HEAD and CLAIMS, signed with KEY by the algorithm that HEAD names.

    Raises ValueError where the two do not go together.
    """
    body = unsigned(head, claims)
    return f"{body}.{text(sign(body.encode(), str(head.get('alg')), key))}"


def sign(data: bytes, algorithm: str, key: PrivateKey | bytes) -> bytes:
    """The signature of DATA (RFC 7518, 3.1; RFC 8037, 3.1). Raises ValueError."""
    family, digest = algorithm[:2], _HASHES.get(algorithm[2:], hashes.SHA256)()
    if family == "HS" and isinstance(key, bytes):
        return hmac.digest(key, data, digest.name)
    if family == "RS" and isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest)
    if family == "PS" and isinstance(key, rsa.RSAPrivateKey):
        salt = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
        return key.sign(data, salt, digest)
    if algorithm in _CURVES and isinstance(key, ec.EllipticCurvePrivateKey):
        size = _CURVES[algorithm][1]
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    raise ValueError(f"the key cannot sign by {algorithm}")


def private_key(pem: str) -> PrivateKey:
    """The private key in PEM. Raises ValueError."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if isinstance(key, PrivateKey):
        return key
    raise ValueError("it is of a kind that signs no tokens")


def made_key(algorithm: str) -> PrivateKey | bytes:
    """A key that nobody else has, for ALGORITHM."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm][0]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm[:2] == "HS":
        return b"premortem"
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def public_jwk(key: PrivateKey, algorithm: str) -> dict[str, str]:
    """The public half of KEY as a JWK (RFC 7517)."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point, size = key.public_key().public_numbers(), _CURVES[algorithm][1]
        x, y = (text(number.to_bytes(size, "big")) for number in (point.x, point.y))
        return {"kty": "EC", "crv": _NAMES[algorithm], "x": x, "y": y}
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": text(raw)}


def public_pem(said: bytes, key_id: str = "") -> bytes:
    """The public key in SAID, a JWK set or PEM, as PEM; of several the one called KEY_ID.

    Raises ValueError where there is none.
    """
    if said.lstrip().startswith(b"-----BEGIN"):
        return said
    try:
        keys = json.loads(said)["keys"]
        named = [jwk for jwk in keys if jwk.get("kid") == key_id] or keys
        jwk = next(jwk for jwk in named if jwk.get("kty") == "RSA")
        n, e = (int.from_bytes(octets(jwk[name]), "big") for name in ("n", "e"))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        raise ValueError("it holds no RSA key") from None
    return (
        rsa.RSAPublicNumbers(e, n)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def text(data: bytes) -> str:
    """DATA in Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def octets(said: str) -> bytes:
    """The bytes that SAID is, in Base64url. Raises ValueError."""
    return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))


def _number(value: int) -> str:
    return text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _decoded(part: str) -> Any:
    try:
        return json.loads(octets(part))
    except (ValueError, RecursionError):
        return None


def _encoded(value: Mapping[str, Any]) -> str:
    return text(json.dumps(value, separators=(",", ":")).encode())
