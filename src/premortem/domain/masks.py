"""Values that were hidden before they were shown: `***`, `****1234`, `j***@example.com`."""

from __future__ import annotations

import re
from typing import Any

_MASK = re.compile(r"[*•●█▪·]{2,}|(?<![A-Za-z0-9])X{3,}(?![A-Za-z])|\bx{4,}(?=[-\d])")
_WORD = re.compile(
    r"\W*(redacted|hidden|masked|obfuscated|confidential|restricted)\W*", re.IGNORECASE
)
TEXT_MAX = 200
"""Longer texts are content; stars in them are the author's."""


def is_masked(value: Any) -> bool:
    """Whether VALUE is a text that stands for another one, which its reader is not to see."""
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        return False
    return _MASK.search(value) is not None or _WORD.fullmatch(value) is not None
