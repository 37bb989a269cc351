"""Any endpoint that speaks OpenAI's chat/completions: vLLM, Ollama, llama.cpp's server, hosted.

Source: OpenAI API reference, "Create chat completion" and "Structured outputs".
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from premortem.config import ModelConfig, resolve
from premortem.domain.traffic import Document
from premortem.errors import ConfigError, ModelError
from premortem.models.endpoint import Answered, Pace, Post, post
from premortem.models.engine import REPLY_TOKENS_MAX, Ask, Failed, Outcome, Reply, Usage, added
from premortem.models.grammar import OWN_KEYWORDS

CONCURRENCY_MAX = 64
RETRIES_MAX = 10
PAUSE_S_MAX = 60.0
"""Longest wait before a retry, whatever the endpoint asks for."""
PAUSE_S_FIRST = 0.5
SAID_CHARS_MAX = 200
"""Of an endpoint's own words in our message."""
_FORMS = ("json_schema", "json_object", "")
"""`response_format`, strictest first; an endpoint that refuses one is asked with the next."""


class _Message(Struct, frozen=True):
    content: str | None = None


class _Choice(Struct, frozen=True):
    message: _Message
    finish_reason: str | None = None


class _Counts(Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(Struct, frozen=True):
    choices: tuple[_Choice, ...]
    usage: _Counts | None = None


class OpenAICompatible:
    """A model behind an endpoint. See `engine.Engine`."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        label: str,
        send: Post = post,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """LABEL: NAME of its `[models.NAME]`. Raises ConfigError, also for a host that may not
        see what it would be sent."""
        check(config, label)
        self._config, self._label = config, label
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if config.key:
            self._headers["authorization"] = f"Bearer {resolve(config.key)}"
        self._send, self._sleep = send, sleep
        self._pace = Pace(config.rate_per_minute_max, clock=clock, sleep=sleep)
        self._rng = rng or random.Random()
        self._form = 0
        self._together = True
        self._usage = Usage()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.batch, thread_name_prefix="model")

    @property
    def name(self) -> str:
        """`openai MODEL HOST`."""
        return f"openai {self._config.model} {urlsplit(self._config.base_url).netloc}"

    @property
    def batch(self) -> int:
        """`concurrency_max`."""
        return max(1, min(self._config.concurrency_max, CONCURRENCY_MAX))

    @property
    def usage(self) -> Usage:
        """What was taken so far, with its cost at the configured prices."""
        return self._usage

    def answers(self, ask: Ask) -> list[Outcome]:
        """See `Engine.answers`: one request for all where the endpoint knows `n`, else one each."""
        if self._spent():
            return self._counted(
                [Failed(reason=f"cost_max = {self._config.cost_max:g} is reached")]
            )
        count = max(1, min(ask.count, self.batch))
        outcomes: list[Outcome] = []
        if count == 1 or self._together:
            outcomes = self._outcomes(structs.replace(ask, count=count))
        if len(outcomes) < count:
            # Whoever does not know `n` answers once.
            self._together = False
            alone = structs.replace(ask, count=1)
            more = range(len(outcomes), count)
            rest = [structs.replace(alone, seed=ask.seed + index) for index in more]
            outcomes += [outcome for one in self._pool.map(self._outcomes, rest) for outcome in one]
        return self._counted(outcomes[:count])

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown()

    def _spent(self) -> bool:
        return 0 < self._config.cost_max <= self._usage.cost

    def _counted(self, outcomes: list[Outcome]) -> list[Outcome]:
        prices = {"price_in": self._config.price_in, "price_out": self._config.price_out}
        self._usage = added(self._usage, outcomes, **prices)
        return outcomes

    def _outcomes(self, ask: Ask) -> list[Outcome]:
        """What the endpoint says to ASK; raises ModelError when it says nothing usable."""
        tries = 0
        while True:
            self._pace.wait()
            form = self._form
            said = self._send(
                self._url, self._headers, self._payload(ask, form), self._config.timeout_s
            )
            completion = _completion(said.body) if said.status == 200 else None
            if completion is not None:
                return _read(completion)
            if said.status in (400, 422) and ask.count > 1:
                self._together = False
                ask = structs.replace(ask, count=1)
                continue
            if said.status in (400, 422) and ask.schema and form < len(_FORMS) - 1:
                with self._lock:
                    self._form = max(self._form, form + 1)
                continue
            self._refused(said)
            tries += 1
            if tries > min(self._config.retries_max, RETRIES_MAX):
                raise ModelError(self._gave_up(said, tries))
            self._sleep(self._pause_s(said, tries))

    def _payload(self, ask: Ask, form: int) -> bytes:
        user = ask.user
        payload: dict[str, Any] = {"model": self._config.model}
        if ask.schema and _FORMS[form] == "json_schema":
            named = {"name": "request", "strict": True, "schema": plain(ask.schema)}
            payload["response_format"] = {"type": "json_schema", "json_schema": named}
        elif ask.schema:
            described = msgspec.json.encode(plain(ask.schema)).decode()
            user = f"{user}\nAnswer with JSON only, of this JSON Schema: {described}"
            if _FORMS[form]:
                payload["response_format"] = {"type": _FORMS[form]}
        payload["messages"] = [
            {"role": "system", "content": ask.system},
            {"role": "user", "content": user},
        ]
        payload["max_tokens"] = min(ask.tokens_max, REPLY_TOKENS_MAX)
        payload["temperature"] = ask.temperature
        payload["seed"] = ask.seed % 2**31
        if ask.count > 1:
            payload["n"] = ask.count
        return msgspec.json.encode(payload)

    def _refused(self, said: Answered) -> None:
        """Raise ModelError for what no retry mends."""
        where = f"the model {self._label} at {self._url}"
        if said.status in (401, 403):
            raise ModelError(
                f"{where} refuses the credentials ({said.status}: {_words(said)}); check `key` "
                f"under [models.{self._label}] and the variable that it names"
            )
        if said.status == 404:
            raise ModelError(
                f"{where} is not there (404: {_words(said)}); check `base_url`, which ends in "
                f"/v1, and `model` = {self._config.model!r}"
            )
        if 300 <= said.status < 500 and said.status not in (408, 409, 425, 429):
            raise ModelError(f"{where} refuses the request ({said.status}: {_words(said)})")

    def _gave_up(self, said: Answered, tries: int) -> str:
        where = f"the model {self._label} at {self._url}"
        if said.status == 429:
            return (
                f"{where} answers 429, too many requests, {tries} times in a row; lower "
                f"`rate_per_minute_max` or `concurrency_max` under [models.{self._label}]"
            )
        if said.status == 0:
            return f"{where} does not answer ({_words(said)}), {tries} tries; is it running?"
        if said.status == 200:
            return (
                f"{where} answers with something else than a chat completion ({_words(said)}); "
                f"does `base_url` name an OpenAI-compatible endpoint?"
            )
        return f"{where} fails ({said.status}: {_words(said)}), {tries} tries; try again later"

    def _pause_s(self, said: Answered, tries: int) -> float:
        """How long to wait: what the endpoint asks for, else twice as long each time, with jitter
        (Brooker 2015, "Exponential backoff and jitter": full jitter)."""
        asked = said.headers.get("retry-after", "")
        if asked.isdigit():
            return min(float(asked), PAUSE_S_MAX)
        return self._rng.random() * min(PAUSE_S_FIRST * 2.0**tries, PAUSE_S_MAX)


def _read(completion: _Completion) -> list[Outcome]:
    usage = completion.usage or _Counts()
    texts = [_bare(choice.message.content or "") for choice in completion.choices]
    characters = max(1, sum(map(len, texts)))
    return [
        Reply(
            text=text,
            tokens_in=0 if index else usage.prompt_tokens,
            tokens_out=round(usage.completion_tokens * len(text) / characters),
            complete=choice.finish_reason != "length",
        )
        for index, (choice, text) in enumerate(zip(completion.choices, texts, strict=True))
    ] or [Failed(reason="the answer has no choice in it")]


def check(config: ModelConfig, label: str) -> None:
    """Raise ConfigError unless CONFIG names an endpoint that may be asked."""
    parts = urlsplit(config.base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"[models.{label}] `base_url` = {config.base_url!r} is no address; write it like "
            f"http://127.0.0.1:8000/v1"
        )
    if not config.model:
        raise ConfigError(f"[models.{label}] names no `model`")
    if config.key and "${" not in config.key:
        raise ConfigError(
            f"[models.{label}] `key` holds a secret; put it into an environment variable and "
            f'write key = "${{NAME}}"'
        )
    if not config.remote and not is_here(parts.hostname):
        raise ConfigError(
            f"[models.{label}] is on another machine ({parts.hostname}), which would see redacted "
            f"requests of production; write `remote = true` there if it may"
        )


def is_here(host: str) -> bool:
    """Whether HOST names this machine for sure."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def plain(schema: Document) -> Any:
    """SCHEMA without our own keywords."""
    return _plain(msgspec.json.decode(schema))


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: value for key, value in schema.items() if key not in OWN_KEYWORDS}
    for key in ("items", "anyOf"):
        if key in out:
            out[key] = _plain(out[key])
    if "properties" in out:
        out["properties"] = {name: _plain(part) for name, part in out["properties"].items()}
    return out


def _completion(body: bytes) -> _Completion | None:
    try:
        return msgspec.json.decode(body, type=_Completion)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _words(said: Answered) -> str:
    """The endpoint's own message, as far as it has one."""
    text = said.body.decode("utf-8", "replace")
    try:
        read: Any = msgspec.json.decode(said.body)
        error = read.get("error", read) if isinstance(read, dict) else read
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return " ".join(text.split())[:SAID_CHARS_MAX] or "no words"


def _bare(text: str) -> str:
    """TEXT without the code fence that models put around JSON."""
    text = text.strip()
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0].strip()
    return text
