"""A model's GGUF file as tensors and tokenizer, and additions to it as one (extra `train`).

Sources: the GGUF specification; llama.cpp's `convert_hf_to_gguf.py` and `convert_lora_to_gguf.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

from premortem.errors import ModelError, ModelMissing

ARCHITECTURE = "llama"
"""The only one whose layers we know to translate."""
_LINEAR = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
LINEAR = tuple(name.partition(".")[2] for name in _LINEAR)
"""Layers that additions are made to, as transformers calls them."""
_CONTROL = 3
"""A token's type: never made of a text's characters."""
_CUTS = ("smollm", "starcoder", "refact", "command-r")
"""Ways of cutting a text before its bytes are paired, that are all the same one."""
_NEEDED = ("torch", "transformers", "peft", "gguf", "tokenizers")
_EXTRA = "fine-tuning is not installed; `pip install 'premortem[train,llm]'`"


class Heads(Struct, frozen=True, kw_only=True):
    """Attention heads, of queries and of keys."""

    queries: int
    keys: int


class Weights(Struct, frozen=True, kw_only=True):
    """What a GGUF file holds, as transformers wants it."""

    settings: Mapping[str, Any]
    """Of its `LlamaConfig`."""
    tensors: Mapping[str, Any]
    """Name -> float32 numpy array."""
    tokenizer: Any
    end: int
    """The token that ends an answer."""
    heads: Heads


def library(name: str) -> Any:
    """The module NAME of the extra `train`. Raises ModelMissing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelMissing(f"{_EXTRA} ({error})") from None


def require_training() -> None:
    """Nothing. Raises ModelMissing where the extra `train` is not installed; loads none of it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ModelMissing(f"{_EXTRA} (there is no {', no '.join(missing)})")


def read_weights(path: Path) -> Weights:
    """PATH's weights, dequantised. Raises ModelMissing, or ModelError for what we cannot tune."""
    gguf, quants, numpy = library("gguf"), library("gguf.quants"), library("numpy")
    try:
        reader = gguf.GGUFReader(str(path))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the model {path}: {error}") from None
    told = {name: field.contents() for name, field in reader.fields.items()}
    if told.get("general.architecture") != ARCHITECTURE:
        raise ModelError(
            f"{path} is of the architecture {told.get('general.architecture')!r}; only models of "
            f"the architecture {ARCHITECTURE!r} can be fine-tuned: name one under [models.NAME]"
        )
    raw = {
        tensor.name: numpy.array(
            quants.dequantize(tensor.data, tensor.tensor_type), dtype=numpy.float32
        )
        for tensor in reader.tensors
    }
    heads = Heads(
        queries=told["llama.attention.head_count"],
        keys=told.get("llama.attention.head_count_kv", told["llama.attention.head_count"]),
    )
    return Weights(
        settings=_settings(told, heads, tied="output.weight" not in raw),
        tensors=_tensors(raw, told["llama.block_count"], heads),
        tokenizer=_tokenizer(told),
        end=told["tokenizer.ggml.eos_token_id"],
        heads=heads,
    )


def _settings(told: Mapping[str, Any], heads: Heads, *, tied: bool) -> dict[str, Any]:
    width = told["llama.embedding_length"]
    return {
        "vocab_size": len(told["tokenizer.ggml.tokens"]),
        "hidden_size": width,
        "intermediate_size": told["llama.feed_forward_length"],
        "num_hidden_layers": told["llama.block_count"],
        "num_attention_heads": heads.queries,
        "num_key_value_heads": heads.keys,
        "head_dim": told.get("llama.attention.key_length", width // heads.queries),
        "rms_norm_eps": told["llama.attention.layer_norm_rms_epsilon"],
        "max_position_embeddings": told["llama.context_length"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": told.get("llama.rope.freq_base", 10_000.0),
        },
        "tie_word_embeddings": tied,
        "use_cache": False,
    }


def _tensors(raw: Mapping[str, Any], layers: int, heads: Heads) -> dict[str, Any]:
    out = {"model.embed_tokens.weight": raw["token_embd.weight"]}
    out["model.norm.weight"] = raw["output_norm.weight"]
    out["lm_head.weight"] = raw.get("output.weight", raw["token_embd.weight"])
    for layer in range(layers):
        for ours, theirs in _NORMS.items():
            out[f"model.layers.{layer}.{ours}.weight"] = raw[f"blk.{layer}.{theirs}.weight"]
        for ours, theirs in _LINEAR.items():
            found = raw[f"blk.{layer}.{theirs}.weight"]
            count = _rotated(theirs, heads)
            if count:
                shape = (count, found.shape[0] // count // 2, 2, *found.shape[1:])
                found = found.reshape(shape).swapaxes(1, 2).reshape(found.shape)
            out[f"model.layers.{layer}.{ours}.weight"] = found
    return out


def _rotated(theirs: str, heads: Heads) -> int:
    """Heads of a tensor whose rows llama.cpp keeps in another order; 0: it is none of those."""
    return {"attn_q": heads.queries, "attn_k": heads.keys}.get(theirs, 0)


def _tokenizer(told: Mapping[str, Any]) -> Any:
    """As llama.cpp cuts texts: byte pairs of the file's own vocabulary. Raises ModelError."""
    kind, cut = told.get("tokenizer.ggml.model"), told.get("tokenizer.ggml.pre")
    if kind != "gpt2" or cut not in _CUTS:
        raise ModelError(
            f"the model cuts texts in a way that fine-tuning does not know ({kind}, {cut}); "
            f"name another one under [models.NAME]"
        )
    tokenizers = library("tokenizers")
    tokens = told["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in told["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    kinds = told["tokenizer.ggml.token_type"]
    special = [t for t, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL]
    made.add_special_tokens([tokenizers.AddedToken(t, normalized=False) for t in special])
    return made


def adapter_file(additions: Mapping[str, Any], *, alpha: float, heads: Heads, name: str) -> bytes:
    """ADDITIONS (transformers' layer name + `.lora_a` or `.lora_b` -> float32 array) as a GGUF
    file that llama.cpp loads beside the model."""
    gguf, numpy = library("gguf"), library("numpy")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.gguf"
        writer = gguf.GGUFWriter(str(path), ARCHITECTURE)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        writer.add_name(name)
        for full, array in sorted(additions.items()):
            layer, _, kind = full.rpartition(".")
            number, _, ours = layer.removeprefix("model.layers.").partition(".")
            theirs = _LINEAR[ours]
            count = _rotated(theirs, heads)
            found = array
            if kind == "lora_b" and count:
                shape = (count, 2, found.shape[0] // count // 2, found.shape[1])
                found = found.reshape(shape).swapaxes(1, 2).reshape(found.shape)
            # Half precision: these are small corrections to weights of four bits.
            data = numpy.ascontiguousarray(found, dtype=numpy.float16)
            writer.add_tensor(f"blk.{number}.{theirs}.weight.{kind}", data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()
