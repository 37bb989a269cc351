"""Small questions about URLs: what a parameter opens, how a value is encoded."""

from __future__ import annotations

from urllib.parse import quote

from premortem.capture.kinds import PERSONAL, Kind, word_set
from premortem.capture.named import strange
from premortem.capture.names import parts

IN_PATH = PERSONAL - {Kind.NAME, Kind.CALLED, Kind.STREET, Kind.PLACE, Kind.SENSITIVE, Kind.DEVICE}
"""Kinds that the segment before says of a segment: `/phones/+4930123456`."""
REMEMBERED = frozenset((Kind.DEVICE, Kind.NATIONAL, Kind.ACCOUNT, Kind.CARD, Kind.PHONE))
"""Kinds of values that stand for somebody in a path, too; words there mean something else."""
GATES = word_set(
    "reset token tokens invite invites invitation invitations verify verification activate "
    "activation confirm confirmation unsubscribe magic password recover recovery hooks "
    "webhook webhooks share shared login services session sessions auth oauth sso key keys secret "
    "secrets access bot join accept redeem claim otp code download downloads feed ics rss private "
    "callback register registration signup link links"
)
"""Path segments after which a long random segment opens something."""


def quoted(text: str, raw: str) -> str:
    """TEXT percent-encoded in the manner of RAW: what stood there plainly still does."""
    coded = quote(text, safe="".join(set(raw) - set("%+&")))
    return coded.replace("%20", "+") if "+" in raw else coded


_QUERY_SECRETS = word_set("sig signature code hmac key credential state sid ticket")


def opens(name: str, value: str) -> bool:
    """A query parameter that signs or opens a URL although its name is not secret elsewhere."""
    words = parts(name)
    return bool(words) and words[-1] in _QUERY_SECRETS and len(value) >= 16 and strange(value)
