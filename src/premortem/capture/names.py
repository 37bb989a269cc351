"""What a field's name says about its value: a secret, personal, an identity, or nothing.

Names are compared by their parts: `accessToken`, `access-token`, `user[access_token]` and
`ACCESS_TOKEN` are one name; `passwordless`, `pinned` and `tokenizer` are others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from itertools import pairwise

from premortem.capture.concepts import concept, folded
from premortem.capture.kinds import Kind, word_set

__all__ = ["Kind", "Names", "parts", "word_set"]


_SECRET_WORDS = word_set(
    "password passwd passwort pwd passphrase passcode secret cvv cvv2 cvc cvc2 pin otp totp "
    "credential kennwort contrasena motdepasse senha wachtwoord haslo heslo parola jelszo losenord "
    "adgangskode salasana sifre parol puk mdp lozinka geslo zaporka slaptazodis "
    "пароль 密码 密碼 パスワード 비밀번호"
)
"""Secret wherever they stand in a name, numbers included."""
_SECRET_TEXT_WORDS = word_set(
    "token secrets passwords tokens jwt bearer authorization credentials csrf xsrf pass pw "
    "cookie cookies phpsessid jsessionid mnemonic"
)

_SECRET_PAIRS = frozenset(
    (first, second)
    for first, seconds in {
        "card": "code",
        "security": "code answer",
        "secret": "answer",
        "verification": "code",
        "auth": "code",
        "authorization": "code",
        "access": "code",
        "recovery": "code codes phrase",
        "seed": "phrase",
        "backup": "code codes",
        "mfa": "code",
        "login": "code",
    }.items()
    for second in seconds.split()
)
"""Two neighbouring parts that are secret together."""
_KEY_QUALIFIERS = word_set(
    "api access secret private encryption signing master shared account auth app application "
    "client consumer license service storage webhook subscription session ssh rsa pgp gpg hmac "
    "aes admin deploy server write ingest instrumentation crypto seed pre symmetric"
)
"""`api_key`: what stands before `key` when it opens something. Not `primary`, `public`, `sort`."""

_GLUED = re.compile(
    r"(?:(?:new|old|current|user|my|db|admin|root|login|confirm|repeat|account|auth|access|"
    r"refresh|id|api|client|app|private|secret|session|csrf|xsrf|oauth|bearer|signing|"
    r"master|encryption|card|credit|account|bank|phone|mobile|telephone)"
    r"(?:password|passwd|passphrase|passcode|pwd|secret|token|key|pin|cvv|cvc|number|no|card)"
    r"(?:confirmation|confirm|hash|again|2)?)|password(?:confirmation|confirm|hash|again|2)"
)
"""Names written in one lower-case word, taken apart below."""
_GLUED_TAIL = re.compile(r"([a-z]{3,})(token|password|passwd|secret)")
_GLUE = re.compile(
    r"new|old|current|user|my|db|admin|root|login|confirmation|confirm|repeat|account|auth|"
    r"access|refresh|id|api|client|app|private|secret|session|csrf|xsrf|oauth|bearer|signing|"
    r"master|encryption|password|passwd|passphrase|passcode|pwd|token|key|pin|cvv|cvc|phone|"
    r"mobile|telephone|number|no|card|credit|bank|hash|again|2"
)

_ABOUT = word_set(
    "type types count counts limit limits id ids name names url uri endpoint expires expiry "
    "expiration expired expire in at ttl age length size policy policies strength required "
    "require enabled disabled status state valid validity max min format algorithm alg method "
    "version label description hint scope scopes used usage budget changed updated created "
    "reset field fields provider issuer audience required lifetime interval duration path "
    "prefix rules rule requirements mode class icon color rotation index position ready "
    "supported support allowed forbidden visible verified attempts tries retries"
)
"""As the last part they speak about the secret instead of holding it."""
_NOT_ONE = word_set(
    "max min num total count prompt completion input output cached reasoning used page next "
    "prev previous continuation continue sync cursor has is show use uses needs requires "
    "require enable allow hide forgot reset change update last sort estimated remaining "
    "per stop start end begin special eos bos pad unk boarding hall"
)
"""As a part before the secret word they make it something else: `max_tokens`, `page_token`."""

_IDENTITY_WORDS = word_set(
    "id ids uuid uuids guid uid oid hash hashes sha sha1 sha256 sha512 md5 crc checksum digest "
    "etag commit revision rev ref refs fingerprint thumbprint cursor trace span request "
    "correlation version parent slug href next prev previous after before match nonce integrity "
    "idempotency"
)
_CONTAINER_WORDS = word_set(
    "value values val raw plain plaintext text data content string current new old"
)

_OF_KEYS = word_set("acceso secreta nueva actual anterior usuario confirmacion repetir de")
"""After `clave`, which is any key in Spanish, a password alone."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+|[^\W\d_A-Za-z]+")


@lru_cache(maxsize=20_000)
def parts(name: str) -> tuple[str, ...]:
    """NAME's words in lower case: `user[accessToken]` -> user, access, token."""
    out: list[str] = []
    for word in _WORDS.findall(folded(name)):
        lower = word.lower()
        if _GLUED.fullmatch(lower):
            out += _GLUE.findall(lower)
        else:
            found = _GLUED_TAIL.fullmatch(lower)
            out += found.groups() if found else [lower]
    return tuple(out)


OwnFields = Callable[[str, str], Kind | None]
"""What the configuration says of a field's name in a place."""


class Names:
    """Classifies names, remembering what it said; the configuration's own names included."""

    REMEMBERED_MAX = 100_000

    def __init__(
        self,
        *,
        secret: Collection[str] = (),
        allow: Collection[str] = (),
        own: OwnFields | None = None,
        off: Collection[Kind] = (),
    ) -> None:
        self._own, self._off = own, frozenset(off)
        self.place = ""
        """`body`, `header`, `query` or `path`, for rules that hold in one of them."""
        self._secret = {parts(name) for name in secret}
        self._allow = {parts(name) for name in allow}
        self._known: dict[str, Kind] = {}
        self._by_place: dict[str, dict[str, Kind]] = {"": self._known}

    @property
    def known(self) -> dict[str, Kind]:
        """Names in this place that were classified before; not to be changed, nor to be kept."""
        return self._known

    def kind(self, name: str) -> Kind:
        """What values under NAME are."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= self.REMEMBERED_MAX:
                self._known.clear()
            known = self._known[name] = self._of(name[:200])
        return known

    def enter(self, place: str) -> None:
        """What comes now stands in PLACE."""
        self.place = place
        self._known = self._by_place.setdefault(place, {})

    def _of(self, name: str) -> Kind:
        own = self._own(name, self.place) if self._own is not None else None
        if own is not None:
            return own
        kind = self._classify(parts(name))
        return Kind.PLAIN if kind in self._off else kind

    def _classify(self, words: tuple[str, ...]) -> Kind:
        if words in self._allow:
            return Kind.ALLOWED
        if words in self._secret:
            return Kind.SECRET
        if not words:
            return Kind.PLAIN
        return _secret_kind(words) or concept(words) or _other_kind(words)


def _secret_kind(words: tuple[str, ...]) -> Kind | None:
    pairs = set(pairwise(words))
    if pairs & _SECRET_PAIRS and words[-1] not in _ABOUT - {"id"}:
        return Kind.SECRET
    if words[0] == "clave" and set(words[1:]) <= _OF_KEYS:
        return Kind.SECRET_TEXT
    if words[-2:] == ("session", "id") or words == ("sid",) or words == ("sessionid",):
        return Kind.OPENING
    if words[-1] in _ABOUT or words[-1] in ("confirmed", "confirmable"):
        return None
    before = set(words[:-1])
    if before & _NOT_ONE:
        return None
    if any(a in _KEY_QUALIFIERS and b in ("key", "keys") for a, b in pairs):
        return Kind.SECRET_TEXT
    held = set(words)
    if held & _SECRET_WORDS:
        return Kind.SECRET
    if held & _SECRET_TEXT_WORDS and (words[-1] not in ("pass", "pw") or len(words) <= 3):
        return Kind.SECRET_TEXT
    return None


def _other_kind(words: tuple[str, ...]) -> Kind:
    if words[-1] in _IDENTITY_WORDS or words[0] in ("sha1", "sha256", "sha512", "md5", "etag"):
        return Kind.IDENTITY
    if len(words) == 1 and words[0] in _CONTAINER_WORDS:
        return Kind.CONTAINER
    return Kind.PLAIN
