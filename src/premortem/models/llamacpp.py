"""The embedded engine: a GGUF file run in this process by llama.cpp (extra `llm`)."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct

from premortem.errors import ConfigError, ModelError, ModelMissing
from premortem.models.engine import REPLY_TOKENS_MAX, Ask, Failed, Outcome, Reply, Usage, added
from premortem.models.grammar import grammar_of

SLOTS_MAX = 64
CONTEXT_TOKENS_MAX = 131_072
TOP_K = 40
"""Likeliest tokens that are drawn from. Samplers that look at the whole vocabulary for every
token cost as much as the model itself, at this model's size."""
_MAGIC = b"GGUF"
_DIGEST_BYTES = 1 << 20
"""Of a file, its size and this much of its beginning tell its version."""


class Addition(Struct, frozen=True, kw_only=True):
    """What was trained on top of a model."""

    name: str
    file: bytes
    """GGUF, as llama.cpp reads LoRA adapters."""


class LlamaCpp:
    """A model in this process. See `engine.Engine`.

    The library opens a port on the loopback address whatever is asked of it; a random key keeps
    others out.
    """

    def __init__(
        self,
        path: Path,
        *,
        slots: int = 8,
        threads: int = 1,
        context_tokens: int = 1280,
        addition: Addition | None = None,
    ) -> None:
        """Load PATH, and what was trained on top of it. Raises ModelMissing without file or
        library, ModelError for a bad file, ConfigError for impossible numbers."""
        if not (1 <= slots <= SLOTS_MAX and 1 <= context_tokens <= CONTEXT_TOKENS_MAX):
            raise ConfigError(
                f"slots = {slots} with context_tokens = {context_tokens} cannot be: at most "
                f"{SLOTS_MAX} and {CONTEXT_TOKENS_MAX}; mend it under [models.NAME]"
            )
        self._name = name_of(path) + (f" + {addition.name}" if addition else "")
        self._slots = slots
        self._usage = Usage()
        self.key = secrets.token_hex(16)
        library = _library()
        parameters = library.CommonParams()
        parameters.model.path = str(path)
        parameters.n_parallel = slots
        parameters.n_ctx = slots * context_tokens
        parameters.cpuparams.n_threads = max(1, threads)
        parameters.cpuparams_batch.n_threads = max(1, threads)
        parameters.warmup = False
        parameters.verbosity = -1
        parameters.cache_ram_mib = 0
        parameters.api_keys = [self.key]
        try:
            with _beside(addition, parameters, library):
                self._server: Any = library.Server(parameters)
        except RuntimeError as error:
            raise ModelError(
                f"llama.cpp cannot load {path} ({error}); is it a whole GGUF file of a model "
                f"that this version knows?"
            ) from None

    @property
    def name(self) -> str:
        """`llamacpp FILE VERSION`, and what was trained on top of it."""
        return self._name

    @property
    def batch(self) -> int:
        """Its slots."""
        return self._slots

    @property
    def usage(self) -> Usage:
        """What was taken so far; it costs nothing."""
        return self._usage

    @property
    def address(self) -> str:
        """Where its own HTTP server listens, which wants `key`."""
        return str(self._server.listening_address)

    def answers(self, ask: Ask) -> list[Outcome]:
        """See `Engine.answers`."""
        count = max(1, min(ask.count, self._slots))
        request: dict[str, Any] = {
            "messages": [
                {"role": "system", "content": ask.system},
                {"role": "user", "content": ask.user},
            ],
            "n": count,
            "max_tokens": min(ask.tokens_max, REPLY_TOKENS_MAX),
            "temperature": ask.temperature,
            "seed": ask.seed % 2**31,
            "samplers": ["top_k", "temperature"],
            "top_k": TOP_K,
            "cache_prompt": True,
        }
        if ask.schema:
            try:
                request["grammar"] = grammar_of(ask.schema)
            except ValueError as error:
                return self._counted([Failed(reason=f"no grammar: {error}")] * count)
        return self._counted(_read(self._server.handle_chat_completions(request), count))

    def _counted(self, outcomes: list[Outcome]) -> list[Outcome]:
        self._usage = added(self._usage, outcomes, price_in=0, price_out=0)
        return outcomes

    def close(self) -> None:
        """Free the model's memory."""
        self._server = None


def _read(answer: Any, count: int) -> list[Outcome]:
    if "error" in answer:
        return [Failed(reason=str(answer["error"].get("message", answer["error"])))] * count
    usage = answer["usage"]
    texts = [choice["message"].get("content") or "" for choice in answer["choices"]]
    # The library counts the tokens of the first answer only.
    per_character = usage["completion_tokens"] / max(1, len(texts[0]))
    return [
        Reply(
            text=text,
            tokens_in=0 if index else usage["prompt_tokens"],
            tokens_out=round(len(text) * per_character),
            complete=choice["finish_reason"] == "stop",
        )
        for index, (choice, text) in enumerate(zip(answer["choices"], texts, strict=True))
    ]


@contextmanager
def _beside(addition: Addition | None, parameters: Any, library: Any) -> Iterator[None]:
    """PARAMETERS that name ADDITION's file. The library knows files only, and has read it when it
    is loaded: production's data lies open no longer than that, for this user alone."""
    if addition is None:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.gguf"
        path.write_bytes(addition.file)
        parameters.lora_adapters = [library.CommonAdapterLoraInfo(str(path), 1.0)]
        yield


def name_of(path: Path) -> str:
    """What the engine calls the model in the file PATH. Raises ModelMissing or ModelError."""
    return f"llamacpp {path.stem} {_version(path)}"


def _version(path: Path) -> str:
    """12 hex digits of the file. Raises ModelMissing or ModelError."""
    try:
        with path.open("rb") as file:
            head = file.read(_DIGEST_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelMissing(
            f"cannot read the model {path}: {error.strerror}; run `premortem models fetch`, or "
            f"name a GGUF file as `path` under [models.NAME]"
        ) from None
    if not head.startswith(_MAGIC):
        raise ModelError(f"{path} is no GGUF file; name one as `path` under [models.NAME]")
    return sha256(head + size.to_bytes(8, "big")).hexdigest()[:12]


def available() -> bool:
    """Whether the library is installed."""
    try:
        _library()
    except ModelMissing:
        return False
    return True


def _library() -> Any:
    # Threads that wait for work spin otherwise, and take the processor from those that have some;
    # OpenMP reads this when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        # 100 MB that only this engine needs.
        return import_module("xllamacpp")
    except ImportError:
        raise ModelMissing(
            "the embedded engine is not installed; `pip install 'premortem[llm]'`, or configure "
            "an endpoint under [models.NAME]"
        ) from None
