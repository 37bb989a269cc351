"""From the configuration's `[models]` to an open engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from premortem.config import Config, ModelConfig
from premortem.errors import ConfigError, PremortemError
from premortem.models.engine import Engine
from premortem.models.fetch import BUILT_IN, ENCODER, cached_file, find_cached, needed
from premortem.models.llamacpp import Addition, LlamaCpp, available
from premortem.models.openai import OpenAICompatible, check

_BUILT_IN = ModelConfig(engine="llamacpp")


class Described(Struct, frozen=True, kw_only=True):
    """One model as a list shows it."""

    name: str
    engine: str
    where: str
    """File or address."""
    used: bool
    """It is the one that `llm` uses."""
    trouble: str
    """Why it cannot be used now; empty: as far as can be told without opening it, it can."""


def known(config: Config) -> Mapping[str, ModelConfig]:
    """Every model by name: the configured ones, and the built-in one."""
    return {BUILT_IN.name: _BUILT_IN, **config.models}


def choose(config: Config, name: str = "") -> tuple[str, ModelConfig]:
    """(name, configuration) of the model NAME; empty: the one to use. Raises ConfigError."""
    models = known(config)
    if name:
        if name not in models:
            raise ConfigError(
                f"no model is called {name!r}; there are: {', '.join(models)}. Others are "
                f"configured as [models.NAME] in premortem.toml"
            )
        return name, models[name]
    marked = [name for name, model in config.models.items() if model.use]
    if len(marked) > 1:
        raise ConfigError(f"several models have `use = true`: {', '.join(marked)}; leave it on one")
    if not marked and len(config.models) > 1:
        raise ConfigError(
            f"several models are configured ({', '.join(config.models)}); write `use = true` "
            f"under the one to use"
        )
    chosen = (marked or list(config.models) or [BUILT_IN.name])[0]
    return chosen, models[chosen]


def open_engine(config: Config, name: str = "", *, addition: Addition | None = None) -> Engine:
    """The model NAME, ready to answer; empty: the one to use. ADDITION: what was trained on top
    of it; endpoints are asked as they are.

    Raises ConfigError, ModelMissing or ModelError.
    """
    name, model = choose(config, name)
    if not 0 <= model.mutate_share <= 1:
        raise ConfigError(f"[models.{name}] `mutate_share` is no share; write it like 0.1")
    if model.engine == "openai":
        return OpenAICompatible(model, label=name)
    return LlamaCpp(
        file_of(config, model),
        slots=model.slots,
        threads=model.threads,
        context_tokens=model.context_tokens,
        addition=addition,
    )


def described_encoder() -> Described:
    """The sentence encoder as a list shows it; it is used where it is."""
    there = all(find_cached(one) for one in ENCODER)
    return Described(
        name=ENCODER[0].name,
        engine="encoder",
        where=str(cached_file(ENCODER[0])),
        used=there,
        trouble=""
        if there
        else "not fetched; questions are understood without it, less often "
        "right: premortem models fetch minilm",
    )


def file_of(config: Config, model: ModelConfig) -> Path:
    """The GGUF file of MODEL. Raises ModelMissing when it is the built-in one and not fetched."""
    return config.path(model.path) if model.path else needed()


def described(config: Config) -> list[Described]:
    """Every model, and what stands in its way."""
    try:
        used = choose(config)[0]
    except ConfigError:
        used = ""
    return [
        Described(
            name=name,
            engine=model.engine,
            where=_where(config, model),
            used=name == used,
            trouble=_trouble(config, name, model),
        )
        for name, model in known(config).items()
    ]


def _where(config: Config, model: ModelConfig) -> str:
    if model.engine == "openai":
        return f"{model.model} at {model.base_url}"
    return str(config.path(model.path) if model.path else cached_file())


def _trouble(config: Config, name: str, model: ModelConfig) -> str:
    try:
        if model.engine == "openai":
            check(model, name)
            return ""
        path = file_of(config, model)
    except PremortemError as error:
        return str(error)
    if not path.is_file():
        return f"there is no file {path}"
    return "" if available() else "the extra is not installed: pip install 'premortem[llm]'"
