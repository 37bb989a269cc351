"""Redaction of one value: by its field's kind, by its form, and inside what it encloses.

A value may hold others: JSON in a string, a URL with credentials, text in base64, a log line.
All rules work on decoded text and replace secrets by tokens of the same length.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote, unquote, unquote_plus

from premortem.capture import formats
from premortem.capture.json_text import Rewriter
from premortem.capture.names import Kind, Names, parts, word_set
from premortem.domain.tokens import (
    holds_token,
    is_token,
    make_email_token,
    make_number_token,
    make_token,
)

CACHED_MAX = 50_000
"""Distinct values remembered; the memory is emptied when full."""
CACHED_LENGTH_MAX = 4096
NESTED_MAX = 8
"""Values inside values inside values."""

_SECRET = (Kind.SECRET, Kind.SECRET_TEXT)
_BY_NAME = ("field", "header", "cookie")
"""Rules that take a value whole; others leave what holds a token, being redacted already."""
_MASK = re.compile(r"[*•·.\-_#]+")
_WORDS_NOT_SECRET = frozenset(("true", "false", "null", "none", "undefined", "nil", ""))
_SCHEME = re.compile(
    r"((?:Bearer|Basic|Token|ApiKey|Api-Key|Digest|OAuth|Negotiate|NTLM|Hawk|AWS4-HMAC-SHA256|SSWS|"
    r"GoogleLogin|MAC|JWT)\s+)(\S.*)",
    re.IGNORECASE | re.DOTALL,
)

INTEREST = re.compile(
    r"[@=:<{\[]|[A-Za-z0-9_+/\-]{20}|\d[\d\- ]{9}|[A-Z]{2}\d\d ?[A-Z0-9]|"
    r"(?:[Bb]earer|BEARER|[Bb]asic|BASIC|[Tt]oken|[Pp]ass(?:word|code|phrase)|[Ss]ecret|[Pp]in) "
)
"""What a text that any rule could change contains."""
STEMS = word_set(
    "pass pwd secret token key auth cred ssn cvv cvc iban pin otp cookie csrf card account social "
    "phone bearer basic code sid sig jwt user mnemonic -u"
)
_JOINT = re.compile(
    r"(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_.\-\[\]]{1,60})"
    r"(\\*[\"']?[ \t]{0,4}(?:=>|:=|=|:)\s{0,4})"
)
"""A name and what joins it to its value."""
_OPTION = re.compile(r"(?:(?<=\s)|^)--?([A-Za-z][A-Za-z0-9_\-]{1,40})(\s{1,4})(?=[^\s\-])")
_SAID = re.compile(
    r"\b(password|passcode|passphrase|pin|token|secret|key|otp)(\s{1,4}is:?\s{1,4})", re.IGNORECASE
)
_WORTH = re.compile(
    r"(?:(?:Bearer|Basic|Token|Digest|ApiKey)\s+)?"
    r"(?:(\\*[\"'])(.{0,8192}?)\1|([^\s\"'\\,;&<>(){}\[\]|]+))",
    re.IGNORECASE | re.DOTALL,
)
"""The value: after a scheme word; quoted, or up to what ends a word."""
_SCHEME_WORD = re.compile(r"Bearer|Basic|Token|Digest|ApiKey|OAuth", re.IGNORECASE)
_SPOKEN = re.compile(
    r"\b((?:Bearer|Basic|Token|ApiKey)\s+)([A-Za-z0-9._~+/\-]{8,}+={0,2}+)(?![@%])", re.IGNORECASE
)
_ELEMENT = re.compile(
    r"(<(?:[\w\-]+:)?([\w.\-]+)(?:\s[^<>]*)?>(?:<!\[CDATA\[)?)([^<>\]]+)(?=(?:\]\]>)?</)"
)
_ATTRIBUTES = re.compile(
    r"(\b(?:name|key|property|type)=\\*[\"']([^\"'<>\\]+)\\*[\"'][^<>]{0,300}?\b(?:value|content)=\\*[\"'])"
    r"([^\"'<>\\]+)",
    re.IGNORECASE,
)
"""`name="csrf_token" ... value="..."`."""
_USER_OPTION = re.compile(r"((?:(?<=\s)-u|--user)[ =]\s{0,4}[\"']?[^\s:\"']+:)([^\s\"']+)")
_SPECIAL = re.compile(
    r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)(?:-----END \1-----|\Z)"
    r"|data:[\w/+.\-]+;base64,[A-Za-z0-9+/=]+"
    r"|[A-Za-z][A-Za-z0-9+.\-]*://[^\s\"'<>\\^`{|}]+",
    re.DOTALL,
)
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)(.*?)(-----END|\Z)", re.DOTALL)
_JOINED = re.compile(r"[=:< ]")
_URL_ALONE = re.compile(r"https?://[^\s\"'<>\\^`{|}]+")
_ORDINARY = {formats.Look.ORDINARY}
_NUMBERED = re.compile(r"\d[\d -]{8}|[A-Z]{2}\d\d ?[A-Z0-9]{4}")
_SPACE = re.compile(r"\s")
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)([^\s/?#@:]*)(:?)([^\s/?#@]*)(@)")
_HASH_BEFORE = re.compile(
    r"(?:sha\d*|md5|commit|hash|digest|checksum|etag|revision|rev|id|uuid|fingerprint|integrity|"
    r"tree|blob|object|nonce)[\"'\s]*[:=\-/ ]\s*[\"']?$",
    re.IGNORECASE,
)
_GATES = word_set(
    "reset token tokens invite invites invitation invitations verify verification activate "
    "activation confirm confirmation unsubscribe magic password recover recovery hooks "
    "webhook webhooks share login"
)
"""Path segments after which a long random segment opens something."""


class Values:
    """Redacts values with one key; `hits` collects the rule of each replacement."""

    def __init__(self, key: bytes, names: Names) -> None:
        self._key, self._names = key, names
        self.hits: list[str] = []
        self._cache: tuple[dict[str, tuple[str, tuple[str, ...]]], ...] = tuple(
            {} for _ in range(len(Kind) + 1)
        )
        self._tokens: dict[str, str] = {}
        self._depth = 0
        self._json = Rewriter(names, string=self.value, number=self.number)

    def value(self, text: str, kind: Kind) -> str:
        """TEXT, found under a name of KIND, without secrets."""
        size = len(text)
        if size < 6 and (not size or kind not in _SECRET):
            return text
        cache = self._cache[kind]
        known = cache.get(text)
        if known is None:
            mark = len(self.hits)
            out = self._value(text, kind)
            if len(cache) >= CACHED_MAX:
                cache.clear()
            if size <= CACHED_LENGTH_MAX:
                cache[text] = out, tuple(self.hits[mark:])
            return out
        if known[1]:
            self.hits += known[1]
        return known[0]

    def number(self, text: str, kind: Kind) -> str:
        """The JSON number TEXT, replaced by digits when it is secret."""
        card = kind in (Kind.PLAIN, Kind.CONTAINER) and len(text) >= 12 and text.isdigit()
        if kind is Kind.SECRET or (card and len(text) <= 19 and formats.is_card(text)):
            new = make_number_token(self._key, text)
            if new != text:
                self.hits.append("card" if card else "field")
            return new
        return text

    def json(self, text: str) -> str | None:
        """The JSON document TEXT without secrets; None when it is none."""
        mark = len(self.hits)
        out = self._json.rewrite(text)
        if out is None:
            del self.hits[mark:]
        return out

    def token(self, text: str, rule: str) -> str:
        """The token for all of TEXT; a token stays itself."""
        if not text or is_token(text) or (rule not in _BY_NAME and holds_token(text)):
            return text
        self.hits.append(rule)
        known = self._tokens.get(text)
        if known is None:
            known = make_token(self._key, text)
            if len(self._tokens) >= CACHED_MAX:
                self._tokens.clear()
            if len(text) <= CACHED_LENGTH_MAX:
                self._tokens[text] = known
        return known

    def credential(self, text: str, rule: str) -> str:
        """TEXT as in an `authorization` header: the scheme word stays."""
        found = _SCHEME.fullmatch(text)
        return found[1] + self.token(found[2], rule) if found else self.token(text, rule)

    def cookies(self, text: str) -> str:
        """A `cookie` header: names stay (RFC 6265, 4.2)."""
        return ";".join(self._cookie(part) for part in text.split(";"))

    def set_cookie(self, text: str) -> str:
        """A `set-cookie` header: name and attributes stay (RFC 6265, 4.1)."""
        pair, semicolon, attributes = text.partition(";")
        return self._cookie(pair) + semicolon + attributes

    def _cookie(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return name + equals + self.token(value.strip(), "cookie") if equals else pair

    def _value(self, text: str, kind: Kind) -> str:
        if kind in _SECRET:
            return self._secret(text)
        if kind is Kind.ALLOWED:
            return text
        if kind is Kind.EMAIL and "@" in text and not text.isascii():
            return self.token(text, "email")
        if not INTEREST.search(text) or self._depth >= NESTED_MAX:
            return text
        self._depth += 1
        try:
            if text[0] in "{[" or text.lstrip()[:1] in ("{", "["):
                out = self.json(text)
                if out is not None:
                    return out
            if text[0] == "/" and formats.is_relative(text) and not _SPACE.search(text):
                return self.url(text)
            return self._text(text, kind)
        finally:
            self._depth -= 1

    def _secret(self, text: str) -> str:
        if _MASK.fullmatch(text) or text.lower() in _WORDS_NOT_SECRET:
            return text
        return self.credential(text, "field")

    def _text(self, text: str, kind: Kind) -> str:
        """Free text: what is special in it by its own rules, all else by form."""
        if "://" not in text and "-----BEGIN" not in text and ";base64," not in text:
            return self._plain(text, kind)
        if _URL_ALONE.fullmatch(text):
            return self.url(text)
        out: list[str] = []
        last = 0
        for found in _SPECIAL.finditer(text):
            out.append(self._plain(text[last : found.start()], kind))
            whole = found[0]
            if found[1] is not None:
                secret = "PRIVATE" in found[1]
                out.append(
                    whole.replace(found[2], self.token(found[2], "format")) if secret else whole
                )
            elif whole.startswith("data:"):
                out.append(whole)
            else:
                out.append(self.url(whole))
            last = found.end()
        out.append(self._plain(text[last:], kind))
        return "".join(out)

    def _plain(self, text: str, kind: Kind) -> str:
        if len(text) < 6:
            return text
        if kind is not Kind.IDENTITY and _JOINED.search(text):
            lower = text.lower()
            if any(map(lower.__contains__, STEMS)):
                text = self._named(text)
        if "@" in text:
            text = formats.EMAIL.sub(self._email, text)
        runs = formats.RUN.findall(text)
        if runs:
            looks = set(map(formats.look, runs))
            if formats.Look.KNOWN in looks or any(mark in text for mark in formats.CUT_MARKS):
                text = formats.replace_known(text, self._format)
            if looks != _ORDINARY:
                text = formats.RUN.sub(self._run_rule(kind), text)
        if kind is not Kind.IDENTITY and _NUMBERED.search(text):
            text = formats.DIGITS.sub(self._card, text)
            text = formats.SSN.sub(lambda found: self.token(found[0], "ssn"), text)
            text = formats.IBAN.sub(self._iban, text)
        return text

    def _named(self, text: str) -> str:
        """Secrets that the text itself names: `password=...`, `<pin>...</pin>`, `Bearer ...`."""
        if "</" in text:
            text = _ELEMENT.sub(self._by_name, text)
        if "=" in text and "<" in text:
            text = _ATTRIBUTES.sub(self._by_name, text)
        if "=" in text or ":" in text:
            text = self._joined(text, _JOINT)
        if " -" in text or text.startswith("-"):
            text = _USER_OPTION.sub(lambda f: f[1] + self.token(f[2], "userinfo"), text)
            text = self._joined(text, _OPTION)
        if " is" in text:
            text = self._joined(text, _SAID)
        return _SPOKEN.sub(self._spoken, text) if _SCHEME_WORD.search(text) else text

    def _by_name(self, found: re.Match[str]) -> str:
        if self._names.kind(found[2]) in _SECRET:
            return found[1] + self._secret(found[3])
        return found[0]

    def _joined(self, text: str, pattern: re.Pattern[str]) -> str:
        """TEXT with the values replaced that follow a secret name and a joint of PATTERN."""
        out: list[str] = []
        last = 0
        for found in pattern.finditer(text):
            if found.start() < last or self._names.kind(found[1]) not in _SECRET:
                continue
            worth = _WORTH.match(text, found.end())
            if worth is None:
                continue
            group = 3 if worth[2] is None else 2
            secret = worth[group]
            sure = "=" in found[2] or group == 2 or _strange(secret)
            new = self._secret(secret) if sure and not _SCHEME_WORD.fullmatch(secret) else secret
            if new != secret:
                out += (text[last : worth.start(group)], new)
                last = worth.end(group)
        return "".join([*out, text[last:]]) if out else text

    def _spoken(self, found: re.Match[str]) -> str:
        secret = found[2]
        if found[1][:5].lower() == "basic":
            inner = formats.decoded_base64(secret)
            if inner is None or ":" not in inner:
                return found[0]
        elif not _strange(secret):
            return found[0]
        return found[1] + self.token(secret, "format")

    def recognisable(self, text: str) -> str:
        """TEXT without what is recognisable anywhere, even between binary data."""
        text = formats.replace_known(text, self._format)
        text = formats.EMAIL.sub(self._email, text)
        return _PRIVATE_KEY.sub(lambda f: f[1] + self.token(f[2], "format") + f[3], text)

    def _format(self, found: re.Match[str]) -> str:
        return self.token(found[0], "format")

    def _email(self, found: re.Match[str]) -> str:
        text = found[0]
        if not formats.email_ending(found[1]) or is_token(text):
            return text
        self.hits.append("email")
        return make_email_token(self._key, text)

    def _card(self, found: re.Match[str]) -> str:
        text = found[0]
        return self.token(text, "card") if formats.is_card(text) else text

    def _iban(self, found: re.Match[str]) -> str:
        iban = formats.iban_in(found[0])
        return self.token(iban, "iban") + found[0][len(iban) :] if iban else found[0]

    def _run_rule(self, kind: Kind) -> Callable[[re.Match[str]], str]:
        def rule(found: re.Match[str]) -> str:
            run = found[0]
            if formats.look(run) is formats.Look.ORDINARY:
                return run
            inner = formats.decoded_base64(run)
            if inner is not None:
                return self._enclosed(run, inner)
            if kind is Kind.IDENTITY or holds_token(run) or not formats.looks_random(run):
                return run
            if _HASH_BEFORE.search(found.string[max(0, found.start() - 24) : found.start()]):
                return run
            return self.token(run, "entropy")

        return rule

    def _enclosed(self, run: str, inner: str) -> str:
        """RUN, the base64 of INNER, with INNER's secrets replaced."""
        new = self.value(inner, Kind.PLAIN)
        if new == inner:
            return run
        coded = b64encode(new.encode()).decode()
        if "-" in run or "_" in run:
            coded = coded.replace("+", "-").replace("/", "_")
        return coded if run.endswith("=") else coded.rstrip("=")

    def url(self, text: str) -> str:
        """A URL, whole or from its path on, without secrets."""
        found = _USERINFO.match(text) if "@" in text else None
        if found is not None:
            return self._userinfo(found) + self.url(text[found.end() :])
        address, hash_mark, fragment = text.partition("#")
        address, question, query = address.partition("?")
        address = self.path(address)
        if query:
            query = self.form(query, rule="query")
        if "=" in fragment:
            fragment = self.form(fragment, rule="query")
        return address + question + query + hash_mark + fragment

    def _userinfo(self, found: re.Match[str]) -> str:
        mark, user, colon, password, at = found.groups()
        if password:
            password = self.token(password, "userinfo")
        elif len(user) >= 16 and _strange(user):
            user = self.token(user, "userinfo")
        return mark + user + colon + password + at

    def path(self, text: str) -> str:
        """A URL's path: ids stay, whatever they look like; known formats and addresses go."""
        if len(text) < 6:
            return text
        if "hooks" in text:
            text = formats.HOOK.sub(self._format, text)
        segments = text.split("/")
        for place, raw in enumerate(segments):
            if len(raw) >= 6:
                plain = unquote(raw) if "%" in raw else raw
                new = self._segment(plain, segments[place - 1] if place else "")
                if new != plain:
                    segments[place] = new if plain == raw else _quoted(new, raw)
        return "/".join(segments)

    def _segment(self, text: str, before: str) -> str:
        """One segment of a path, after the segment BEFORE it."""
        if "@" in text:
            text = formats.EMAIL.sub(self._email, text)
        if ";" in text and "=" in text:  # matrix parameters: `;jsessionid=...`
            text = self._joined(text, _JOINT)
        if len(text) < formats.RUN_LENGTH_MIN - 4:
            return text
        if formats.may_hold_known(text):
            text = formats.replace_known(text, self._format)
        if formats.RUN.fullmatch(text) and _GATES.intersection(parts(before)):
            return self.token(text, "path") if formats.looks_random(text) else text
        return text

    def form(self, text: str, *, rule: str = "field") -> str:
        """A query or form body as it stands; only changed values are encoded anew."""
        out = []
        for part in text.split("&"):
            name, _, raw = part.partition("=")
            if part and not raw:
                part = self.path(part)
            elif raw:
                plain = unquote_plus(raw) if "%" in raw or "+" in raw else raw
                new = self.pair(unquote_plus(name), plain, rule=rule)
                if new != plain:
                    part = f"{name}={new if plain == raw else _quoted(new, raw)}"
            out.append(part)
        return "&".join(out)

    def pair(self, name: str, value: str, *, rule: str = "field") -> str:
        """The value of a query parameter or form field."""
        kind = self._names.kind(name)
        if rule == "query" and kind not in _SECRET and _opens(name, value):
            kind = Kind.SECRET
        return self.value(value, kind)


def _quoted(text: str, raw: str) -> str:
    """TEXT percent-encoded in the manner of RAW: what stood there plainly still does."""
    coded = quote(text, safe="".join(set(raw) - set("%+&")))
    return coded.replace("%20", "+") if "+" in raw else coded


_QUERY_SECRETS = word_set("sig signature code hmac key credential state sid")


def _opens(name: str, value: str) -> bool:
    """A query parameter that signs or opens a URL although its name is not secret elsewhere."""
    words = parts(name)
    return bool(words) and words[-1] in _QUERY_SECRETS and len(value) >= 16 and _strange(value)


def _strange(text: str) -> bool:
    """TEXT is no word: digits among letters, signs, or capitals inside."""
    plain = text.strip(".,;:!?()'\"")
    if len(plain) < 4 or formats.UUID.fullmatch(plain):
        return False
    if plain.isalpha():
        return not (plain.islower() or plain.isupper() or plain.istitle())
    if plain.isdigit():
        return True
    return any(char.isdigit() or char in "!@#$%^&*+~=" for char in plain)
