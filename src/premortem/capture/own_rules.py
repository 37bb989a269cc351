"""Redaction rules of the configuration: checked once, then applied to every text.

A pattern comes from a person and a text from anywhere, so no pattern may take exponential time:
what repeats a repetition or a choice without a small bound is refused, and texts are given to
patterns in pieces of `PIECE_LENGTH_MAX`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from msgspec import Struct

from premortem.capture.names import parts
from premortem.capture.personal import CLASSES
from premortem.config import RedactConfig, RedactRule
from premortem.errors import ConfigError

PIECE_LENGTH_MAX = 4096
PATTERN_LENGTH_MAX = 1000
RULES_MAX = 200
BOUND_MAX = 8
"""A group that repeats something or chooses may itself repeat as often."""


class FieldRule(Struct, frozen=True, kw_only=True):
    """One rule about names."""

    name: str
    glob: re.Pattern[str]
    where: frozenset[str]
    replace: str

    def covers(self, field: str, words: tuple[str, ...], place: str) -> bool:
        """The rule is about FIELD, of WORDS, in PLACE."""
        if self.where and place not in self.where:
            return False
        return any(self.glob.match(text) for text in (field.lower(), "_".join(words)))


class PatternRule(Struct, frozen=True, kw_only=True):
    """One rule about texts."""

    name: str
    pattern: re.Pattern[str]
    where: frozenset[str]
    replace: str


class OwnRules:
    """The rules of CONFIG. Raises ConfigError for one that cannot be."""

    def __init__(self, config: RedactConfig) -> None:
        if len(config.rules) > RULES_MAX:
            raise ConfigError(f"[[redact.rules]] holds more than {RULES_MAX} rules; merge some")
        self.fields: list[FieldRule] = []
        self.patterns: list[PatternRule] = []
        for rule in config.rules:
            self._add(rule)
        self.allowed = tuple(_compiled(text, "`allow_values`") for text in config.allow_values)
        self._paths = tuple(re.compile(translate(glob)) for glob in config.allow_paths)
        self.off = _off(config)

    def _add(self, rule: RedactRule) -> None:
        where = frozenset(rule.where)
        title = f"the rule {rule.name!r} of [[redact.rules]]"
        if bool(rule.pattern) == bool(rule.field):
            raise ConfigError(f"{title} needs either `pattern` or `field`")
        if rule.field:
            glob = re.compile(translate(rule.field.lower()))
            self.fields.append(
                FieldRule(name=rule.name, glob=glob, where=where, replace=rule.replace)
            )
        else:
            pattern = _compiled(rule.pattern, title)
            self.patterns.append(
                PatternRule(name=rule.name, pattern=pattern, where=where, replace=rule.replace)
            )

    def allows(self, text: str) -> bool:
        """TEXT is on the allow list."""
        return len(text) <= PIECE_LENGTH_MAX and any(p.fullmatch(text) for p in self.allowed)

    def allows_path(self, path: str) -> bool:
        """Bodies and parameters of requests to PATH stay as they are."""
        return any(pattern.match(path) for pattern in self._paths)

    def field(self, name: str, place: str) -> FieldRule | None:
        """The first rule about the field NAME in PLACE."""
        words = parts(name)
        return next((rule for rule in self.fields if rule.covers(name, words, place)), None)

    def rewrite(self, text: str, place: str, put: Callable[[str, str, str], str]) -> str:
        """TEXT with what the patterns find replaced by PUT(found, name, replace)."""
        for rule in self.patterns:
            if rule.where and place not in rule.where:
                continue

            def replacement(found: re.Match[str], rule: PatternRule = rule) -> str:
                return put(found[0], rule.name, rule.replace) if found[0] else ""

            text = "".join(rule.pattern.sub(replacement, piece) for piece in _pieces(text))
        return text


def _pieces(text: str) -> Iterable[str]:
    if len(text) <= PIECE_LENGTH_MAX:
        return (text,)
    starts = range(0, len(text), PIECE_LENGTH_MAX)
    return (text[start : start + PIECE_LENGTH_MAX] for start in starts)


def _off(config: RedactConfig) -> frozenset[str]:
    if not config.personal:
        return frozenset(CLASSES)
    unknown = set(config.keep) - CLASSES.keys()
    if unknown:
        raise ConfigError(
            f"`keep` of [redact] names {min(unknown)!r}, which is no class; there are "
            f"{', '.join(CLASSES)}"
        )
    return frozenset(config.keep)


def _compiled(text: str, title: str) -> re.Pattern[str]:
    """The pattern TEXT. Raises ConfigError, which names TITLE."""
    if len(text) > PATTERN_LENGTH_MAX:
        raise ConfigError(f"{title}: its pattern is longer than {PATTERN_LENGTH_MAX} characters")
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"{title}: {text!r} is no regular expression: {error}") from None
    reason = slow(text)
    if reason:
        raise ConfigError(
            f"{title}: {text!r} can take very long, for it has {reason}; give the group a bound "
            f"of {BOUND_MAX} or less, such as {{1,{BOUND_MAX}}}"
        )
    return pattern


_REPEAT = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")


def slow(pattern: str) -> str:
    """What in PATTERN can take exponential time; empty when nothing does."""
    open_groups = [False]
    """Of each open group: whether it repeats or chooses."""
    place = 0
    was_group = inner = False
    while place < len(pattern):
        char = pattern[place]
        found = _REPEAT.match(pattern, place)
        if char == "\\":
            if pattern[place + 1 : place + 2].isdigit() or pattern.startswith("(?P=", place):
                return "a reference back"
            place, was_group = place + 2, False
        elif char == "[":
            place, was_group = _class_end(pattern, place), False
        elif char == "(":
            open_groups.append(False)
            place = place + 2 if pattern[place + 1 : place + 2] == "?" else place + 1
            was_group = False
        elif char == ")":
            inner = open_groups.pop() if len(open_groups) > 1 else False
            open_groups[-1] = open_groups[-1] or inner
            place, was_group = place + 1, True
        elif char == "|":
            open_groups[-1] = True
            place, was_group = place + 1, False
        elif found is not None:
            if was_group and inner and _most(found) > BOUND_MAX:
                return "a repeated group that repeats or chooses"
            if _most(found) > 1:
                open_groups[-1] = True
            place, was_group = found.end(), False
        else:
            place, was_group = place + 1, False
    return ""


def _most(found: re.Match[str]) -> int:
    """How often what stands before the repetition FOUND may come."""
    if found[0] == "?":
        return 1
    if found[0][0] != "{":
        return 1_000_000
    return int(found[3] or (1_000_000 if found[2] else found[1] or 1))


def _class_end(pattern: str, place: int) -> int:
    """Where the character class that begins at PLACE ends."""
    place += 2 if pattern[place + 1 : place + 2] == "^" else 1
    place += pattern[place : place + 1] == "]"
    while place < len(pattern) and pattern[place] != "]":
        place += 2 if pattern[place] == "\\" else 1
    return place + 1
