"""What a short text means, as 384 numbers: texts that mean about the same lie near each other.

The sentence encoder all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, Reimers and Gurevych 2019):
six layers of BERT (Devlin et al. 2019) over the text's word pieces, averaged. Computed with numpy
from the published weights, which are mapped, not read; a question takes hundredths of a second.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from premortem.errors import ModelError

TOKENS_MAX = 128
"""Word pieces of one text that are read; a question has some twenty."""
BATCH_MAX = 64
"""Texts that are computed together."""
WORD_CHARACTERS_MAX = 100
"""Longer words are unknown ones."""
HEADER_BYTES_MAX = 1_000_000
_EPSILON = 1e-12
_HEAD_WIDTH = 32
_DTYPES: Mapping[str, Any] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
_UNKNOWN, _BEGIN, _END = "[UNK]", "[CLS]", "[SEP]"

Floats = npt.NDArray[np.float32]


class MiniLM:
    """The encoder, opened from its two files.

    WEIGHTS is a safetensors file, VOCABULARY has a word piece a line. Raises ModelError when one
    of them cannot be read or is something else.
    """

    def __init__(self, weights: Path, vocabulary: Path) -> None:
        self._tensors = read_safetensors(weights)
        try:
            pieces = vocabulary.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot read the word pieces in {vocabulary}: {error}") from None
        self._pieces = {piece: at for at, piece in enumerate(pieces)}
        try:
            self._words = self._tensors["embeddings.word_embeddings.weight"]
            self._places = self._tensors["embeddings.position_embeddings.weight"]
            self._kind = self._tensors["embeddings.token_type_embeddings.weight"][0]
            special = [self._pieces[piece] for piece in (_UNKNOWN, _BEGIN, _END)]
        except KeyError as error:
            raise ModelError(
                f"{weights} and {vocabulary} are no encoder: {error} is missing"
            ) from None
        self._unknown, self._begin, self._end = special
        self._layers = sum(name.endswith("attention.self.query.weight") for name in self._tensors)

    @property
    def width(self) -> int:
        """Numbers that a text becomes."""
        return int(self._words.shape[1])

    def embed(self, texts: Sequence[str]) -> Floats:
        """TEXTS as vectors of length 1, shape (len(texts), width), in order.

        The dot product of two is the cosine between them. An empty text has one, too.
        """
        found = np.zeros((len(texts), self.width), np.float32)
        rows: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
        for at, text in enumerate(texts):
            ids = self._ids(text)
            rows[len(ids)].append((at, ids))  # texts of one length: nothing has to be filled up
        for alike in rows.values():
            for start in range(0, len(alike), BATCH_MAX):
                batch = alike[start : start + BATCH_MAX]
                vectors = self._states(np.array([ids for _, ids in batch])).mean(axis=1)
                norms = np.linalg.norm(vectors, axis=1, keepdims=True)
                found[[at for at, _ in batch]] = vectors / np.maximum(norms, _EPSILON)
        return found

    def _ids(self, text: str) -> list[int]:
        ids = [self._pieces.get(piece, self._unknown) for piece in word_pieces(text, self._pieces)]
        return [self._begin, *ids[: TOKENS_MAX - 2], self._end]

    def _states(self, ids: npt.NDArray[np.int64]) -> Floats:
        """The last layer's states, shape (texts, pieces, width)."""
        states = self._words[ids] + self._places[: ids.shape[1]] + self._kind
        states = self._norm(np.asarray(states, np.float32), "embeddings.LayerNorm")
        for number in range(self._layers):
            states = self._layer(states, f"encoder.layer.{number}.")
        return states

    def _layer(self, states: Floats, prefix: str) -> Floats:
        texts, length, width = states.shape

        def heads(name: str) -> Floats:
            parts = self._dense(states, f"{prefix}attention.self.{name}")
            parts = parts.reshape(texts, length, width // _HEAD_WIDTH, _HEAD_WIDTH)
            return parts.transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / math.sqrt(_HEAD_WIDTH)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        heard = (shares @ heads("value")).transpose(0, 2, 1, 3).reshape(texts, length, width)
        heard = self._dense(heard, f"{prefix}attention.output.dense")
        states = self._norm(states + heard, f"{prefix}attention.output.LayerNorm")
        inner = _gelu(self._dense(states, f"{prefix}intermediate.dense"))
        inner = self._dense(inner, f"{prefix}output.dense")
        return self._norm(states + inner, f"{prefix}output.LayerNorm")

    def _dense(self, states: Floats, name: str) -> Floats:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        flat: Floats = states.reshape(-1, states.shape[-1]) @ weight.T + bias
        return flat.reshape(*states.shape[:-1], -1)

    def _norm(self, states: Floats, name: str) -> Floats:
        centred = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _EPSILON)
        scaled = centred / spread * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        return np.asarray(scaled, np.float32)


def _gelu(values: Floats) -> Floats:
    """x times the normal distribution's share below x (Hendrycks and Gimpel 2016).

    The error function by Abramowitz and Stegun 7.1.26, to within 1.5e-7.
    """
    sized = np.abs(values) / np.float32(math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * sized)
    series = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    rest: Any = np.zeros_like(values)
    for factor in reversed(series):
        rest = (rest + np.float32(factor)) * t
    below = 1 - rest * np.exp(-sized * sized)
    return np.asarray(values * np.float32(0.5) * (1 + np.sign(values) * below), np.float32)


def read_safetensors(path: Path) -> Mapping[str, Any]:
    """The tensors of a safetensors file by name, mapped from the disk, as 32-bit floats.

    The format: eight bytes with the header's length, the header as JSON, the numbers. Raises
    ModelError for anything else. Tensors of other types are left out.
    """
    try:
        data = np.memmap(path, np.uint8, mode="r")
        length = min(int(np.frombuffer(data[:8], "<u8")[0]), HEADER_BYTES_MAX)
        header = json.loads(bytes(data[8 : 8 + length]))
        found: dict[str, Any] = {}
        for name, told in header.items():
            dtype = _DTYPES.get(told.get("dtype", ""))
            if dtype is None:
                continue
            start, end = (8 + length + offset for offset in told["data_offsets"])
            found[name] = data[start:end].view(dtype).reshape(told["shape"])
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise ModelError(f"cannot read the weights in {path}: {error}; fetch them again") from None
    return {
        name: tensor if tensor.dtype == np.float32 else tensor.astype(np.float32)
        for name, tensor in found.items()
    }


def word_pieces(text: str, known: Mapping[str, int]) -> Iterator[str]:
    """TEXT as BERT's word pieces (WordPiece, Schuster and Nakajima 2012), in lower case.

    Always the longest piece of KNOWN that fits; `##` stands before those that go on with a word.
    """
    for word in _words(text):
        pieces: list[str] = []
        start = 0
        while start < len(word) and len(word) <= WORD_CHARACTERS_MAX:
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if mark + word[start:end] in known), None)
            if end is None:
                break
            pieces.append(mark + word[start:end])
            start = end
        yield from pieces if start == len(word) else (_UNKNOWN,)


def _words(text: str) -> Iterator[str]:
    """Words and signs, without accents."""
    word: list[str] = []
    for character in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(character)
        if kind == "Mn" or kind.startswith("C"):
            if kind.startswith("C") and character.isspace() and word:
                yield "".join(word)
                word = []
            continue
        alone = _is_sign(character, kind) or _is_ideograph(character)
        if (character.isspace() or alone) and word:
            yield "".join(word)
            word = []
        if alone:
            yield character
        elif not character.isspace():
            word.append(character)
    if word:
        yield "".join(word)


def _is_sign(character: str, kind: str) -> bool:
    code = ord(character)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or kind.startswith("P")


def _is_ideograph(character: str) -> bool:
    """Chinese characters stand for words."""
    code = ord(character)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF
