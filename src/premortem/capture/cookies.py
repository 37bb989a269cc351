"""Cookies: which of them sign somebody in or tell a person, and which set a colour or a language.

Decided by the cookie's name and the form of its value, for both are free (RFC 6265, 4.1.1).
"""

from __future__ import annotations

import re
from functools import lru_cache

from premortem.capture.kinds import HIDDEN, Kind, word_set
from premortem.capture.names import Names, parts

_SESSION = word_set(
    "sid session sess sessid sessionid phpsessid jsessionid aspsessionid connect auth token jwt "
    "login remember refresh access id uid user userid account csrf xsrf key sso saml oauth ticket "
    "credential secret identity bearer csrftoken authtoken cart basket visitor client device "
    "customer member tracking ga gid fbp fbc gcl ajs amplitude mixpanel hubspotutk intercom "
    "awsalb awsalbcors arraffinity route sticky backend laravel symfony rack asp aspnet aspxauth "
    "incap visid nlbi cf clearance bm abck datadome signature sig hash nonce state"
)
"""One of these in a cookie's name makes its value a credential or the mark of a person."""
_SETTINGS = word_set(
    "theme lang language locale currency color colour mode timezone tz consent cookieconsent "
    "region country units layout view sort size font density sidebar dark banner seen dismissed "
    "accepted preference preferences prefs variant experiment ab test feature features flag flags "
    "version tab page perpage zoom sound volume platform os screen resolution dpr debug beta i18n "
    "direction notice tour onboarding newsletter popup viewed"
)
_TAME = re.compile(
    r"[A-Za-z]{1,12}(?:[-_][A-Za-z]{2,12}){0,3}|\d{1,4}|[\d.]{1,8}|[A-Za-z]+/[A-Za-z_]+(?:/[A-Za-z_]+)?"
    r"|\d{4}-\d\d-\d\d"
)
"""A word, a locale, a small number, a time zone, a date: what a setting looks like."""
_GLUED = re.compile(r"sess|auth|token|csrf|xsrf|jwt|login|remember|passw|secret")


def is_setting(name: str, value: str, names: Names) -> bool:
    """The cookie NAME with its VALUE is a setting, which many visitors share."""
    kind = names.kind(name)
    if kind in HIDDEN or kind is Kind.IDENTITY:
        return False
    marks, sets = _about(name)
    if marks or not value:
        return not marks
    return _TAME.fullmatch(value) is not None or (sets and len(value) <= 12)


@lru_cache(maxsize=4096)
def _about(name: str) -> tuple[bool, bool]:
    """Whether the cookie NAME marks somebody, and whether it names a setting."""
    words = set(parts(name))
    marks = bool(words & _SESSION) or _GLUED.search(name.lower()) is not None
    return marks, bool(words & _SETTINGS)
