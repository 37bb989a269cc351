"""Names that clients choose, chosen anew, so that sequences do not meet in one resource.

Identifiers that the service makes differ by themselves from run to run. Those that a client
makes (`PUT /buckets/tasks`) do not: two sequences that bring about their own `tasks` would
refuse each other, and a second cycle of a recording would find what the first one left.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import sha256
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec

from premortem.domain.bodies import is_json, leaves, read_body, read_form, write_form
from premortem.domain.run import Case, Sequence
from premortem.domain.traffic import Request

SUFFIX_LENGTH = 4
DIGITS_MIN = 4
"""Shorter numbers are counts and choices, no identifiers."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def isolated(sequence: Sequence, *, salt: str, keep: Collection[str] = ()) -> Sequence:
    """SEQUENCE with the outermost identifiers it creates under names of its own.

    The same SALT gives the same names. KEEP: names that stay, such as roles' accounts. What lies
    below a renamed resource keeps its name: it is apart already.
    """
    names: dict[str, str] = {}
    for index, case in enumerate(sequence.cases):
        for name in _created(case, sequence.cases[index + 1 :]):
            if name not in names and name not in keep and not _below(case, names):
                names[name] = _renamed(name, salt)
    if not names:
        return sequence
    return Sequence(cases=tuple(_with_names(case, names) for case in sequence.cases))


def _created(case: Case, later: tuple[Case, ...]) -> Iterator[str]:
    """Identifiers that CASE brings about and that the client chose."""
    if not 200 <= case.recorded_status < 300:
        return
    request = case.request
    if request.method == "PUT" and case.operation_id.endswith("}"):
        segments = request.path.rstrip("/").split("/")
        bound = {binding.place.name for binding in case.bindings if binding.place.part == "path"}
        if str(len(segments) - 2) not in bound:
            yield unquote(segments[-1])
    elif request.method == "POST" and request.body:
        try:
            chosen = {value for _, value in leaves(read_body(request)) if isinstance(value, str)}
        except ValueError:
            return
        below = request.path.rstrip("/") + "/"
        for other in later:
            if other.request.path.startswith(below):
                name = unquote(other.request.path[len(below) :].split("/", 1)[0])
                if name in chosen:
                    yield name


def _below(case: Case, names: Collection[str]) -> bool:
    parents = case.request.path.rstrip("/").split("/")[:-1]
    return any(unquote(parent) in names for parent in parents)


def _renamed(name: str, salt: str) -> str:
    digest = sha256(f"{salt}\0{name}".encode()).digest()
    try:
        UUID(name)
    except ValueError:
        pass
    else:
        return str(UUID(bytes=digest[:16], version=4))
    if name.isdigit() and len(name) >= DIGITS_MIN:
        return name[0] + str(int.from_bytes(digest, "big"))[-len(name) + 1 :]
    return name + "".join(_ALPHABET[byte % 36] for byte in digest[:SUFFIX_LENGTH])


def _with_names(case: Case, names: dict[str, str]) -> Case:
    request = case.request
    path = "/".join(
        quote(names[unquote(segment)], safe="") if unquote(segment) in names else segment
        for segment in request.path.split("/")
    )
    query = tuple((key, names.get(value, value)) for key, value in request.query)
    bindings = tuple(
        msgspec.structs.replace(b, recorded=names[b.recorded]) if b.recorded in names else b
        for b in case.bindings
    )
    renamed = msgspec.structs.replace(request, path=path, query=query, body=_body(request, names))
    return msgspec.structs.replace(case, request=renamed, bindings=bindings)


def _body(request: Request, names: dict[str, str]) -> bytes:
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
