"""Redaction of one value: by its field's kind, by its form, and inside what it encloses.

A value may hold others: JSON in a string, a URL with credentials, text in base64, a log line.
All rules work on decoded text and replace secrets by tokens of the same length.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from urllib.parse import unquote, unquote_plus

from premortem.capture import formats
from premortem.capture.cookies import is_setting
from premortem.capture.json_text import UNCHANGED_BELOW, Rewriter
from premortem.capture.kinds import HIDDEN, PERHAPS, PERSONAL, SECRET, Kind
from premortem.capture.markup import Markup
from premortem.capture.named import Named, strange
from premortem.capture.names import Names, parts
from premortem.capture.own_rules import OwnRules
from premortem.capture.personal import Personal
from premortem.capture.scopes import Scope
from premortem.capture.urls import GATES, IN_PATH, REMEMBERED, opens, quoted
from premortem.domain.check_digits import iban_in, is_card
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
REMEMBERED_LENGTH_MIN = 8
"""Of values that are replaced in a path because they were replaced under a name before."""
NESTED_MAX = 8
"""Values inside values inside values."""

_BY_NAME = ("field", "header", "cookie")
"""Rules that take a value whole; others leave what holds a token, being redacted already."""
_MASK = re.compile(r"[*•·.\-_#]+")
_WORDS_NOT_SECRET = frozenset(("true", "false", "null", "none", "undefined", "nil", ""))
_SCHEME = re.compile(
    r"((?:Bearer|Basic|Token|ApiKey|Api-Key|Digest|OAuth|Negotiate|NTLM|Hawk|AWS4-HMAC-SHA256|SSWS|"
    r"GoogleLogin|MAC|JWT)\s+)(\S.*)",
    re.IGNORECASE | re.DOTALL,
)

_SPECIAL = re.compile(
    r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)(?:-----END \1-----|\Z)"
    r"|data:[\w/+.\-]+;base64,[A-Za-z0-9+/=]+"
    r"|[A-Za-z][A-Za-z0-9+.\-]*://[^\s\"'<>\\^`{|}]+",
    re.DOTALL,
)
_PRIVATE_KEY = re.compile(r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)(.*?)(-----END|\Z)", re.DOTALL)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_JOINED = re.compile(r"[=:< ]")
_URL_ALONE = re.compile(r"https?://[^\s\"'<>\\^`{|}]+")
_ORDINARY = {formats.Look.ORDINARY}
_NUMBERED = re.compile(
    r"[\dA-Z:](?:(?<=\d)[\d .()/\-]{6}|(?<=[A-Z])[A-Z](?:\d\d ?[A-Z0-9]|[A-Z]{2}\d{4})|"
    r"(?<=:)[0-9a-fA-F]*(?::[0-9a-fA-F]*){2})"
)
_NUMBER_SIGN = re.compile(r"[\d:]")
"""At most four characters into what `_NUMBERED` finds."""
_SPACE = re.compile(r"\s")
_NO_PASSWORD = "x-oauth-basic"  # noqa: S105 - what stands there when the user is the token
_USERINFO = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]*://)([^\s/?#@:]*)(:?)((?!\d{1,5}[/?#])[^\s/@\"'<>]*|[^\s/?#@]*)(@)"
)
"""A number and a slash or so after the colon are a port; else `#` and `?` are the password's."""
_HASH_BEFORE = re.compile(
    r"(?:sha\d*|md5|commit|hash|digest|checksum|etag|revision|rev|id|uuid|fingerprint|integrity|"
    r"tree|blob|object|nonce|trace|span|build)[\"'\s]*[:=\-/ ]\s*[\"']?$",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"([A-Za-z_][\w.\-]{0,40})[\"']?\s{0,3}[=:]\s{0,3}[\"']?$")


class Values:
    """Redacts values with one key; `hits` collects the rule of each replacement."""

    def __init__(self, key: bytes, names: Names, own: OwnRules) -> None:
        self._key, self._names = key, names
        self.hits: list[str] = []
        self._cache: tuple[dict[str, tuple[str, tuple[str, ...]]], ...] = tuple(
            {} for _ in range(len(Kind) + 1)
        )
        self._tokens: dict[str, str] = {}
        self._segments: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
        self._depth = 0
        self._own = own
        self.personal = Personal(key, self.hits, off=own.off)
        self._json = Rewriter(names, string=self.value, number=self.number, quick=not own.patterns)
        self._markup = Markup(names, self.value)
        self._named = Named(names, self.value, self.token)

    def value(self, text: str, kind: Kind) -> str:
        """TEXT, found under a name of KIND, without secrets."""
        size = len(text)
        if self._own.patterns and kind not in HIDDEN and kind is not Kind.ALLOWED:
            text = self._own.rewrite(text, self._names.place, self._put)
        if size < UNCHANGED_BELOW and (
            not size or (kind not in HIDDEN and kind is not Kind.PERSON)
        ):
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
        if kind in PERSONAL:
            return self.personal.number(text, kind)
        if kind in (Kind.OWN, Kind.DROPPED):
            return "0" if kind is Kind.DROPPED else self._number(text)
        card = kind in (Kind.PLAIN, Kind.CONTAINER) and len(text) >= 12 and text.isdigit()
        if kind is Kind.SECRET or (card and len(text) <= 19 and is_card(text)):
            if card:
                return self.personal.card(text)
            return self._number(text)
        return text

    def _number(self, text: str) -> str:
        new = make_number_token(self._key, text)
        if new != text:
            self.hits.append("field")
        return new

    def _put(self, text: str, name: str, replace: str) -> str:
        """What stands for TEXT, which a pattern of the configuration found."""
        if replace == "keep-format":
            return self.personal.shaped(text, name)
        if replace == "drop":
            self.hits.append(name)
            return ""
        return self.token(text, name)

    def json(self, text: str) -> str | None:
        """The JSON document TEXT without secrets; None when it is none."""
        mark = len(self.hits)
        out = self._json.rewrite(text)
        if out is None:
            del self.hits[mark:]
        return out

    def broken_json(self, text: str) -> str:
        """TEXT, which begins like JSON and was cut off or is wrong, without secrets."""
        start, rest = self._json.salvage(text)
        return start + (self.value(rest, Kind.PLAIN) if rest else "")

    def token(self, text: str, rule: str) -> str:
        """The token for all of TEXT; a token stays itself."""
        if not text or is_token(text) or (rule not in _BY_NAME and holds_token(text)):
            return text
        self.hits.append(rule)
        known = self._tokens.get(text)
        if known is None or not is_token(known):  # the same text was a phone before, say
            known = make_token(self._key, text)
            self._remember(text, known)
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
        plain = value.strip()
        if not equals or self._names.kind(name.strip()) is Kind.ALLOWED:
            return pair
        if is_setting(name.strip(), plain, self._names):
            return name + equals + self.value(value, Kind.PLAIN)
        return name + equals + self.token(plain, "cookie")

    def _value(self, text: str, kind: Kind) -> str:  # noqa: C901 - one branch a rule
        if self._own.allowed and self._own.allows(text):
            return text
        if kind in SECRET or (kind is Kind.OPENING and len(text) >= 16 and strange(text)):
            return self._secret(text)
        if kind is Kind.ALLOWED:
            return text
        if kind is Kind.OWN:
            return self.personal.shaped(text, "field")
        if kind is Kind.DROPPED:
            self.hits.append("field")
            return ""
        if kind in PERSONAL or kind is Kind.PERSON:
            plain = unquote(text) if _ENCODED.search(text) else text
            new = self._personal(plain, kind)
            if new is not None:
                return new if plain is text or new == plain else quoted(new, text)
        if self._depth >= NESTED_MAX or not formats.of_interest(text):
            return text
        self._depth += 1
        try:
            if text[0] in "{[" or text.lstrip()[:1] in ("{", "["):
                out = self.json(text)
                if out is not None:
                    return out
            if "%7" in text and text[:3].upper() in ("%7B", "%5B"):
                inner = self.json(unquote(text))
                if inner is not None:
                    return text if inner == unquote(text) else quoted(inner, text)
            if text[0] == "/" and formats.is_relative(text) and not _SPACE.search(text):
                return self.url(text)
            return self._text(text, kind)
        finally:
            self._depth -= 1

    def _personal(self, text: str, kind: Kind) -> str | None:
        new = self.personal.value(text, kind)
        if new is None or new == text or kind not in REMEMBERED:
            return new
        if len(text) >= REMEMBERED_LENGTH_MIN:
            self._remember(text, new)
        return new

    def _remember(self, text: str, new: str) -> None:
        """What was replaced by its name is known again where no name stands, as in a path."""
        if len(self._tokens) >= CACHED_MAX:
            self._tokens.clear()
        if len(text) <= CACHED_LENGTH_MAX:
            self._tokens[text] = new

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
            if "</" in text or "/>" in text or "<input" in text:
                text = self._markup.rewrite(text)
            text = self._named.rewrite(text)
        if "@" in text:
            text = formats.replace_emails(text, self._email)
        runs = formats.RUN.findall(text)
        if runs:
            looks = set(map(formats.look, runs))
            if formats.Look.KNOWN in looks or any(mark in text for mark in formats.CUT_MARKS):
                text = formats.replace_known(text, self._format)
            if looks != _ORDINARY:
                text = formats.RUN.sub(self._run_rule(kind), text)
        return self._numbers(text) if kind is not Kind.IDENTITY else text

    def recognisable(self, text: str, *, known: bool) -> str:
        """TEXT without what is recognisable anywhere, even between binary data.

        KNOWN: it may hold credentials of known formats, and not addresses alone.
        """
        text = formats.replace_emails(text, self._email)
        if not known:
            return text
        text = formats.replace_known(text, self._format)
        return _PRIVATE_KEY.sub(lambda f: f[1] + self.token(f[2], "format") + f[3], text)

    def _format(self, found: re.Match[str]) -> str:
        return self.token(found[0], "format")

    def _email(self, found: re.Match[str]) -> str:
        text = found[0]
        if not formats.email_ending(found[1]) or is_token(text):
            return text
        self.hits.append("email")
        return make_email_token(self._key, text)

    def _iban(self, found: re.Match[str]) -> str:
        iban = iban_in(found[0])
        return self.personal.iban(iban) + found[0][len(iban) :] if iban else found[0]

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
            before = found.string[max(0, found.start() - 48) : found.start()]
            named = _NAME_BEFORE.search(before)
            if _HASH_BEFORE.search(before) or (
                named is not None and self._names.kind(named[1]) is Kind.IDENTITY
            ):
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
        if password and password != _NO_PASSWORD:
            password = self.token(password, "userinfo")
        if len(user) >= 16 and strange(user):
            user = self.token(user, "userinfo")
        return mark + user + colon + password + at

    def path(self, text: str) -> str:
        """A URL's path: ids stay, whatever they look like; what is secret or personal goes."""
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
                    segments[place] = new if plain == raw else quoted(new, raw)
        return "/".join(segments)

    def _segment(self, text: str, before: str) -> str:
        """One segment of a path, after the segment BEFORE it."""
        if self._own.patterns:
            text = self._own.rewrite(text, "path", self._put)
        if self._own.allowed and self._own.allows(text):
            return text
        token = self._tokens.get(text)
        if token is not None and (strange(text) or formats.UUID.fullmatch(text)):
            return self._again(text, token)
        known = self._segments.get((text, before))
        if known is None:
            mark = len(self.hits)
            new = self._unknown_segment(text, before)
            if len(self._segments) >= CACHED_MAX:
                self._segments.clear()
            self._segments[text, before] = new, tuple(self.hits[mark:])
            return new
        self.hits += known[1]
        return known[0]

    def _unknown_segment(self, text: str, before: str) -> str:
        if "@" in text:
            text = formats.replace_emails(text, self._email)
        if "=" in text and (";" in text or "," in text):  # matrix parameters: `;jsessionid=...`
            text = self._named.secrets(text)
        kind = self._names.kind(before)
        if kind in IN_PATH:
            new = self.personal.value(text, kind)
            if new is not None:
                return new
        if not text.isalpha():
            text = self._numbers(text)
        if len(text) < formats.RUN_LENGTH_MIN - 4:
            return text
        if formats.may_hold_known(text):
            text = formats.replace_known(text, self._format)
        if formats.RUN.fullmatch(text):
            inner = formats.decoded_base64(text)
            if inner is not None and ("{" in inner or "@" in inner or "=" in inner):
                return self._enclosed(text, inner)
            if GATES.intersection(parts(before)):
                return self.token(text, "path") if formats.looks_random(text) else text
        return text

    def _numbers(self, text: str) -> str:
        """TEXT without numbers that are personal by their form."""
        first = _NUMBER_SIGN.search(text)
        if first is None or not _NUMBERED.search(text, max(0, first.start() - 4)):
            return text
        text = formats.DIGITS.sub(lambda found: self.personal.card(found[0]), text)
        text = formats.IBAN.sub(self._iban, text)
        return self.personal.in_text(text)

    def _again(self, text: str, known: str) -> str:
        if known != text:
            self.hits.append("seen before")
        return known

    def form(self, text: str, *, rule: str = "field") -> str:
        """A query or form body as it stands; only changed values are encoded anew."""
        if text[:1] in ("{", "["):  # clients that send JSON under the default media type
            document = self.json(text)
            if document is not None:
                return document
        out = []
        end = text[len(text.rstrip()) :]  # a line's end is no part of the last value
        pieces = text.removesuffix(end).split("&")
        scope = self.scope(part.partition("=")[0] for part in pieces)
        for part in pieces:
            name, _, raw = part.partition("=")
            if part and not raw:
                part = self.path(part)
            elif raw:
                plain = unquote_plus(raw) if "%" in raw or "+" in raw else raw
                if "%" in name or "+" in name:
                    name = unquote_plus(name)
                new = self.pair(name, plain, rule=rule, scope=scope)
                if new != plain:
                    start = part[: part.index("=") + 1]
                    part = start + (new if plain == raw else quoted(new, raw))
            out.append(part)
        return "&".join(out) + end

    def scope(self, names: Iterable[str]) -> Scope | None:
        """Whom values are about that stand beside each other under NAMES, where that matters."""
        kind_of = self._names.kind
        kinds = [kind_of(unquote_plus(name) if "%" in name else name) for name in names]
        if PERHAPS.keys().isdisjoint(kinds):
            return None
        scope = Scope(is_object=True, kind=Kind.PLAIN)
        for kind in kinds:
            scope.hear(kind)
        return scope

    def kind(self, name: str, scope: Scope | None) -> Kind:
        """What the value under NAME is in SCOPE's light."""
        kind = self._names.kind(name)
        return scope.decided(kind) if scope is not None and kind in PERHAPS else kind

    def pair(
        self, name: str, value: str, *, rule: str = "field", scope: Scope | None = None
    ) -> str:
        """The value of a query parameter or form field, in SCOPE's light."""
        kind = self.kind(name, scope)
        if rule == "query" and kind not in SECRET and opens(name, value):
            kind = Kind.SECRET
        return self.value(value, kind)
