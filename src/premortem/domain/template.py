"""Path templates: which operation a request is, and the path that a template becomes.

A template is a path whose parameters stand in braces (OpenAPI 3.1, Paths Object). A parameter
is a whole segment (`{invoice_id}`) or a part of one (`{name}.json`); it never spans a slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct

from premortem.domain.graphql import variant_of
from premortem.domain.traffic import Operation, Request

_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_SEGMENT_SAFE = "~@:!$&'()*+,;="
"""What RFC 3986 (3.3) lets stand in a path segment as it is, beside letters and digits."""


class Match(Struct, frozen=True, kw_only=True):
    """A path seen through a template."""

    operation: Operation
    params: Mapping[str, str]
    """Parameter name -> its text, percent-decoded."""
    segments: Mapping[str, int]
    """Parameter name -> index of its segment: `2` in `/v1/invoices/{id}`, counted from 0."""


class _Node:
    """What may follow after some segments: literals first, then patterns, then anything."""

    __slots__ = ("anything", "literals", "operations", "patterns", "variants")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.patterns: dict[str, tuple[re.Pattern[str], _Node]] = {}
        self.anything: _Node | None = None
        self.operations: dict[str, Operation] = {}
        self.variants: dict[tuple[str, str], Operation] = {}
        """(method, variant) -> operation."""

    def child(self, segment: str) -> _Node:
        """The node behind SEGMENT of a template, made when there is none."""
        names = _PARAMETER.findall(segment)
        if not names:
            return self.literals.setdefault(unquote(segment), _Node())
        if _PARAMETER.fullmatch(segment):
            if self.anything is None:
                self.anything = _Node()
            return self.anything
        shape = _PARAMETER.sub("{}", segment)
        if shape not in self.patterns:
            self.patterns[shape] = (_segment_pattern(segment), _Node())
            self.patterns = dict(sorted(self.patterns.items(), key=_literal_length))
        return self.patterns[shape][1]

    def find(
        self, method: str, segments: tuple[str, ...], at: int, variant: str = ""
    ) -> Operation | None:
        """The most concrete operation for METHOD over SEGMENTS[AT:], earlier segments first."""
        if at == len(segments):
            return self.variants.get((method, variant)) or self.operations.get(method)
        segment = segments[at]
        literal = self.literals.get(segment)
        if literal is not None and (found := literal.find(method, segments, at + 1, variant)):
            return found
        for pattern, node in self.patterns.values():
            if pattern.fullmatch(segment) and (
                found := node.find(method, segments, at + 1, variant)
            ):
                return found
        if self.anything is not None and segment:
            return self.anything.find(method, segments, at + 1, variant)
        return None


class Matcher:
    """Finds the operation of a request among TEMPLATES.

    A concrete segment beats a parameter, earlier segments decide first (OpenAPI 3.1, 4.8.8.2);
    an operation of another method never hides one of this method. A trailing slash means
    nothing; percent-encoding does not matter.
    """

    def __init__(self, templates: Iterable[Operation]) -> None:
        self._root = _Node()
        self._varied = False
        for operation in templates:
            node = self._root
            for segment in split_template(operation.template):
                node = node.child(segment)
            if operation.variant:
                node.variants.setdefault((operation.method, operation.variant), operation)
                self._varied = True
            else:
                node.operations.setdefault(operation.method, operation)

    def match_request(self, request: Request) -> Match | None:
        """The operation of REQUEST with its parameters, or None; of those that share method and
        path the one whose body it has."""
        variant = variant_of(request) if self._varied else ""
        return self.match(request.method, request.path, variant)

    def match(self, method: str, path: str, variant: str = "") -> Match | None:
        """The operation of METHOD on PATH (percent-encoded) with its parameters, or None."""
        segments = split_path(path)
        operation = self._root.find(method, segments, 0, variant)
        if operation is None:
            return None
        params: dict[str, str] = {}
        places: dict[str, int] = {}
        for index, wanted in enumerate(split_template(operation.template)):
            names = _PARAMETER.findall(wanted)
            if not names:
                continue
            found = _segment_pattern(wanted).fullmatch(segments[index])
            values = found.groups() if found is not None else ()
            params.update(zip(names, values, strict=False))
            places.update(dict.fromkeys(names, index))
        return Match(operation=operation, params=params, segments=places)


def split_path(path: str) -> tuple[str, ...]:
    """PATH's segments, percent-decoded; a trailing slash adds none. `/` has none at all."""
    if "%" not in path:
        return split_template(path)
    return tuple(unquote(segment) for segment in split_template(path))


def split_template(template: str) -> tuple[str, ...]:
    """The segments of a path or template as they stand; a trailing slash adds none."""
    trimmed = template.strip("/")
    return tuple(trimmed.split("/")) if trimmed else ()


def parameter_names(template: str) -> tuple[str, ...]:
    """The names in braces, in order."""
    return tuple(_PARAMETER.findall(template))


def fill(template: str, params: Mapping[str, str]) -> str:
    """The path that TEMPLATE becomes with PARAMS (decoded text; percent-encoded here).

    Raises KeyError naming a parameter that PARAMS lacks.
    """
    return _PARAMETER.sub(lambda m: encode_segment(params[m[1]]), template)


def encode_segment(text: str) -> str:
    """TEXT percent-encoded as one path segment; dot segments too, so they stay a value."""
    if text in (".", ".."):
        return text.replace(".", "%2E")
    return quote(text, safe=_SEGMENT_SAFE)


def _literal_length(item: tuple[str, Any]) -> tuple[int, str]:
    shape = item[0]
    return (shape.count("{}") - len(shape), shape)


_PATTERNS: dict[str, re.Pattern[str]] = {}
_PATTERNS_MAX = 4096


def _segment_pattern(segment: str) -> re.Pattern[str]:
    """What SEGMENT of a template matches, a group per parameter; remembered."""
    pattern = _PATTERNS.get(segment)
    if pattern is None:
        parts = _PARAMETER.split(segment)
        text = "".join(re.escape(p) if i % 2 == 0 else "(.+?)" for i, p in enumerate(parts))
        if len(_PATTERNS) >= _PATTERNS_MAX:
            _PATTERNS.clear()
        pattern = _PATTERNS[segment] = re.compile(text, re.DOTALL)
    return pattern
