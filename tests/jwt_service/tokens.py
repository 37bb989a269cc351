"""Issuing and verifying the service's tokens; every defect but one is in here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://tokens.example"
AUDIENCE = "notes"
KEY_ID = "main"
LIFETIME_S = 3600
KEY_FOLDER = Path(__file__).parent
"""J05 looks here for keys; there is none."""


class Refused(Exception):
    """The token is none, or none that counts."""


def new_key() -> str:
    """A private key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class Tokens:
    """Tokens of one key. ON: the defects that are on, a set that others change."""

    def __init__(self, key: str, on: set[str]) -> None:
        loaded = serialization.load_pem_private_key(key.encode(), password=None)
        assert isinstance(loaded, rsa.RSAPrivateKey)
        self._private, self._public = loaded, loaded.public_key()
        self._on = on
        self.ended: set[str] = set()
        """`jti` of tokens that were logged out."""

    @property
    def key_set(self) -> dict[str, Any]:
        """The public key as a JWK set (RFC 7517)."""
        numbers = self._public.public_numbers()
        jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID}
        return {"keys": [{**jwk, "n": _number(numbers.n), "e": _number(numbers.e)}]}

    def issue(self, claims: dict[str, str]) -> str:
        """A token with CLAIMS."""
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_S,
            "jti": secrets.token_hex(8),
            **claims,
        }
        head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        signed = f"{_text(json.dumps(head).encode())}.{_text(json.dumps(payload).encode())}"
        signature = self._private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"

    def read(self, token: str) -> dict[str, Any]:
        """The claims of TOKEN. Raises Refused."""
        parts = token.split(".")
        if len(parts) != 3:
            raise Refused("not a token")
        try:
            head, claims = (json.loads(_bytes(part)) for part in parts[:2])
            signature = _bytes(parts[2])
        except ValueError:
            raise Refused("not a token") from None
        if not isinstance(head, dict) or not isinstance(claims, dict):
            raise Refused("not a token")
        self._verify(head, f"{parts[0]}.{parts[1]}".encode(), signature)
        self._look(claims)
        return claims

    def _verify(self, head: dict[str, Any], signed: bytes, signature: bytes) -> None:
        on, algorithm, key_id = self._on, head.get("alg"), head.get("kid")
        if "J06" in on and str(algorithm).lower() == "none" and algorithm != "none":
            return
        if algorithm == "HS256" and self._is_secret(head, signed, signature):
            return
        if algorithm != "RS256":
            raise Refused("another algorithm")
        if "J11" in on and isinstance(head.get("jwk"), dict):
            _check(_public(head["jwk"]), signed, signature)
            return
        if key_id != KEY_ID:
            if "J04" in on:
                return
            raise Refused("unknown key")
        if "J03" not in on:
            _check(self._public, signed, signature)

    def _is_secret(self, head: dict[str, Any], signed: bytes, signature: bytes) -> bool:
        secret: bytes | None = None
        if "J07" in self._on and head.get("kid") == KEY_ID:
            secret = self._public.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        if "J05" in self._on and head.get("kid") != KEY_ID:
            try:
                secret = (KEY_FOLDER / str(head.get("kid"))).read_bytes()
            except (OSError, ValueError):
                secret = None
        if secret is None:
            return False
        made = hmac.new(secret, signed, hashlib.sha256).digest()
        return hmac.compare_digest(made, signature)

    def _look(self, claims: dict[str, Any]) -> None:
        on, now = self._on, time.time()
        if "exp" not in claims and "J08" not in on:
            raise Refused("no expiry")
        if "J01" not in on and "exp" in claims and not now < _time(claims["exp"]):
            raise Refused("expired")
        if "J02" not in on and now < _time(claims.get("nbf", 0)):
            raise Refused("not yet valid")
        if claims.get("iss") != ISSUER:
            raise Refused("another issuer")
        if "J09" not in on and claims.get("aud") != AUDIENCE:
            raise Refused("for somebody else")
        if not claims.get("sub") or not claims.get("jti"):
            raise Refused("of nobody")
        if claims["jti"] in self.ended:
            raise Refused("logged out")


def _check(key: rsa.RSAPublicKey, signed: bytes, signature: bytes) -> None:
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refused("another signature") from None


def _public(jwk: dict[str, Any]) -> rsa.RSAPublicKey:
    try:
        n, e = (int.from_bytes(_bytes(jwk[name]), "big") for name in ("n", "e"))
        return rsa.RSAPublicNumbers(e, n).public_key()
    except (KeyError, ValueError, TypeError):
        raise Refused("no key") from None


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("no time")
    return float(value)


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))
