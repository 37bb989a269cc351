"""The sentence encoder: its pieces on a small one made by hand, the whole where it was fetched."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from premortem.errors import ModelError
from premortem.models import ENCODER, find_cached
from premortem.models.minilm import MiniLM, _gelu, read_safetensors, word_pieces

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "pay", "##ment", "##s", "a", "bill", ",", "cafe"]
KNOWN = {piece: at for at, piece in enumerate(PIECES)}
WIDTH, INNER = 64, 96


def safetensors(path, tensors, dtype="F32"):
    header, blocks, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in tensors.items():
        block = tensor.astype("<f4" if dtype == "F32" else "<f2").tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(block)],
        }
        blocks.append(block)
        at += len(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))
    return path


def tensors(layers=2):
    random = np.random.default_rng(7)

    def some(*shape):
        return random.normal(0, 0.2, shape)

    found = {
        "embeddings.word_embeddings.weight": some(len(PIECES), WIDTH),
        "embeddings.position_embeddings.weight": some(200, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
        "embeddings.LayerNorm.weight": np.ones(WIDTH),
        "embeddings.LayerNorm.bias": np.zeros(WIDTH),
    }
    for number in range(layers):
        prefix = f"encoder.layer.{number}."
        for name, shape in (
            ("attention.self.query", (WIDTH, WIDTH)),
            ("attention.self.key", (WIDTH, WIDTH)),
            ("attention.self.value", (WIDTH, WIDTH)),
            ("attention.output.dense", (WIDTH, WIDTH)),
            ("intermediate.dense", (INNER, WIDTH)),
            ("output.dense", (WIDTH, INNER)),
        ):
            found[f"{prefix}{name}.weight"] = some(*shape)
            found[f"{prefix}{name}.bias"] = some(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"{prefix}{name}.weight"] = np.ones(WIDTH)
            found[f"{prefix}{name}.bias"] = np.zeros(WIDTH)
    return found


@pytest.fixture
def small(tmp_path):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(PIECES) + "\n")
    return MiniLM(safetensors(tmp_path / "model.safetensors", tensors()), vocabulary)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Payments", ["pay", "##ment", "##s"]),
        ("a bill, a payment", ["a", "bill", ",", "a", "pay", "##ment"]),
        ("Café", ["cafe"]),
        ("bill\ta", ["bill", "a"]),
        ("paying", ["[UNK]"]),
        ("漢字", ["[UNK]", "[UNK]"]),
        ("x" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_a_text_is_cut_into_the_longest_known_pieces(text, pieces):
    assert list(word_pieces(text, KNOWN)) == pieces


def test_a_text_is_the_same_beside_others_and_alone(small):
    texts = ["a bill", "payments", "a payment, a bill", "bill a", ""]
    together = small.embed(texts)
    assert together.shape == (5, WIDTH)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(small.embed([text])[0], vector, atol=1e-5)
    assert not np.allclose(together[0], together[3], atol=1e-3)  # order counts


def test_no_texts_are_no_vectors(small):
    assert small.embed([]).shape == (0, WIDTH)


def test_a_long_text_is_cut_off(small):
    assert np.isfinite(small.embed(["a bill " * 500])).all()


def test_the_activation_is_the_one_with_the_error_function():
    values = np.linspace(-6, 6, 101, dtype=np.float32)
    exact = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in values.tolist()]
    assert np.allclose(_gelu(values), exact, atol=2e-6)


def test_half_precision_is_read_too(tmp_path):
    path = safetensors(tmp_path / "half.safetensors", {"x": np.array([[0.5, -2.0]])}, dtype="F16")
    found = read_safetensors(path)["x"]
    assert (found.dtype, found.tolist()) == (np.float32, [[0.5, -2.0]])


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 64, (4).to_bytes(8, "little") + b"{}}}"]
)
def test_other_files_are_said_to_be_no_weights(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot read the weights"):
        read_safetensors(path)


def test_files_that_lack_something_are_said_to_be_no_encoder(tmp_path):
    weights = safetensors(tmp_path / "model.safetensors", {"x": np.ones((1, 1))})
    vocabulary = tmp_path / "vocab.txt"
    with pytest.raises(ModelError, match="cannot read the word pieces"):
        MiniLM(weights, vocabulary)
    vocabulary.write_text("\n".join(PIECES))
    with pytest.raises(ModelError, match="is missing"):
        MiniLM(weights, vocabulary)


def test_the_published_encoder_gives_the_published_numbers():
    weights, pieces = map(find_cached, ENCODER)
    if weights is None or pieces is None:
        pytest.skip("not fetched: premortem models fetch minilm")
    vectors = MiniLM(weights, pieces).embed(
        [
            "The weather is lovely today.",
            "It's so sunny outside!",
            "He drove to the stadium.",
        ]
    )
    # From the documentation of sentence-transformers.
    assert np.allclose(
        vectors @ vectors.T,
        [[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]],
        atol=5e-4,
    )
