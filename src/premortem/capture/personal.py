"""Personal data: what a value under a personal name has to look like, and what it becomes.

A name alone is no proof: `"phone": "iPhone 15"` and `"address": "0x8f3..."` are none. A value that
is not of its name's kind is left to the rules for plain values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

from premortem.capture.kinds import Kind, word_set
from premortem.domain.check_digits import FORMS, apart, is_card, may_hold_form
from premortem.domain.pseudonyms import Pseudonyms, significant

CLASSES: dict[str, tuple[Kind, ...]] = {
    "name": (Kind.NAME, Kind.CALLED, Kind.PERHAPS_NAME, Kind.PERSON),
    "address": (Kind.STREET, Kind.PERHAPS_PLACE, Kind.PLACE),
    "birth": (Kind.BIRTH,),
    "email": (Kind.EMAIL,),
    "phone": (Kind.PHONE,),
    "ip": (Kind.IP,),
    "position": (Kind.POSITION,),
    "device": (Kind.DEVICE,),
    "national-id": (Kind.NATIONAL,),
    "card": (Kind.CARD,),
    "account": (Kind.ACCOUNT,),
    "sensitive": (Kind.SENSITIVE,),
}
"""What the configuration calls the classes of personal data -> the kinds of each."""
RULE_OF = {kind: name for name, kinds in CLASSES.items() for kind in kinds}

NAME_LENGTH_MAX = 300
TEXT_LENGTH_MAX = 600
_NOBODY = word_set(
    "null none n/a na unknown anonymous undefined nil nan test - -- true false guest admin root "
    "default other redacted hidden private system"
)
_MASK = re.compile(r"[*•]{2,}|(?<![A-Za-z])[Xx]{3,}(?![A-Za-z])|#{3,}")
_LETTER = re.compile(r"[^\W\d_]")
_NAME = re.compile(r"[^\W\d_][^\d_@:/\\{}<>=\[\]|;\"#%&+*?!$^~]*")
_PHONE_TEXT = re.compile(
    r"(?:tel:|sms:)?[+(]?[\d(][\d\s().\-/\u2011]{4,28}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?"
)
_ID_TEXT = re.compile(r"[A-Za-z0-9](?:[ ./\-<]{0,3}[A-Za-z0-9<]){3,40}")
_CARD_TEXT = re.compile(r"\d(?:[ -]?\d){11,18}")
_CODE_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 \-]{2,10}")
_DEVICE_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._\-]{7,200}")
_DECIMAL = re.compile(r"(?<![\d.])[-+]?\d{1,3}\.\d{2,20}(?![\d.])")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+|[0-9a-f]{16,}")
IP4 = re.compile(r"(?<![\w.\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)")
IP6 = re.compile(
    r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?::(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
)
_COMPANY = re.compile(
    r"\b(?:inc|ltd|llc|llp|plc|corp|corporation|company|co|gmbh|ag|kg|ug|se|sa|sas|sarl|srl|spa|"
    r"bv|nv|oy|ab|as|aps|pty|limited|group|holding|bank|university|foundation|team|store|shop|"
    r"services|systems|solutions|labs?|app|api|service|studio|hotel|restaurant|hospital)\b\.?",
    re.IGNORECASE,
)
_FULL_NAME = re.compile(
    r"[A-Z\u00c0-\u024f][\w'’.\-]*(?: (?:de|da|di|del|della|van|von|der|den|la|le|bin|al|el|dos|"
    r"[A-Z\u00c0-\u024f][\w'’.\-]*)){1,4}"
)

# In any text


PHONE_FORM = re.compile(
    r"(?<![\w+.=/\-])(?:\+[1-9](?:[ .\-/]?\d|[ ]?\(\d{1,4}\)){6,14}"
    r"|\([2-9]\d\d\) ?[2-9]\d\d[-. ]\d{4}"
    r"|[2-9]\d\d([-.])[2-9]\d\d\1\d{4})(?![\w\-]|\.\d)"
)
_PHONE_SAID = re.compile(
    r"(\b(?:tele?(?:phone|fon|fono|foon)?|phone|call(?:ed|er|back)?|mobile?|cell|fax|handy|sms|"
    r"whatsapp|rufnummer|tél|móvil|celular|msisdn)\b[.:=]{0,2}[\s\"']{0,2}"
    r"(?:(?:no|nr|number|me|us|at|on|is|to|from|unter|number is)[.:]?\s){0,3})"
    r"(\(?\+?\d[\d ()/.\-]{5,20}\d)(?![\w])",
    re.IGNORECASE,
)
_BIRTH_SAID = re.compile(
    r"(\b(?:born(?: on)?|d\.?o\.?b\.?|date of birth|birth ?da(?:te|y)|geb(?:oren)?\.?(?: am)?|"
    r"geburtsdatum|n[ée]e? le|nacid[oa] el|nat[oa] il)[:=]?\s{0,2})"
    r"(\d{4}-\d\d-\d\d|\d\d?[./\- ]\d\d?[./\- ]\d{4}|\d\d? [A-Z]\w{2,9} \d{4}"
    r"|[A-Z]\w{2,9} \d\d?, \d{4})",
    re.IGNORECASE,
)
IP_SAID = re.compile(
    r"(\b(?:from|client|clients|ip|ips|remote|peer|address|addr|for|by|via|user|source|src|origin|"
    r"login|host|visitor|ipv4|ipv6|rhost)\b[\"']?[ =:\[(\"']{1,4})"
    r"((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){2,7})(?![\w.\-]*[\w])",
    re.IGNORECASE,
)
_IP_FIRST = re.compile(
    r"(^)((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){2,7})"
    r"(?= \S{1,64} \S{1,64} \[)",
    re.MULTILINE,
)
"""Common log format: the client stands first."""
_DIALLED = re.compile(r"\+[1-9]|\d[-. )]{1,2}\d{3}[-. ]\d{4}")
_PHONE_WORDS: tuple[str, ...] = (
    "phone",
    "tel",
    "tél",
    "fon",
    "call",
    "mobil",
    "cell",
    "fax",
    "handy",
    "sms",
)
_PHONE_WORDS += ("whatsapp", "rufnummer", "móvil", "celular", "msisdn")
_BIRTH_WORDS = ("born", "birth", "dob", "d.o.b", "geb", "né", "nacid", "nat")
_ADDRESS = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d|[0-9a-fA-F]:[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}")
_MAC = re.compile(r"(?<![\w:\-])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:\-])")
_MRZ = re.compile(r"[PIAC][A-Z<][A-Z]{3}[A-Z<]{20,39}\n?(?:[A-Z0-9<]{30,44})?")
"""The machine readable zone of a passport (ICAO 9303)."""
WRITTEN = apart("|".join(form.loose for form in FORMS if form.loose))
FOUND_IN_TEXT = re.compile(
    rb"(?:[Bb]orn|BORN|DOB|dob|geboren|n\xc3\xa9e? le|nacid[oa]|[Pp]hone|[Tt]ele?[fp]|[Cc]all|"
    rb"[Mm]obile|"
    rb"[Cc]ell|[Ff]ax|[Hh]andy|SMS)\b[^\n]{0,24}\d|P<[A-Z]{3}|(?:[0-9A-Fa-f]{2}:){5}|"
    rb"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9a-fA-F]{1,4}:[0-9a-fA-F]{0,4}:"
)
"""Bodies of plain text that may hold what `in_text` replaces."""
WRITTEN_LOOSELY = re.compile("|".join(form.loose for form in FORMS if form.loose))
_NUMBERED = re.compile(r"\d[\d .\-]{6}|[A-Z]{2}\d\d ?[A-Z0-9]{3}|[A-Z]{4}\d{4}")


class Personal:
    """Replaces personal data with one key; `hits` gets the rule of each replacement."""

    def __init__(self, key: bytes, hits: list[str], *, off: frozenset[str] = frozenset()) -> None:
        self._made = Pseudonyms(key)
        self._hits = hits
        self._off = off
        """Classes that stay."""
        self._by_kind: dict[Kind, Callable[[str], str | None]] = {
            Kind.NAME: self._name,
            Kind.CALLED: self._called,
            Kind.STREET: self._street,
            Kind.PLACE: self._place,
            Kind.BIRTH: self._birth,
            Kind.PHONE: self._phone,
            Kind.IP: self._addresses,
            Kind.POSITION: self._position,
            Kind.DEVICE: self._device,
            Kind.NATIONAL: self._national,
            Kind.CARD: self._card,
            Kind.ACCOUNT: self._account,
            Kind.SENSITIVE: self._sensitive,
            Kind.PERSON: self._person,
        }

    def shaped(self, text: str, rule: str) -> str:
        """TEXT with letters for letters and digits for digits."""
        new = self._made.shaped(text)
        if new != text:
            self._hits.append(rule)
        return new

    def value(self, text: str, kind: Kind) -> str | None:
        """TEXT, which a name says to be of KIND, replaced; None when it is not of that kind."""
        plain = text.strip()
        if not plain or len(plain) > TEXT_LENGTH_MAX or "@" in plain:
            return None
        if plain.lower() in _NOBODY or _MASK.search(plain):
            return text
        new = self._by_kind[kind](plain)
        if new is None:
            return None
        if new == plain:
            return text
        self._hits.append(RULE_OF[kind])
        return text.replace(plain, new, 1)

    def number(self, text: str, kind: Kind) -> str:
        """The JSON number TEXT under a name of KIND, as another number of that kind."""
        made = self._made
        new = text
        if kind is Kind.POSITION:
            new = made.fraction(text) if "e" not in text.lower() else text
        elif kind is Kind.BIRTH:
            if text.lstrip("-").isdigit():
                new = made.birth(text) if len(text) in (4, 8) else made.epoch(text)
        elif text.isdigit() and kind in _NUMBERS and len(text) >= _NUMBERS[kind]:
            new = self._by_kind[kind](text) or text
        if new != text:
            if new[0] == "0" and len(new) > 1 and new[1] != ".":
                new = "7" + new[1:]
            self._hits.append(RULE_OF[kind])
        return new

    def _name(self, text: str) -> str | None:
        if len(text) > NAME_LENGTH_MAX or not _NAME.fullmatch(text):
            return None
        return self._made.words(text)

    def _called(self, text: str) -> str | None:
        """A name that may be an account's: several words, or one with a capital at its start."""
        if " " not in text and text.isascii() and not (text.istitle() or text.isupper()):
            return None
        return None if _COMPANY.search(text) else self._name(text)

    def _person(self, text: str) -> str | None:
        if not _FULL_NAME.fullmatch(text) or _COMPANY.search(text):
            return None
        return self._made.words(text)

    def _sensitive(self, text: str) -> str | None:
        return self._made.words(text) if _LETTER.search(text) else None

    def _street(self, text: str) -> str | None:
        if IP4.fullmatch(text) or IP6.fullmatch(text):
            return self._addresses(text)
        if "@" in text or "://" in text or _HEXADECIMAL.fullmatch(text) or text[0] in "{[</":
            return None
        return self._made.words(text) if _LETTER.search(text) else None

    def _place(self, text: str) -> str | None:
        if any(char.isdigit() for char in text):
            return self._made.shaped(text) if _CODE_TEXT.fullmatch(text) else self._street(text)
        return self._made.words(text) if len(text) <= 80 else None

    def _birth(self, text: str) -> str | None:
        digits = sum(char.isdigit() for char in text)
        if digits < 4 or len(text) > 40:
            return None
        return self._made.epoch(text) if text.isdigit() and digits > 8 else self._made.birth(text)

    def _phone(self, text: str) -> str | None:
        digits = sum(char.isdigit() for char in text)
        if not 6 <= digits <= 17 or not _PHONE_TEXT.fullmatch(text):
            return None
        head = text[:4] if text[:4] in ("tel:", "sms:") else ""
        return head + self._made.phone(text[len(head) :])

    def _addresses(self, text: str) -> str | None:
        new = IP4.sub(self._ip, text)
        if ":" in new:
            new = IP6.sub(self._ip, new)
        return new if new != text else None

    def _ip(self, found: re.Match[str]) -> str:
        return self.ip(found[0])

    def ip(self, text: str) -> str:
        """The address TEXT replaced; those of no particular machine stay."""
        try:
            address = ip_address(text)
        except ValueError:
            return text
        if address.is_loopback or address.is_unspecified or address.is_multicast:
            return text
        if address.version == 4:
            return text if text.startswith("255.") else self._made.ipv4(text)
        return text if text.startswith("2001:2:0:") else self._made.ipv6(address)

    def _position(self, text: str) -> str | None:
        new = _DECIMAL.sub(lambda found: self._made.fraction(found[0]), text)
        return new if new != text else None

    def _device(self, text: str) -> str | None:
        if not _DEVICE_TEXT.fullmatch(text) or not any(char.isdigit() for char in text):
            return None
        return self._made.imei(text)

    def _national(self, text: str) -> str | None:
        digits = sum(char.isdigit() for char in text)
        if _MRZ.fullmatch(text):
            return self._made.shaped(text)
        if digits < 4 or not _ID_TEXT.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
            return None
        return self._made.national(text)

    def _card(self, text: str) -> str | None:
        return self._made.card(text) if _CARD_TEXT.fullmatch(text) else None

    def _account(self, text: str) -> str | None:
        digits = sum(char.isdigit() for char in text)
        if digits < 4 or not _ID_TEXT.fullmatch(text):
            return None
        return self._made.iban(text)

    # In any text

    def in_text(self, text: str) -> str:
        """Free TEXT without the numbers that are personal by their form or the word before."""
        if ":" in text and "device" not in self._off:
            text = _MAC.sub(self._rule("device", lambda f: self._made.shaped(f[0])), text)
        if not _NUMBERED.search(text) and text.count(":") < 2:
            return text
        lower = text.lower()
        if "national-id" not in self._off and may_hold_form(text):
            text = WRITTEN.sub(self._rule("national-id", self._written), text)
            if "<<" in text:
                text = _MRZ.sub(self._rule("national-id", lambda f: self._made.shaped(f[0])), text)
        if "phone" not in self._off and _DIALLED.search(text):
            text = PHONE_FORM.sub(self._rule("phone", self._phone_in), text)
        if "phone" not in self._off and any(map(lower.__contains__, _PHONE_WORDS)):
            text = _PHONE_SAID.sub(self._rule("phone", self._said(self._phone)), text)
        if "birth" not in self._off and any(map(lower.__contains__, _BIRTH_WORDS)):
            text = _BIRTH_SAID.sub(self._rule("birth", self._said(self._birth)), text)
        if "ip" not in self._off and _ADDRESS.search(text):
            text = _IP_FIRST.sub(self._rule("ip", self._said(self.ip)), text)
            text = IP_SAID.sub(self._rule("ip", self._said(self.ip)), text)
        return text

    def card(self, text: str) -> str:
        """TEXT, digits with blanks or signs, replaced where they are a card's number."""
        if "card" in self._off or not is_card(text):
            return text
        new = self._made.card(text)
        if new != text:
            self._hits.append("card")
        return new

    def iban(self, text: str) -> str:
        """The IBAN TEXT replaced."""
        if "account" in self._off:
            return text
        new = self._made.iban(text)
        if new != text:
            self._hits.append("account")
        return new

    def _rule(
        self, name: str, make: Callable[[re.Match[str]], str | None]
    ) -> Callable[[re.Match[str]], str]:
        def rule(found: re.Match[str]) -> str:
            new = make(found)
            if new is None or new == found[0]:
                return found[0]
            self._hits.append(name)
            return new

        return rule

    def _said(self, make: Callable[[str], str | None]) -> Callable[[re.Match[str]], str | None]:
        return lambda found: found[1] + (make(found[2]) or found[2])

    def _phone_in(self, found: re.Match[str]) -> str | None:
        text = found[0]
        digits = "".join(char for char in text if char.isdigit())
        if text[0] == "+" and len(significant(True, digits)) == len(digits):
            return None  # no country has that code
        return self._phone(text)

    def _written(self, found: re.Match[str]) -> str | None:
        text = found[0]
        plain = "".join(char for char in text if char.isalnum())
        for form in FORMS:
            if (
                form.written is not None
                and form.written.fullmatch(text)
                and form.pattern.fullmatch(plain)
                and form.valid(plain)
            ):
                return self._made.national(text)
        return None


_NUMBERS = {
    Kind.PHONE: 7,
    Kind.NATIONAL: 6,
    Kind.CARD: 12,
    Kind.ACCOUNT: 6,
    Kind.PLACE: 4,
    Kind.DEVICE: 14,
}
"""Kinds that come as JSON numbers -> the fewest digits of one."""
