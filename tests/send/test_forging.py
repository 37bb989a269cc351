"""Forged tokens: each differs from the true one in what its name says, and in nothing else."""

from __future__ import annotations

import asyncio
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from premortem.domain.run import Sent
from premortem.domain.token_change import FORGERIES, TokenChange
from premortem.domain.traffic import Request, Response
from premortem.errors import TargetError
from premortem.send import jws
from premortem.send.forging import Forger

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
HEAD = {"alg": "RS256", "typ": "JWT", "kid": "main"}
CLAIMS = {
    "sub": "ann",
    "iss": "https://issuer.example",
    "aud": "notes",
    "exp": 4_000_000_000,
    "tenant": "acme",
    "role": "member",
}
TOKEN = jws.signed(HEAD, CLAIMS, KEY)
OTHER = jws.signed(HEAD, {**CLAIMS, "sub": "root", "role": "admin", "tenant": "globex"}, KEY)
REQUEST = Request(method="GET", origin="", path="/tenants/acme/notes")


class KeySet:
    """Stands for the target: answers each request with the keys that verify tokens."""

    def __init__(self, status: int = 200) -> None:
        numbers = KEY.public_key().public_numbers()
        n, e = (jws.text(v.to_bytes(256, "big")) for v in (numbers.n, numbers.e))
        keys = {"keys": [{"kty": "EC"}, {"kty": "RSA", "kid": "main", "n": n, "e": e}]}
        self.answer = Response(status=status, body=json.dumps(keys).encode())
        self.asked: list[str] = []

    async def send(self, request: Request) -> Sent:
        self.asked.append(request.path)
        return Sent(request=request, response=self.answer)


def forge(name: str, *, target: KeySet | None = None, request: Request = REQUEST, **more: str):
    forger = Forger(
        target or KeySet(),  # type: ignore[arg-type]
        environment={"KEY": PEM, "SECRET": "secret"},
        directory=Path(),
    )
    change = TokenChange(forgery=name, key="${KEY}", public="/keys", **more)
    headers = (("authorization", f"Bearer {TOKEN}"), ("x-tenant", "acme"))
    other = (("authorization", f"Bearer {OTHER}"),)
    made = asyncio.run(forger.forged(headers, change, other=other, request=request))
    assert made[1] == ("x-tenant", "acme")
    assert made[0][1].startswith("Bearer ")
    return made[0][1].removeprefix("Bearer ")


def is_signed(token: str) -> bool:
    body, _, signature = token.rpartition(".")
    try:
        KEY.public_key().verify(
            jws.octets(signature), body.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", [f.name for f in FORGERIES.values() if f.needs != "key"])
def test_what_needs_no_key_is_never_signed_by_the_true_one(name):
    token = forge(name)
    assert token != TOKEN
    assert not is_signed(token)


@pytest.mark.parametrize("name", [f.name for f in FORGERIES.values() if f.needs == "key"])
def test_what_only_a_key_can_make_is_signed_by_it_and_says_something_else(name):
    token = forge(name)
    made = jws.read(token)
    assert made is not None
    assert is_signed(token)
    assert made.claims != CLAIMS
    changed = {n for n in {*CLAIMS, *made.claims} if made.claims.get(n) != CLAIMS.get(n)}
    assert len(changed) == 1


@pytest.mark.parametrize("spelled", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_says_so_and_ends_with_a_point(spelled):
    token = forge(f"algorithm {spelled}")
    made = jws.read(token)
    assert made is not None
    assert (made.head["alg"], made.signature, made.claims) == (spelled, "", CLAIMS)
    assert token.endswith(".")


def test_the_public_key_is_taken_for_a_secret():
    target = KeySet()
    body, _, signature = forge("public key as secret", target=target).rpartition(".")
    assert jws.octets(signature) == hmac.digest(PUBLIC, body.encode(), "sha256")
    assert target.asked == ["/keys"]


def test_keys_that_the_target_does_not_give_are_said():
    with pytest.raises(TargetError, match="public keys"):
        forge("public key as secret", target=KeySet(status=404))


def test_a_key_id_that_is_a_path_goes_with_an_empty_secret():
    token = forge("key id is a path")
    body, _, signature = token.rpartition(".")
    made = jws.read(token)
    assert made is not None
    assert made.head["kid"].endswith("/dev/null")
    assert jws.octets(signature) == hmac.digest(b"", body.encode(), "sha256")


def test_a_token_brings_its_own_key():
    token = forge("key in the token")
    body, _, signature = token.rpartition(".")
    made = jws.read(token)
    assert made is not None
    n, e = (int.from_bytes(jws.octets(made.head["jwk"][name]), "big") for name in "ne")
    key = rsa.RSAPublicNumbers(e, n).public_key()
    key.verify(jws.octets(signature), body.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_claims_of_another_role_go_in_under_the_old_signature():
    raised = jws.read(forge("another's role"))
    assert raised is not None
    assert raised.claims == {**CLAIMS, "role": "admin"}
    assert raised.signature == TOKEN.rpartition(".")[2]


def test_another_tenant_counts_only_for_a_request_that_names_one():
    made = jws.read(forge("other tenant"))
    assert made is not None
    assert made.claims["tenant"] == "globex"
    with pytest.raises(TargetError, match="names no tenant"):
        forge("other tenant", request=Request(method="GET", origin="", path="/me"))


def test_credentials_without_a_token_are_said():
    forger = Forger(KeySet(), environment={}, directory=Path())  # type: ignore[arg-type]
    change = TokenChange(forgery="wrong signature")
    with pytest.raises(TargetError, match="no JSON Web Token"):
        asyncio.run(
            forger.forged((("authorization", "Bearer abc"),), change, other=(), request=REQUEST)
        )


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "EdDSA", "PS256", "HS384"])
def test_every_algorithm_signs_what_its_key_verifies(algorithm):
    key = jws.made_key(algorithm)
    body, _, signature = jws.signed({"alg": algorithm}, CLAIMS, key).rpartition(".")
    data, said = body.encode(), jws.octets(signature)
    if isinstance(key, bytes):
        assert said == hmac.digest(key, data, "sha384")
    elif isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        key.public_key().verify(said, data, pss, hashes.SHA256())
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        key.public_key().verify(said, data)
        assert jws.public_jwk(key, algorithm)["crv"] == "Ed25519"
    else:
        half = len(said) // 2
        r, s = (int.from_bytes(part, "big") for part in (said[:half], said[half:]))
        digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[algorithm[2:]]
        key.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(digest()))
        assert jws.public_jwk(key, algorithm)["crv"].startswith("P-")


def test_a_key_that_does_not_go_with_its_algorithm_is_said():
    with pytest.raises(TargetError, match="cannot sign by ES256"):
        forge("expired", algorithm="ES256")


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.", "WzFd.e30.x"])
def test_what_is_no_token_is_read_as_none(text):
    assert jws.read(text) is None
