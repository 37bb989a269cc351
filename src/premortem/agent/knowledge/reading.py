"""A folder or file -> everything that is known of its data transfer objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from premortem.agent.knowledge.blueprint import Blueprint, read_blueprint
from premortem.agent.knowledge.csharp import CsCode, dtos_in_csharp, read_csharp
from premortem.agent.knowledge.ddl import dtos_in_ddl
from premortem.agent.knowledge.fluent_validation import (
    Validator,
    read_validators,
    with_validators,
)
from premortem.agent.knowledge.openapi_dto import (
    ListedOperation,
    dtos_in_json_schema,
    dtos_in_openapi,
    is_openapi,
    operations_in_openapi,
)
from premortem.agent.knowledge.python_source import dtos_in_python
from premortem.domain.proposal import Dto
from premortem.errors import InputError

FILES_MAX = 5_000
SOURCE_BYTES_MAX = 2 * 1024 * 1024
"""Larger files are recordings or made by machines."""
_SKIPPED = frozenset({"bin", "obj", "node_modules", "__pycache__", "venv", ".venv", "dist"})
_PYTHON_MARKS = (b"BaseModel", b"BaseSettings", b"SQLModel", b"dataclass", b"attr", b"TypedDict")
"""Python without any of these holds no objects: most of a repository need not be parsed."""
_SUFFIXES = frozenset({".cs", ".py", ".sql", ".json", ".yaml", ".yml", ".md"})


class Code(Struct, frozen=True, kw_only=True):
    """What was read of a service's sources."""

    csharp: CsCode
    validators: tuple[Validator, ...]
    dtos: tuple[Dto, ...]
    """As each source has them: one name may occur in several languages."""
    blueprint: Blueprint
    operations: tuple[ListedOperation, ...]
    """Of OpenAPI documents."""
    sources: tuple[str, ...]
    """The files that told something, below the folder, with `/`."""
    skipped: tuple[str, ...] = ()
    """Files that could not be read, each with why."""
    python: tuple[tuple[str, bytes], ...] = ()
    """Python that declares objects, by its name below the folder; tests are not among it."""

    def dto(self, name: str, *, language: str = "") -> Dto | None:
        """The object NAME, in LANGUAGE if one is given."""
        return next((d for d in self.dtos if d.name == name and language in ("", d.language)), None)


def read_code(folder: Path) -> Code:
    """All C#, Python, SQL, OpenAPI, JSON Schema and blueprints in FOLDER, or of one file.

    Files of other YAML and JSON are passed over; what cannot be parsed is said in `skipped`.
    Raises InputError when there is nothing at FOLDER, or more than FILES_MAX files.
    """
    skipped: list[str] = []
    sources = dict(source_files(folder, skipped))
    csharp = {name: data for name, data in sources.items() if name.endswith(".cs")}
    validators: tuple[Validator, ...] = ()
    code = CsCode(classes=())
    if csharp:
        code = read_csharp(csharp)
        validators = read_validators(csharp)
    dtos = list(with_validators(dtos_in_csharp(code), validators))
    blueprint = Blueprint()
    told = list(csharp)
    operations: list[ListedOperation] = []
    python: list[tuple[str, bytes]] = []
    for name, data in sources.items():
        if name in csharp:
            continue
        try:
            found, plan = _other(name, data)
        except InputError as error:
            skipped.append(str(error))
            continue
        if found or plan is not None:
            told.append(name)
        dtos += found
        if found and name.endswith(".py") and not is_python_test(name):
            python.append((name, data))
        if is_openapi(data) and not name.endswith((".py", ".sql")):
            operations += operations_in_openapi(data, origin=name)
        blueprint = plan or blueprint
    return Code(
        csharp=code,
        validators=validators,
        dtos=tuple(dtos),
        blueprint=blueprint,
        operations=tuple(operations),
        sources=tuple(sorted(told)),
        skipped=tuple(skipped),
        python=tuple(python),
    )


def is_python_test(path: str) -> bool:
    """Whether pytest looks for tests in PATH."""
    name = Path(path).name
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def _other(name: str, data: bytes) -> tuple[tuple[Dto, ...], Blueprint | None]:
    if name.endswith(".py"):
        marked = any(mark in data for mark in _PYTHON_MARKS)
        return (dtos_in_python(data, origin=name) if marked else ()), None
    if name.endswith(".sql"):
        return dtos_in_ddl(data, origin=name), None
    if name.endswith(".md"):
        plan = read_blueprint(data, origin=name) if _is_plan(data) else None
        return plan.dtos if plan is not None else (), plan
    if is_openapi(data):
        return dtos_in_openapi(data, origin=name), None
    head = data[:4000]
    if b"$schema" in head or b'"properties"' in head:
        return dtos_in_json_schema(data, origin=name), None
    if b"augmented_by" in data:  # what we wrote about tests names blueprints, too
        return (), None
    if b"blueprint_id" in data or b"dto_structure" in data:
        plan = read_blueprint(data, origin=name)
        return plan.dtos, plan
    return (), None


def _is_plan(data: bytes) -> bool:
    """Whether Markdown has the front matter of a blueprint."""
    head = data[:4000]
    named = b"blueprint_id" in head or b"blueprintId" in head
    return named and head.lstrip(b"\xef\xbb\xbf").startswith(b"---") and b"augmented_by" not in data


def source_files(folder: Path, skipped: list[str]) -> Iterator[tuple[str, bytes]]:
    """The sources below FOLDER by name; what is too large or no UTF-8 goes to SKIPPED instead.

    Raises InputError when there is nothing at FOLDER, or more than FILES_MAX files.
    """
    if folder.is_file():
        yield from _readable(folder, folder.name, skipped)
        return
    if not folder.is_dir():
        raise InputError(f"there is no folder or file {folder}; name the service's sources")
    count = 0
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() not in _SUFFIXES:
                continue
            count += 1
            if count > FILES_MAX:
                raise InputError(f"{folder} has more than {FILES_MAX} sources; name a part of it")
            path = Path(where) / name
            yield from _readable(path, path.relative_to(folder).as_posix(), skipped)


def _readable(path: Path, name: str, skipped: list[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with path.open("rb") as file:
            data = file.read(SOURCE_BYTES_MAX + 1)
        data.decode("utf-8")
    except OSError as error:
        skipped.append(f"cannot read {name}: {error.strerror}")
    except UnicodeDecodeError as error:
        skipped.append(f"{name} is not UTF-8 ({error.reason}); save it as UTF-8")
    else:
        if len(data) > SOURCE_BYTES_MAX:
            skipped.append(f"{name} has more than {SOURCE_BYTES_MAX} bytes, the most that is read")
        else:
            yield name, data
