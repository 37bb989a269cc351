"""What can be said in scenarios about the configured target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from premortem.agent.adapters import bridge
from premortem.agent.emit.files import replace
from premortem.agent.emit.reqnroll import reqnroll_class
from premortem.agent.steps import lexicon
from premortem.agent.steps.bindings import load_bindings
from premortem.agent.steps.lexicon import Explained, Sayable
from premortem.agent.steps.phrase_proposals import ProposedPhrase, propose_phrases, proposed_one
from premortem.config import Config
from premortem.store import Store


def known_steps(config: Config, *, area: str = "") -> tuple[Sayable, ...]:
    """The catalogue's steps and the phrases of CONFIG's target. Raises InputError, ConfigError."""
    return lexicon.sayables(load_bindings(config), area=area)


def search_steps(words: str, *, config: Config) -> tuple[Sayable, ...]:
    """Those that hold every one of WORDS, the best first."""
    return lexicon.search(words, load_bindings(config))


def explain_step(text: str, *, config: Config) -> Explained:
    """What TEXT means as a step, or what comes nearest to it."""
    return lexicon.explain(text, bindings=load_bindings(config), roles=tuple(config.roles))


def proposed_phrases(config: Config, store: Store) -> tuple[ProposedPhrase, ...]:
    """Phrases for what was learned. Raises NothingLearned."""
    return propose_phrases(store.profile(), load_bindings(config))


def accept_phrase(
    wanted: str, *, config: Config, store: Store | None, by: str, clock: Callable[[], float]
) -> str:
    """Write into the binding file that BY accepts the phrase WANTED; its text.

    WANTED is the id or text of a proposed one, or the text of one that stands there already;
    STORE may be None for the latter. Raises InputError where there is none.
    """
    phrases = load_bindings(config).phrases
    text = " ".join(wanted.split())
    if text in phrases:
        phrase = phrases[text]
    else:
        one = proposed_one(text, proposed_phrases(config, store) if store is not None else ())
        text, phrase = one.text, one.phrase
    day = datetime.fromtimestamp(clock(), UTC).date().isoformat()
    lexicon.accept(text, phrase, config=config, by=by, day=day)
    return text


def step_class(config: Config, *, namespace: str) -> str:
    """The catalogue and CONFIG's phrases as a C# class for Reqnroll. Raises InputError."""
    return reqnroll_class(namespace=namespace, phrases=tuple(load_bindings(config).phrases))


def write_step_class(config: Config, path: Path, *, namespace: str) -> None:
    """The same at PATH. Raises InputError when it cannot be written."""
    replace(path, step_class(config, namespace=namespace).encode())


def serve_steps(config: Config, lines: Iterable[bytes], answer: Callable[[bytes], None]) -> None:
    """Carry out the steps that LINES ask for, and ANSWER each."""
    bridge.serve(lines, answer, config=config)
