"""Values that a text itself names: `password=...`, `email: ...`, `--token x`, `the pin is x`."""

from __future__ import annotations

import re
from collections.abc import Callable

from premortem.capture import formats
from premortem.capture.kinds import HIDDEN, PERHAPS, PERSONAL, SECRET, Kind, word_set
from premortem.capture.names import Names
from premortem.capture.scopes import NEIGHBOURLY, WAITING_MAX, Edits, Scope, about, edited

STEMS = word_set(
    "pass pwd secret token key auth cred cvv cvc pin otp cookie csrf code sid sig jwt mnemonic -u "
    "bearer basic card"
)
"""One of these stands in every name of a secret in Latin letters but few; in lower case."""
_JOINT = re.compile(
    r"(?<![\w])([^\W\d][\w.\-\[\]]{1,60})"
    r"((?:\\*[\"']|&(?:quot|apos|#0?3[49]|#[xX]2[27]);)?[ \t]{0,4}(?:=>|:=|=|:)(?!//)\s{0,4})"
)
"""A name and what joins it to its value."""
_OPTION = re.compile(r"(?:(?<=\s)|^)--?([A-Za-z][A-Za-z0-9_\-]{1,40})(\s{1,4})(?=[^\s\-])")
_SAID = re.compile(
    r"\b(password|passcode|passphrase|pin|token|secret|key|otp|passwort|contraseña|iban|ssn)"
    r"(\s{1,4}(?:is:?|was|ist|lautet)\s{1,4})",
    re.IGNORECASE,
)
_NETRC = re.compile(
    r"(\b(?:password|passwd|account))([ \t]{1,4}|\s{1,4})(?=[^\s=:])", re.IGNORECASE
)
"""`machine h login u password p` (netrc, inetutils)."""
_NETRC_BEFORE = re.compile(r"\b(?:machine\s{1,4}\S+|default)\s{1,8}(?:login\s{1,4}\S+\s{1,8})?$")
_WORTH = re.compile(
    r"(?:(?:Bearer|Basic|Token|Digest|ApiKey)\s+)?"
    r"(?:(\\*[\"']|&(?:quot|apos|#0?3[49]|#[xX]2[27]);)(.{0,8192}?)\1"
    r"|(?:\\*[\"'])?([^\s\"'\\,;&<>(){}\[\]|]+))",
    re.IGNORECASE | re.DOTALL,
)
"""The value: after a scheme word; quoted, or up to what ends a word."""
_PHRASE = re.compile(
    r"[^\s\"'\\;&<>{}\[\]|=][^\r\n\"\\;&<>{}\[\]|=]{0,160}?"
    r"(?=,?\s{1,4}[\w.\-]{1,40}[=:]|,?\s{0,4}(?:[\"\\;&<>{}\[\]|\r\n]|\Z)"
    r"|,\s{0,4}[\w.\-]{1,40}[=:]| - )"
)
"""A value of several words: up to the next name, or the end of the line."""
_PHRASED = (PERSONAL - {Kind.DEVICE}) | frozenset(PERHAPS)
_SCHEME_WORD = re.compile(r"Bearer|Basic|Token|Digest|ApiKey|OAuth", re.IGNORECASE)
_SCHEMES = ("bearer", "basic", "token", "apikey", "api-key")
_SPOKEN = re.compile(
    r"\b((?:Bearer|Basic|Token|ApiKey)\s+)([A-Za-z0-9._~+/\-]{8,}+={0,2}+)(?![@%])", re.IGNORECASE
)
_USER_OPTION = re.compile(r"((?:(?<=\s)-u|--user)[ =]\s{0,4}[\"']?[^\s:\"']+:)([^\s\"']+)")
_AT_START = re.compile(r"[\s\-\"'#{]*")


class Named:
    """Replaces what texts name; HIDE gets a text and the kind that its name says."""

    def __init__(
        self,
        names: Names,
        hide: Callable[[str, Kind], str],
        token: Callable[[str, str], str],
    ) -> None:
        self._names, self._hide, self._token = names, hide, token

    def rewrite(self, text: str) -> str:
        """TEXT, which is no markup, without what it names."""
        if "=" in text or ":" in text:
            text = self._joined(text)
        if " -" in text or text.startswith("-"):
            text = _USER_OPTION.sub(lambda f: f[1] + self._token(f[2], "userinfo"), text)
            text = self.secrets(text, _OPTION)
        if " is" in text or " was" in text or " ist" in text or " lautet" in text:
            text = self.secrets(text, _SAID)
        if "login" in text or "machine" in text:
            text = self.secrets(text, _NETRC, after=_NETRC_BEFORE)
        lower = text.lower()
        if any(map(lower.__contains__, _SCHEMES)):
            text = _SPOKEN.sub(self._spoken, text)
        return text

    def secrets(
        self, text: str, pattern: re.Pattern[str] = _JOINT, after: re.Pattern[str] | None = None
    ) -> str:
        """TEXT with the secrets replaced that follow a name and a joint of PATTERN."""
        edits: Edits = {}
        last = 0
        for found in pattern.finditer(text):
            if found.start() < last or self._names.kind(found[1]) not in HIDDEN:
                continue
            if after and not after.search(text, max(0, found.start() - 300), found.start()):
                continue
            kind = self._names.kind(found[1])
            last = max(last, self._value(text, found, Kind.SECRET if after else kind, edits))
        return edited(text, edits)

    def _joined(self, text: str) -> str:
        edits: Edits = {}
        last = 0
        groups = _Lines(text, self._names)
        for found in _JOINT.finditer(text):
            kind = self._names.kind(found[1])
            scope = groups.scope(found, kind)
            if found.start() < last or (kind not in HIDDEN and kind not in PERHAPS):
                continue
            if kind in NEIGHBOURLY:
                scope.hear(kind)
                kind = scope.decided(kind)
            if kind in PERHAPS:
                if len(scope.undecided) < WAITING_MAX:
                    place = found.start(), found.end(), found[2], True, kind
                    scope.undecided.append(place)
            elif kind in HIDDEN:
                last = max(last, self._value(text, found, kind, edits))
        for scope in groups.all:
            for start, _, _, _, kind in scope.undecided:
                sure = scope.decided(kind)
                again = _JOINT.match(text, start)
                if sure is not kind and again is not None:
                    self._value(text, again, sure, edits)
        return edited(text, edits)

    def _value(self, text: str, found: re.Match[str], kind: Kind, edits: Edits) -> int:
        """Replace what follows FOUND, a name of KIND and its joint; where that ends, or 0."""
        worth = _WORTH.match(text, found.end())
        if worth is None:
            return 0
        quoted = worth[2] is not None
        group = 2 if quoted else 3
        start, end = worth.span(group)
        secret = worth[group]
        if kind in SECRET:
            sure = "=" in found[2] or quoted or strange(secret) or _whole_line(text, found, end)
            if not sure or _SCHEME_WORD.fullmatch(secret):
                return 0
        elif not quoted and "\n" in found[2]:
            return 0  # a heading and what is below
        elif not quoted and kind in _PHRASED:
            phrase = _PHRASE.match(text, start)
            if phrase is not None and phrase.end() > end:
                new = self._hide(phrase[0], kind)
                if new != phrase[0]:
                    edits[start] = phrase.end(), new
                    return phrase.end()
        new = self._hide(secret, kind)
        if new == secret:
            return 0
        edits[start] = end, new
        return end

    def _spoken(self, found: re.Match[str]) -> str:
        secret = found[2]
        if found[1][:5].lower() == "basic":
            inner = formats.decoded_base64(secret)
            if inner is None or ":" not in inner:
                return found[0]
        elif not strange(secret):
            return found[0]
        return found[1] + self._token(secret, "format")


class _Lines:
    """Groups the named values of a text: of one line, or of lines of one indentation."""

    def __init__(self, text: str, names: Names) -> None:
        self._text, self._names = text, names
        self.all: list[Scope] = []
        self._open: list[tuple[int, Scope, Scope]] = []
        """Indentation, the group there, and the scope of what the last name there encloses."""
        self._line = -1
        self._of_line: Scope | None = None
        self._end = -1

    def scope(self, found: re.Match[str], kind: Kind) -> Scope:
        """The group that the value named by FOUND belongs to."""
        text, start = self._text, found.start()
        if start > self._end or self._of_line is None:
            self._line = text.rfind("\n", 0, start) + 1
            self._end = text.find("\n", start)
            self._end = len(text) if self._end < 0 else self._end
            self._of_line = self._indented(start, kind)
        return self._of_line

    def _indented(self, start: int, kind: Kind) -> Scope:
        lead = self._text[self._line : start]
        if not _AT_START.fullmatch(lead) or len(lead) > 80:
            return self._made(Scope(is_object=True, kind=Kind.PLAIN))
        indent = len(lead)
        while self._open and self._open[-1][0] > indent:
            self._open.pop()
        fresh = "-" in lead
        if self._open and self._open[-1][0] == indent and not fresh:
            group = self._open.pop()[1]
        else:
            if self._open and self._open[-1][0] == indent:
                self._open.pop()
            outer = self._open[-1][2] if self._open else Scope(is_object=True, kind=Kind.PLAIN)
            group = self._made(
                Scope(
                    is_object=True, kind=outer.kind, about=outer.about, has_street=outer.has_street
                )
            )
        inside = Scope(is_object=True, kind=kind, about=about(group, kind))
        inside.has_street = kind is Kind.STREET
        if len(self._open) < 100:
            self._open.append((indent, group, inside))
        return group

    def _made(self, scope: Scope) -> Scope:
        self.all.append(scope)
        return scope


def _whole_line(text: str, found: re.Match[str], end: int) -> bool:
    """The name stands first in its line, as in YAML, and the value up to END last."""
    line = text.rfind("\n", 0, found.start()) + 1
    stop = text.find("\n", end)
    rest = text[end : stop if stop >= 0 else len(text)]
    return (
        "\n" in text
        and found.start() - line < 80
        and not rest.strip(" \t\r\"',;")
        and _AT_START.fullmatch(text, line, found.start()) is not None
    )


def strange(text: str) -> bool:
    """TEXT is no word: digits among letters, signs, or capitals inside."""
    plain = text.strip(".,;:!?()'\"")
    if len(plain) < 4 or formats.UUID.fullmatch(plain):
        return False
    if plain.isalpha():
        return not (plain.islower() or plain.isupper() or plain.istitle())
    if plain.isdigit():
        return True
    return any(char.isdigit() or char in "!@#$%^&*+~=" for char in plain)
