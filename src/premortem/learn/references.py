"""Documents and the `$ref`s between them (JSON Reference; RFC 6901 pointers)."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import yaml

from premortem.errors import InputError

FILE_BYTES_MAX = 64 * 1024 * 1024
FILES_MAX = 500
HOPS_MAX = 50
"""References followed in a row before it is called a circle."""


class _Loader(yaml.SafeLoader):
    """YAML with the scalars of JSON: no dates, and only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag.rsplit(":")[-1] not in ("timestamp", "bool")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_bytes(path: Path) -> bytes:
    """What is in PATH (gzip too). Raises InputError naming the file."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(FILE_BYTES_MAX + 1)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {path}: {reason}; name an existing file") from None
    if len(data) > FILE_BYTES_MAX:
        raise InputError(f"{path} is larger than {FILE_BYTES_MAX >> 20} MiB; name a specification")
    return data


def read_document(path: Path) -> Any:
    """The JSON or YAML in PATH (gzip too). Raises InputError naming the file."""
    data = read_bytes(path)
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _with_text_keys(yaml.load(data, Loader=_Loader))  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise InputError(
            f"{path} is neither JSON nor YAML{line}; name an OpenAPI 3.x or Swagger 2.0 document"
        ) from None


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(child) for child in value]
    return value


class Documents:
    """The root document and the files it refers to, each read once."""

    def __init__(self, path: Path) -> None:
        self.root = path.resolve()
        self._read: dict[Path, Any] = {self.root: read_document(path)}

    def document(self, file: Path) -> Any:
        """What FILE holds."""
        if file not in self._read:
            if len(self._read) >= FILES_MAX:
                raise InputError(f"{self.root} refers to more than {FILES_MAX} files")
            self._read[file] = read_document(file)
        return self._read[file]

    def target(self, reference: Any, file: Path) -> tuple[Path, str]:
        """(file, pointer) that REFERENCE, standing in FILE, names.

        Raises InputError for addresses on other machines: nothing is fetched.
        """
        if not isinstance(reference, str):
            raise InputError(f"{file}: `$ref` must be text, not {reference!r}")
        name, _, pointer = reference.partition("#")
        if re.match(r"[a-z][a-z0-9+.-]+://", name):
            raise InputError(
                f"{file}: cannot resolve $ref {reference!r}: addresses are not fetched; "
                f"save that document beside this one and refer to it by name"
            )
        return ((file.parent / unquote(name)).resolve() if name else file), unquote(pointer)

    def at(self, file: Path, pointer: str, *, reference: str = "") -> Any:
        """What stands at POINTER in FILE. Raises InputError naming both."""
        try:
            value = self.document(file)
        except InputError as error:
            raise InputError(f"cannot resolve $ref {reference!r}: {error}") from None
        for token in pointer.split("/")[1:] if pointer else ():
            key = token.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise InputError(
                    f"cannot resolve $ref {reference or '#' + pointer!r}: {file} has nothing at "
                    f"{pointer}; mend the reference or add what it names"
                )
        if pointer and not pointer.startswith("/"):
            raise InputError(
                f"cannot resolve $ref {reference!r} in {file}: write it as a pointer, #/..."
            )
        return value

    def follow(self, value: Any, file: Path) -> tuple[Any, Path]:
        """VALUE, or what its `$ref`s lead to, and the file that stands in."""
        for _ in range(HOPS_MAX):
            if not isinstance(value, dict) or "$ref" not in value:
                return value, file
            reference = value["$ref"]
            file, pointer = self.target(reference, file)
            value = self.at(file, pointer, reference=reference)
        raise InputError(f"{file}: the $refs starting at {value} lead in a circle")
