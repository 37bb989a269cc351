"""A value under another name, wherever a request has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote
from uuid import UUID

from msgspec.structs import replace

from premortem.domain.bodies import is_json, read_form, write_form
from premortem.domain.run import Case
from premortem.domain.traffic import Request

UUID_DIGITS = 32


def renamed_code(code: str, digest: bytes) -> str:
    """A code out of DIGEST, 32 bytes, that is written as CODE, hexadecimal or a UUID, is."""
    text = digest.hex()[: len(code)]
    if len(code.replace("-", "")) == UUID_DIGITS:
        uuid = UUID(bytes=digest[:16], version=4)
        text = str(uuid) if "-" in code else uuid.hex
    return text.upper() if code.isupper() else text


def with_names(case: Case, names: Mapping[str, str]) -> Case:
    """CASE with every value that NAMES has (old -> new) renamed: in its path, query and body, and
    in what its bindings look for."""
    request = case.request
    path = "/".join(
        quote(names[unquote(segment)], safe="") if unquote(segment) in names else segment
        for segment in request.path.split("/")
    )
    query = tuple((key, names.get(value, value)) for key, value in request.query)
    bindings = tuple(
        replace(b, recorded=names[b.recorded]) if b.recorded in names else b for b in case.bindings
    )
    renamed = replace(request, path=path, query=query, body=_body(request, names))
    return replace(case, request=renamed, bindings=bindings)


def _body(request: Request, names: Mapping[str, str]) -> bytes:
    if not request.body:
        return request.body
    if is_json(request.media_type):
        # A whole string, or a segment of a path or a prefixed name in one; never a key.
        words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        pattern = re.compile(rf'(?<=["/:])({words})(?=[/?&:]|"(?!\s*:))')
        text = request.body.decode("utf-8", "surrogateescape")
        return pattern.sub(lambda m: names[m[1]], text).encode("utf-8", "surrogateescape")
    if "form-urlencoded" in request.media_type:
        form = read_form(request.body)
        if any(isinstance(value, str) and value in names for value in form.values()):
            return write_form(
                {k: names.get(v, v) if isinstance(v, str) else v for k, v in form.items()}
            )
    return request.body
