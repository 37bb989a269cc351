"""multipart/form-data as one flat object of texts and file contents, and back (RFC 7578)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from hashlib import sha256
from typing import Any

from msgspec import Struct

from premortem.domain.bodies import text_of
from premortem.domain.traffic import Request

MULTIPART = "multipart/form-data"
BOUNDARY = "premortem-part-7d1f0c52a9"
PARTS_MAX = 1_000
CONTENTS_MAX = 64
"""Contents kept of one file."""
LINES_MIN = 2
"""A table's head and one row."""
_BLANK = re.compile(rb"\r?\n\r?\n")
_FILENAME = re.compile(r'(filename=")([^"]*)(")')


class Part(Struct, frozen=True, kw_only=True):
    """One part of a form."""

    name: str
    head: tuple[str, ...]
    """Its header lines as they were."""
    content: bytes
    file: bool = False

    @property
    def value(self) -> str:
        """Its text; of a file, a character for each byte where it is no UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            return self.content.decode("latin-1")


def content_type_for(media_type: str) -> str:
    """The header to send a body of MEDIA_TYPE with that `write_parts` makes from nothing."""
    return f"{MULTIPART}; boundary={BOUNDARY}" if media_type == MULTIPART else media_type


def boundary_of(request: Request) -> str:
    """What REQUEST's header says stands between the parts; empty: nothing."""
    return _parameters(request.header("content-type") or "").get("boundary", "")


def read_parts(request: Request) -> list[Part]:
    """The named parts of REQUEST's body. Raises ValueError when it is no such form."""
    boundary = boundary_of(request)
    if not boundary:
        raise ValueError("a multipart form without boundary")
    if b"--" + boundary.encode() not in request.body:
        raise ValueError("a multipart form without its boundary in it")
    return list(_parts(request.body, boundary.encode()))


def _parts(data: bytes, boundary: bytes) -> Iterator[Part]:
    for piece in data.split(b"--" + boundary)[1 : PARTS_MAX + 1]:
        blank = _BLANK.search(piece)
        if blank is None:
            continue
        head = tuple(piece[: blank.start()].decode("utf-8", "replace").strip().splitlines())
        content = piece[blank.end() :].removesuffix(b"\n").removesuffix(b"\r")
        named = next((h for h in head if h.lower().startswith("content-disposition:")), "")
        told = _parameters(named.partition(":")[2].strip())
        if "name" in told:
            yield Part(name=told["name"], head=head, content=content, file="filename" in told)


def _parameters(header: str) -> dict[str, str]:
    message = Message()
    message["content-type"] = header
    pairs = message.get_params(failobj=[], unquote=True)
    return {key.lower(): value for key, value in pairs if isinstance(value, str)}


def read_multipart(request: Request) -> dict[str, Any]:
    """REQUEST's form as name -> text, or list of texts where a name comes again."""
    form: dict[str, Any] = {}
    for part in read_parts(request):
        if part.name not in form:
            form[part.name] = part.value
        elif isinstance(form[part.name], list):
            form[part.name].append(part.value)
        else:
            form[part.name] = [form[part.name], part.value]
    return form


def join_parts(parts: Iterable[Part], boundary: str) -> bytes:
    """PARTS as a body."""
    out = b""
    for part in parts:
        head = "\r\n".join(part.head)
        out += f"--{boundary}\r\n{head}\r\n\r\n".encode() + part.content + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


def write_multipart(
    form: Mapping[str, Any], like: Request | None = None, *, new_names: bool = False
) -> bytes:
    """FORM as a body with the boundary and the part headers of LIKE, whose files stay files.

    NEW_NAMES: files are called like theirs, but by a name that goes with the content.
    """
    recorded: dict[str, Part] = {}
    boundary = boundary_of(like) if like is not None else ""
    if like is not None and boundary:
        for part in _parts(like.body, boundary.encode()):
            recorded.setdefault(part.name, part)
    boundary = boundary or BOUNDARY
    parts: list[Part] = []
    for name, value in form.items():
        model = recorded.get(name)
        for item in value if isinstance(value, list) else [value]:
            content = _bytes(text_of(item), model)
            head = _head(name, model, content, new_names=new_names)
            parts.append(Part(name=name, head=tuple(head.split("\r\n")), content=content))
    return join_parts(parts, boundary)


def _bytes(text: str, model: Part | None) -> bytes:
    if model is not None and model.file:
        try:
            model.content.decode()
        except UnicodeDecodeError:
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                pass
    return text.encode("utf-8", "surrogatepass")


def _head(name: str, model: Part | None, content: bytes, *, new_names: bool) -> str:
    if model is None:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'Content-Disposition: form-data; name="{quoted}"'
    head = "\r\n".join(model.head)
    if not (new_names and model.file) or content == model.content:
        return head
    number = int.from_bytes(sha256(content).digest()[:2], "big")
    return _FILENAME.sub(lambda m: f"{m[1]}{_numbered(m[2], number)}{m[3]}", head, count=1)


def _numbered(name: str, number: int) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}-{number}{dot}{ending}" if stem else f"{name}-{number}"


def file_contents(requests: Iterable[Request]) -> dict[str, list[str]]:
    """Name of a file's part -> contents that REQUESTS had there, plain text and tables also with
    fewer of their lines."""
    found: dict[str, dict[str, None]] = {}
    for request in requests:
        try:
            parts = read_parts(request)
        except ValueError:
            continue
        for part in parts:
            if part.file:
                contents = found.setdefault(part.name, {})
                contents.setdefault(part.value)
                contents.update(dict.fromkeys(_shorter(part)))
    return {name: list(contents)[:CONTENTS_MAX] for name, contents in found.items()}


def _shorter(part: Part) -> Iterator[str]:
    kinds = " ".join(part.head).lower()
    if any(kind in kinds for kind in ("text/plain", "text/csv")):
        lines = part.value.splitlines(keepends=True)
        for keep in range(LINES_MIN, min(len(lines), CONTENTS_MAX)):
            yield "".join(lines[:keep])
