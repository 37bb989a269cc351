"""The tests there are: scenarios, C# methods, Python functions, with what and whom they test.

Read as they stand, whoever wrote them. Nothing is run; a test that cannot be read is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from premortem.agent.emit.feature_text import FeatureText, FoundScenario, parse_feature
from premortem.agent.emit.files import read, text_of
from premortem.agent.emit.tags import AGENT, ID_TAG
from premortem.agent.knowledge.csharp import CsClass, CsMethod, read_csharp
from premortem.agent.knowledge.reading import is_python_test
from premortem.agent.understanding.words import split_camel, stems, tokens
from premortem.domain.proposal import TestKind
from premortem.errors import InputError
from premortem.pipeline.skills.noted import Noted, files_of_tests, read_notes

_CSHARP_TESTS = frozenset({"TestMethod", "DataTestMethod", "Fact", "Theory", "Test", "TestCase"})
_CSHARP_MARKS = (b"[TestMethod", b"[DataTestMethod", b"[Fact", b"[Theory", b"[Test]", b"[TestCase")
_CSHARP_ASSERTS = re.compile(
    r"\b\w*Assert\.(?!Inconclusive)\w+|\.Should(?:Be|Throw|Contain|Not|Equal|\()|\.Verify\w*\("
)
_CSHARP_HTTP = re.compile(r"HttpStatusCode|CreateClient|AsJsonAsync|HttpClient\b")
_PYTHON_ASSERTS = re.compile(r"\bassert\b|\bpytest\.raises\b|\bplay\(|\.assert\w*\(")
_PYTHON_HTTP = re.compile(r"\bclient\.(?:get|post|put|patch|delete|request)\(|\bhttpx\b|\bplay\(")
_EDITION = re.compile(r"\bthe edition is \"([^\"]+)\"")
_TAG = re.compile(r"@(trace_id|edition):([^\s@]+)")
_ANYBODY = frozenset({"user", "member", "client", "customer", "person", "owner"})
"""Roles that texts name without meaning them: they count in quotes alone."""
_REFUSES = re.compile(
    r"reject|refus|den(?:y|ies|ied)\b|fail|error|throw|raises|forbid|invalid|not allowed|conflict|"
    r"unauthori[sz]ed|cannot|status(?: code)?(?: is|\.)? ?\"?(?:4\d\d|BadRequest)",
    re.IGNORECASE,
)


class KnownTest(Struct, frozen=True, kw_only=True):
    """A test that is there."""

    path: str
    """Below the root, with `/`."""
    name: str
    """A scenario's title, or a method's name."""
    test_kind: TestKind
    line: int = 0
    """Of its first line, from 1; 0: not known."""
    handlers: tuple[str, ...] = ()
    """What it tests, as far as metadata or words tell."""
    roles: tuple[str, ...] = ()
    """Whom it acts as."""
    editions: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    acts: bool = True
    """It does something: a scenario has a When."""
    asserts: bool = True
    """It says what must be so."""
    refuses: bool = False
    """Its words speak of something that is refused."""
    ours: bool = False
    """The agent made it."""
    tags: tuple[str, ...] = ()
    """Of a scenario, those of its feature too, without `@`."""
    text: str = ""
    """Its steps, or its source."""

    @property
    def said(self) -> str:
        """Its name and text in words."""
        return f"{split_camel(self.name)}\n{self.text}"


class Names(Struct, frozen=True, kw_only=True):
    """What tests are looked through for."""

    handlers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


def read_tests(
    root: Path, names: Names, *, changed: Mapping[str, bytes] | None = None
) -> tuple[KnownTest, ...]:
    """The tests below ROOT, in the order of their files. CHANGED: files as they are to be."""
    new = changed or {}
    notes = read_notes(root, changed=new)
    found: list[KnownTest] = []
    for path in sorted({*files_of_tests(root), *filter(_is_test, new)}):
        try:
            data = new[path] if path in new else read(root, path)
            text = text_of(data, root / path)
            found += _tests(path, text, names, notes)
        except (InputError, SyntaxError, ValueError):
            continue  # who wants to write into it is told
    return tuple(found)


def _is_test(path: str) -> bool:
    return path.endswith((".feature", ".cs")) or is_python_test(path)


def _tests(path: str, text: str, names: Names, notes: Noted) -> Iterator[KnownTest]:
    if path.endswith(".feature"):
        feature = parse_feature(text, path=path)
        for scenario in feature.scenarios:
            yield _scenario(path, feature, scenario, names, notes)
    elif path.endswith(".cs"):
        if any(mark in text.encode() for mark in _CSHARP_MARKS):
            for owner in read_csharp({path: text.encode()}).classes:
                for method in owner.methods:
                    if any(a.name in _CSHARP_TESTS for a in method.attributes):
                        yield _method(path, text, owner, method, names, notes)
    else:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            functions = ast.FunctionDef | ast.AsyncFunctionDef
            if isinstance(node, functions) and node.name.startswith("test"):
                yield _function(path, text, node, names, notes)


def _scenario(
    path: str, feature: FeatureText, scenario: FoundScenario, names: Names, notes: Noted
) -> KnownTest:
    noted = notes.of(path, scenario.title)
    tags = (*feature.tags, *scenario.tags)
    steps = [text for _, text in scenario.steps]
    said = "\n".join((scenario.title, *steps))
    kinds: list[str] = []
    for kind, _ in scenario.steps:
        kinds.append(kinds[-1] if kind == "Conjunction" and kinds else kind)
    about = f"{feature.title} {PurePosixPath(path).stem} {scenario.title}"
    return KnownTest(
        path=path,
        name=scenario.title,
        test_kind="bdd",
        line=scenario.line,
        handlers=noted.handlers or tuple(h for h in names.handlers if _about(h, about)),
        roles=tuple(r for r in names.roles if r == noted.role or speaks_of(r, said)),
        editions=_unique((*_tagged(tags, "edition"), *_EDITION.findall(said), noted.edition)),
        traces=_unique((*_tagged(tags, "trace_id"), noted.trace_id)),
        acts="Action" in kinds,
        asserts="Outcome" in kinds,
        refuses=_REFUSES.search(said) is not None,
        ours=any(tag.startswith(f"{ID_TAG}:") for tag in scenario.tags),
        tags=tags,
        text="\n".join(steps),
    )


def _method(
    path: str, text: str, owner: CsClass, method: CsMethod, names: Names, notes: Noted
) -> KnownTest:
    noted = notes.of(path, method.name)
    told = {a.name: a.values[0] for a in method.attributes if a.values}
    pairs = (a.values for a in method.attributes if a.name == "TestProperty")
    told |= {values[0]: values[1] for values in pairs if len(values) > 1}
    over_http = "IntegrationTests" in path or _CSHARP_HTTP.search(method.source)
    own = tuple(h for h in names.handlers if owner.name.startswith(h))
    spoken = tuple(h for h in names.handlers if h in method.source or _about(h, method.name))
    said = f"{split_camel(method.name)}\n{method.source}"
    start = text.find(method.source)
    return KnownTest(
        path=path,
        name=method.name,
        test_kind="integration" if over_http else "unit",
        line=text.count("\n", 0, start) + 1 if start >= 0 else 0,
        handlers=_unique((*own, *(spoken if not own else ()), *noted.handlers)),
        roles=tuple(r for r in names.roles if r == noted.role or speaks_of(r, said)),
        editions=_unique((told.get("Edition", ""), noted.edition)),
        traces=_unique((told.get("TraceId", ""), noted.trace_id)),
        asserts=_CSHARP_ASSERTS.search(method.source) is not None,
        refuses=_REFUSES.search(said) is not None,
        ours=told.get("AugmentedBy", "") == AGENT,
        text=method.source,
    )


def _function(
    path: str,
    text: str,
    node: ast.FunctionDef | ast.AsyncFunctionDef,
    names: Names,
    notes: Noted,
) -> KnownTest:
    noted = notes.of(path, node.name)
    source = ast.get_source_segment(text, node) or ""
    told = _TAG.findall(source)
    said = f"{split_camel(node.name)}\n{source}"
    mentioned = (
        h for h in names.handlers if re.search(rf"\b{re.escape(h)}\b", source) or _about(h, said)
    )
    return KnownTest(
        path=path,
        name=node.name,
        test_kind="integration" if _PYTHON_HTTP.search(source) else "unit",
        line=node.lineno,
        handlers=_unique((*mentioned, *noted.handlers)),
        roles=tuple(r for r in names.roles if r == noted.role or speaks_of(r, said)),
        editions=_unique((*(v for k, v in told if k == "edition"), noted.edition)),
        traces=_unique((*(v for k, v in told if k == "trace_id"), noted.trace_id)),
        asserts=_PYTHON_ASSERTS.search(source) is not None,
        refuses=_REFUSES.search(said) is not None,
        ours=f"augmented_by:{AGENT}" in source,
        text=source,
    )


def speaks_of(role: str, text: str) -> bool:
    """Whether TEXT names ROLE, as it is written or as people write it: `support agents`."""
    if role.lower() in _ANYBODY:
        return re.search(rf"[\"']{re.escape(role)}[\"']", text) is not None
    spoken = r"[\s_-]?".join(map(re.escape, tokens(role))) or re.escape(role)
    named = rf"(?<!\w)(?:{re.escape(role)}|{spoken})s?(?!\w)"
    return re.search(named, text, re.IGNORECASE) is not None


def _about(handler: str, text: str) -> bool:
    """Whether TEXT says every word of HANDLER's name."""
    words = set(stems(handler.removesuffix("Handler")))
    return bool(words) and words <= set(stems(text))


def _tagged(tags: Iterable[str], name: str) -> list[str]:
    return [tag.partition(":")[2] for tag in tags if tag.startswith(f"{name}:")]


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value for value in dict.fromkeys(values) if value)
