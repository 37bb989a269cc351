import base64
import hmac
import json

import pytest

from premortem.domain.token_change import TokenChange
from premortem.errors import ConfigError, TargetError
from premortem.send.token_change import altered

KEY = {"KEY": "secret"}


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


TOKEN = f"{encoded({'alg': 'HS256'})}.{encoded({'sub': 'ann', 'exp': 4_000_000_000})}.sig"


def claims_of(header):
    head, payload, signature = header.rpartition(" ")[2].split(".")
    digest = hmac.digest(b"secret", f"{head}.{payload}".encode(), "sha256")
    assert signature == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def change(**claims):
    return TokenChange(claims=tuple(claims.items()), key="${KEY}", algorithm="HS256")


@pytest.mark.parametrize(
    ("claim", "said", "means"),
    [
        ("exp", "2020-01-01T00:00:00Z", 1577836800),
        ("exp", "2020-01-01", 1577836800),
        ("exp", "1577836800", 1577836800),
        ("role", "CFO", "CFO"),
        ("roles", '["CFO"]', ["CFO"]),
        ("admin", "true", True),
    ],
)
def test_a_claim_is_set_and_the_token_signed_anew(claim, said, means):
    [(_, value)] = altered(
        (("authorization", f"Bearer {TOKEN}"),), change(**{claim: said}), environment=KEY
    )
    claims = claims_of(value)
    assert claims[claim] == means
    assert claims["sub"] == "ann"


def test_null_leaves_a_claim_out():
    [(_, value)] = altered((("cookie", f"session={TOKEN}"),), change(exp="null"), environment=KEY)
    assert claims_of(value.partition("=")[2]) == {"sub": "ann"}


@pytest.mark.parametrize(
    ("credentials", "said", "after"),
    [
        (f"Bearer {TOKEN}", "wrong", f"Bearer {TOKEN[:-3]}wrong"),
        (f"Bearer {TOKEN}", "sig", f"Bearer {TOKEN}x"),
        ("Bearer abcdefgh", "zz", "Bearer abcdefzz"),
        ("abcdefgh", "gh", "abcdefghx"),
        ("abc", "abcdef", "abcdef"),
    ],
)
def test_a_signature_can_be_broken_in_any_token(credentials, said, after):
    headers = (("authorization", credentials), ("x-tenant", "t1"))
    made = altered(headers, TokenChange(claims=(("signature", said),)), environment={})
    assert made == (("authorization", after), ("x-tenant", "t1"))
    assert made != headers


@pytest.mark.parametrize("headers", [(), (("authorization", "Bearer opaque"),)])
def test_without_a_token_of_that_kind_nothing_is_sent(headers):
    with pytest.raises(TargetError):
        altered(headers, change(exp="1"), environment=KEY)


def test_the_key_comes_from_the_environment():
    with pytest.raises(ConfigError, match="KEY"):
        altered((("authorization", f"Bearer {TOKEN}"),), change(exp="1"), environment={})
