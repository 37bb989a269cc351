"""What is said of a question that nothing is made of: what was understood, what was not, and what
comes nearest, a line each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from premortem.agent.understanding.words import STOPWORDS

NEAREST_MAX = 3
"""Operations that are offered."""
WORDS_MAX = 8
"""Words that a line repeats."""
_ENGLISH_ONLY = "; only English is understood"
_FOREIGN = frozenset(
    [
        "der",
        "das",
        "und",
        "ist",
        "nicht",
        "ein",
        "eine",
        "einen",
        "einer",
        "wenn",
        "wird",
        "werden",
        "wurde",
        "zweimal",
        "passiert",
        "mit",
        "auf",
        "ohne",
        "kann",
        "von",
        "wie",
        "dem",
        "den",
        "zu",
        "bei",
        "sich",
        "wer",
        "doppelt",
        "le",
        "les",
        "une",
        "des",
        "est",
        "pas",
        "que",
        "qui",
        "quand",
        "avec",
        "sans",
        "deux",
        "fois",
        "dans",
        "peut",
        "deja",
        "sont",
        "aux",
        "ses",
        "el",
        "los",
        "las",
        "una",
        "es",
        "cuando",
        "con",
        "veces",
        "puede",
        "se",
        "por",
        "del",
        "como",
        "esta",
        "il",
        "gli",
        "di",
        "che",
        "non",
        "senza",
        "volte",
        "viene",
        "della",
        "una",
        "sono",
        "os",
        "um",
        "uma",
        "quando",
        "com",
        "sem",
        "duas",
        "vezes",
        "pode",
        "het",
        "een",
        "niet",
        "als",
        "wanneer",
        "zonder",
        "twee",
        "keer",
        "wordt",
        "wat",
        "gebeurt",
        "jest",
        "jesli",
        "nie",
        "dwa",
        "razy",
        "gdy",
        "bez",
        "czy",
        "zostanie",
        "inte",
        "och",
        "som",
        "gange",
        "ikke",
        "eller",
        "hvis",
        "hvad",
    ]
)
"""Small words of other languages that no English one is written like."""
_FOREIGN_MIN = 2
_LATIN_END = 0x24F
"""The last letter of Latin Extended-B."""


def refusal(
    question: str,
    *,
    understood: Sequence[str],
    lacks: str,
    unknown: Sequence[str],
    nearest: Sequence[str],
) -> str:
    """Three lines on QUESTION; LACKS: what it does not name. NEAREST: ids of operations."""
    known = ", ".join(understood[:WORDS_MAX]) or "nothing"
    left = ", ".join(unknown[:WORDS_MAX]) or "nothing more"
    near = "none; `premortem profile` lists all"
    if nearest:
        near = f"{'; '.join(nearest[:NEAREST_MAX])}; or `premortem explore '{nearest[0]}'`"
    return (
        f"understood: {known}; {lacks}\n"
        f"not understood: {left}{_ENGLISH_ONLY if is_foreign(question) else ''}\n"
        f"nearest operations: {near}"
    )


def is_foreign(text: str) -> bool:
    """Whether TEXT is clearly in another language than English."""
    letters = [character for character in text if character.isalpha()]
    if 2 * sum(ord(letter) > _LATIN_END for letter in letters) > len(letters):
        return True
    words = re.findall(r"[^\W\d_]+", text.lower())
    foreign = sum(word in _FOREIGN for word in words)
    return foreign >= _FOREIGN_MIN and foreign > sum(word in STOPWORDS for word in words)
