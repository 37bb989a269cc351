"""Gherkin that people own, read: what stands where, whatever their tags and their language.

Tags with a space behind the colon (`@trace_id: refund-2025-0182`) are read as if it were not
there; Gherkin's parser refuses it. Nothing here changes a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gherkin.dialect import Dialect
from gherkin.errors import ParserError
from gherkin.parser import Parser
from msgspec import Struct

from premortem.errors import InputError

_MARK = "\ufeff"
"""The byte order mark that some editors put first; it stays where it is."""
_TAG_LINE = re.compile(r"^[ \t]*@")
_TAGS = re.compile(r"@[^\s@:#]+(?::[ \t]*[^@#\r\n]*?)?(?=\s+@|\s*\r?$|\s+#)", re.MULTILINE)


class FoundScenario(Struct, frozen=True, kw_only=True):
    """A scenario as it stands in a file."""

    title: str
    tags: tuple[str, ...]
    """Its own, without `@`, spaces behind colons taken out."""
    line: int
    """Of its keyword, from 1."""
    first_line: int
    """Of its first tag, else `line`."""
    steps: tuple[tuple[str, str], ...]
    """Keyword kind (`Context`, `Action`, `Outcome`, `Conjunction`) and text."""
    examples: int = 0
    """Rows of its examples; 0: it is no outline."""

    def tag(self, name: str) -> str:
        """What stands behind `@NAME:`; empty: no such tag."""
        found = (t.partition(":")[2] for t in self.tags if t.startswith(f"{name}:"))
        return next(found, "")


class FeatureText(Struct, frozen=True, kw_only=True):
    """A feature file, read."""

    title: str
    tags: tuple[str, ...]
    language: str
    """`en`, `de`, ...: of its keywords."""
    line: int
    scenarios: tuple[FoundScenario, ...]
    """Those of its rules, too."""
    background: tuple[str, ...]
    """Step texts that run before each scenario."""
    first_rule_line: int = 0
    """Of the first rule's first tag, else of its keyword; 0: it has no rules."""

    def keyword(self, kind: str) -> str:
        """The language's word for `scenario`, `feature`, or a step's Given, When, Then, And."""
        dialect = Dialect.for_name(self.language)
        words: list[str] = getattr(dialect, f"{kind.lower()}_keywords")
        plain = [word.strip() for word in words if word.strip() != "*"]
        # English has `Example`, too, and has it first.
        return kind.capitalize() if kind.capitalize() in plain else plain[0]


def parse_feature(text: str, *, path: object, problem: str = "cannot be read") -> FeatureText:
    """TEXT, read. Raises InputError for what is no feature, with PROBLEM and where it is."""
    try:
        document: Mapping[str, Any] = Parser().parse(
            without_spaces_in_tags(text.removeprefix(_MARK))
        )
    except ParserError as error:
        first = str(error).split("\n")[1 if "\n" in str(error) else 0]
        raise InputError(f"{path} {problem}: {first}; mend it there") from None
    feature = document.get("feature")
    if not feature:
        raise InputError(f"{path} {problem}: it has no Feature line; write one first")
    rules = [child["rule"] for child in feature["children"] if "rule" in child]
    return FeatureText(
        title=feature["name"],
        tags=_tags(feature),
        language=feature["language"],
        line=feature["location"]["line"],
        scenarios=tuple(_scenarios(feature)),
        background=tuple(
            step["text"]
            for child in feature["children"]
            if "background" in child
            for step in child["background"]["steps"]
        ),
        first_rule_line=_first_line(rules[0]) if rules else 0,
    )


def without_spaces_in_tags(text: str) -> str:
    """TEXT with every `@name: value` as `@name:value`; the same lines."""
    lines = text.split("\n")
    return "\n".join(_TAGS.sub(_joined, line) if _TAG_LINE.match(line) else line for line in lines)


def _joined(match: re.Match[str]) -> str:
    name, colon, value = match.group().partition(":")
    return name + colon + "_".join(value.split())


def _scenarios(parent: Mapping[str, Any]) -> Iterator[FoundScenario]:
    for child in parent["children"]:
        if "rule" in child:
            yield from _scenarios(child["rule"])
        elif "scenario" in child:
            found = child["scenario"]
            yield FoundScenario(
                title=found["name"],
                tags=_tags(found),
                line=found["location"]["line"],
                first_line=_first_line(found),
                steps=tuple((step["keywordType"], step["text"]) for step in found["steps"]),
                examples=sum(len(table["tableBody"]) for table in found["examples"]),
            )


def _tags(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(tag["name"].removeprefix("@") for tag in node["tags"])


def _first_line(node: Mapping[str, Any]) -> int:
    lines = [int(tag["location"]["line"]) for tag in node["tags"]]
    return min([*lines, int(node["location"]["line"])])
