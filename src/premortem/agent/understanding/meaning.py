"""What a sentence encoder says of a question: which failure mode it tells of, which text it means.

The encoder knows that an invoice is like a bill and a fridge like a freezer; words alone do not.
It counts where its files are (`premortem models fetch minilm`); without them nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from premortem.agent.understanding.tellings import Told
from premortem.models import ENCODER, MiniLM, find_cached

TEXTS_MAX = 20_000
"""Texts that one Meaning remembers."""
FILES_MAX = 20
"""Services whose texts' vectors are kept, half a megabyte each."""

Floats = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Texts to vectors of length 1; `models.MiniLM`, or a made-up one in tests."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Shape (len(texts), width)."""
        ...


class Head(Struct, frozen=True, kw_only=True):
    """Multinomial logistic regression over vectors: which failure mode a text tells of."""

    modes: tuple[Told, ...]
    weights: Floats
    """Shape (modes, width + 1); the last column is the bias."""

    def likely(self, vector: Floats) -> dict[Told, float]:
        """How likely each mode is; all together 1."""
        sums = self.weights[:, :-1] @ vector + self.weights[:, -1]
        shares = np.exp(sums - sums.max())
        return dict(zip(self.modes, (shares / shares.sum()).tolist(), strict=True))


class Meaning:
    """What texts mean, by ENCODER; HEAD: trained on the tellings (benches/bench_understanding.py).

    FOLDER: where vectors of a service's texts are kept between processes; None: nowhere.
    """

    def __init__(self, encoder: Encoder, head: Head, *, folder: Path | None = None) -> None:
        self._encoder = encoder
        self._head = head
        self._folder = folder
        self._known: dict[str, Floats] = {}

    def likely(self, text: str) -> Mapping[Told, float]:
        """How likely TEXT tells of each failure mode, and of none; all together 1."""
        return self._head.likely(self.vectors([text])[0])

    def near(self, text: str, others: Sequence[str]) -> list[float]:
        """How near TEXT is to each of OTHERS: the cosine between them, in [-1, 1]."""
        own, *rest = self.vectors([text, *others])
        return [float(own @ other) for other in rest]

    def remember(self, texts: Sequence[str]) -> None:
        """Have the vectors of TEXTS, computed in an earlier process or now; a folder that cannot
        be written keeps none."""
        wanted = list(dict.fromkeys(texts))
        if self._folder is None or all(text in self._known for text in wanted):
            return
        path = self._folder / f"{sha256(repr(wanted).encode()).hexdigest()[:16]}.npy"
        try:
            held = np.load(path)
        except (OSError, ValueError):
            held = np.array(self.vectors(wanted))
            _keep(held, path)
        if len(held) == len(wanted):
            self._known.update(zip(wanted, held, strict=True))

    def vectors(self, texts: Iterable[str]) -> list[Floats]:
        """TEXTS as vectors; each is computed once."""
        wanted = list(texts)
        new = list(dict.fromkeys(text for text in wanted if text not in self._known))
        if len(self._known) + len(new) > TEXTS_MAX:
            self._known.clear()
            new = list(dict.fromkeys(wanted))
        if new:
            self._known.update(zip(new, self._encoder.embed(new), strict=True))
        return [self._known[text] for text in wanted]


def _keep(vectors: Floats, path: Path) -> None:
    """VECTORS in PATH, and only the newest FILES_MAX beside it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            np.save(part, vectors)
        Path(part.name).replace(path)
        kept = sorted(path.parent.glob("*.npy"), key=lambda one: one.stat().st_mtime)
        for old in kept[:-FILES_MAX]:
            old.unlink()
    except OSError:
        return  # it is computed again the next time


@cache
def head_of_tellings() -> Head:
    """The head that was trained on `modes/tellings.txt`."""
    with as_file(files("premortem.agent.modes") / "tellings.npz") as path, np.load(path) as held:
        return Head(modes=tuple(held["modes"].tolist()), weights=held["weights"].astype(np.float32))


def open_meaning() -> Meaning | None:
    """With the encoder that was fetched; None: none was. Raises ModelError: it is damaged."""
    weights, pieces = map(find_cached, ENCODER)
    return None if weights is None or pieces is None else _opened(weights, pieces)


@lru_cache(maxsize=1)
def _opened(weights: Path, pieces: Path) -> Meaning:
    folder = weights.parent.parent / "meaning"
    return Meaning(MiniLM(weights, pieces), head_of_tellings(), folder=folder)
