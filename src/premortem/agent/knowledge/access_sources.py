"""A folder -> everything that its files say of who may do what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from premortem.agent.knowledge.access_csharp import access_in_csharp
from premortem.agent.knowledge.access_documents import access_in_document
from premortem.agent.knowledge.access_openapi import access_in_openapi
from premortem.agent.knowledge.access_python import MARKS, access_in_python
from premortem.agent.knowledge.documents import DOCUMENT_BYTES_MAX
from premortem.agent.knowledge.openapi_dto import is_openapi, operations_in_openapi
from premortem.agent.knowledge.python_source import parsed_python
from premortem.agent.knowledge.reading import source_files
from premortem.domain.access import AccessRule
from premortem.errors import InputError

_SPOKEN = (b"role", b"anonymous", b"allow", b"public", b"authoriz", b"edition")
"""Without any of these words, in whatever case, a document says nothing of access."""
_NOTHING_SAID = (
    "an authorization map that says in no known form who may do what; write "
    "`OPERATION: [ROLE, ...]`, see docs/security.md"
)
_BEFORE_FRONT = b"\xef\xbb\xbf \t\r\n"
"""What may stand before the front matter of Markdown."""
_DOCUMENTS = (".yaml", ".yml", ".json", ".md")


class AccessFound(Struct, frozen=True, kw_only=True):
    """What the files of a folder say."""

    rules: tuple[AccessRule, ...]
    roles: tuple[str, ...] = ()
    """That documents name, whether or not they say what they may."""
    editions: tuple[str, ...] = ()
    handlers: tuple[tuple[str, str], ...] = ()
    """Handler, as code and documents call it -> the operation that it performs."""
    sources: tuple[str, ...] = ()
    """Files that said something, below the folder, with `/`."""
    skipped: tuple[str, ...] = ()
    """Files that could not be read, each with why."""


def read_access(folder: Path) -> AccessFound:
    """The access rules in all documents and code below FOLDER, or of one file.

    What cannot be parsed is said in `skipped`. Raises InputError when there is nothing at FOLDER,
    or too much.
    """
    skipped: list[str] = []
    files = dict(source_files(folder, skipped))
    rules: list[AccessRule] = []
    roles: dict[str, None] = {}
    editions: dict[str, None] = {}
    handlers: dict[str, str] = {}
    for name, data in files.items():
        try:
            if not name.endswith(_DOCUMENTS) or not _speaks(name, data):
                continue
            if is_openapi(data):
                rules += access_in_openapi(data, origin=name)
                named = operations_in_openapi(data, origin=name)
                handlers |= {o.name: f"{o.method} {o.path}" for o in named}
                continue
            found = access_in_document(data, origin=name)
        except InputError as error:
            skipped.append(str(error))
            continue
        if found is not None:
            if found.source == "authorization_map" and not found.rules:
                skipped.append(f"{name}: {_NOTHING_SAID}")
            rules += found.rules
            roles |= dict.fromkeys(found.roles)
            editions |= dict.fromkeys(found.editions)
    rules += _in_code(files, skipped)
    handlers |= {r.handler: r.operation_id for r in rules if r.handler and r.operation_id}
    return AccessFound(
        rules=tuple(rules),
        roles=tuple(roles),
        editions=tuple(editions),
        handlers=tuple(handlers.items()),
        sources=tuple(dict.fromkeys(rule.document for rule in rules)),
        skipped=tuple(skipped),
    )


def _speaks(name: str, data: bytes) -> bool:
    if name.endswith(".md") and not data.lstrip(_BEFORE_FRONT).startswith(b"---"):
        return False  # prose
    if b"augmented_by" in data or (len(data) > DOCUMENT_BYTES_MAX and not is_openapi(data)):
        return False  # what we wrote about tests; recordings
    lower = name.lower().encode() + data.lower()
    return any(word in lower for word in _SPOKEN)


def _in_code(files: Mapping[str, bytes], skipped: list[str]) -> Iterator[AccessRule]:
    csharp = {name: data for name, data in files.items() if name.endswith(".cs")}
    try:
        yield from access_in_csharp(csharp)
    except InputError as error:
        skipped.append(str(error))
    python: dict[str, bytes] = {}
    for name, data in files.items():
        if not name.endswith(".py"):
            continue
        try:
            parsed_python(data, origin=name)
        except InputError as error:
            if any(mark in data for mark in MARKS):
                skipped.append(str(error))
            continue
        python[name] = data
    yield from access_in_python(python)
