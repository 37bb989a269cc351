"""Mutations of multipart forms that no value shows: how their parts are sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from premortem.domain.places import body_place
from premortem.domain.run import Case, Intent
from premortem.generate.head_mutations import Mutation
from premortem.generate.parts import Part, boundary_of, join_parts, read_parts

FILES_MAX = 8
"""Files of one form that are sent otherwise in turn."""
LARGE = 1_000_000
"""Bytes of a file that is larger than any that was recorded is likely to be."""
_FILENAME = re.compile(r';\s*filename="[^"]*"')
_UNKNOWN_TYPE = "Content-Type: application/x-unknown"

Change = Callable[[list[Part], int], list[Part]]
"""(parts, index of a file) -> the parts to send."""


def part_mutations(bases: list[Case]) -> Iterator[Mutation]:
    """The form of BASES cut off, and each of its files sent in other ways."""
    yield _cut_off
    try:
        parts = read_parts(bases[0].request)
    except ValueError:
        return
    files = list(dict.fromkeys(part.name for part in parts if part.file))[:FILES_MAX]
    for name in files:
        for what, change in _CHANGES.items():
            yield _changing(name, what, change)


def _cut_off(base: Case) -> Case | None:
    """Without the delimiter that ends it (RFC 2046, 5.1.1)."""
    boundary = boundary_of(base.request).encode()
    body = base.request.body.rstrip()
    end = b"--" + boundary + b"--"
    if not boundary or not body.endswith(end):
        return None
    intent = Intent(
        kind="adversarial", breaks="body malformed", place=body_place(), expects="answer"
    )
    request = replace(base.request, body=body.removesuffix(end))
    return replace(base, request=request, intent=intent)


def _changing(name: str, what: str, change: Change) -> Mutation:
    place = body_place(name)
    intent = Intent(kind="adversarial", breaks=f"{place} {what}", place=place, expects="answer")

    def mutate(base: Case) -> Case | None:
        try:
            parts = read_parts(base.request)
        except ValueError:
            return None
        index = next((i for i, p in enumerate(parts) if p.file and p.name == name), -1)
        if index < 0:
            return None
        body = join_parts(change(parts, index), boundary_of(base.request))
        if body == base.request.body:
            return None
        kept = tuple(b for b in base.bindings if b.place.part != "body" or b.place != place)
        return replace(base, request=replace(base.request, body=body), intent=intent, bindings=kept)

    return mutate


def _as_text(parts: list[Part], index: int) -> list[Part]:
    file = parts[index]
    head = tuple(
        _FILENAME.sub("", line)
        for line in file.head
        if not line.lower().startswith("content-type:")
    )
    return [*parts[:index], replace(file, head=head, file=False), *parts[index + 1 :]]


def _other_type(parts: list[Part], index: int) -> list[Part]:
    file = parts[index]
    head = [line for line in file.head if not line.lower().startswith("content-type:")]
    changed = replace(file, head=(*head, _UNKNOWN_TYPE))
    return [*parts[:index], changed, *parts[index + 1 :]]


def _named(name: str) -> Change:
    def change(parts: list[Part], index: int) -> list[Part]:
        file = parts[index]
        head = tuple(_FILENAME.sub(lambda _: f'; filename="{name}"', line) for line in file.head)
        return [*parts[:index], replace(file, head=head), *parts[index + 1 :]]

    return change


def _holding(content: Callable[[bytes], bytes]) -> Change:
    def change(parts: list[Part], index: int) -> list[Part]:
        file = replace(parts[index], content=content(parts[index].content))
        return [*parts[:index], file, *parts[index + 1 :]]

    return change


_CHANGES: dict[str, Change] = {
    "sent as text": _as_text,
    "file of an unknown type": _other_type,
    "file without a name": _named(""),
    "file named like a path": _named("../../name.txt"),
    "file with a very long name": _named("n" * 300 + ".txt"),
    "empty file": _holding(lambda _: b""),
    "half a file": _holding(lambda content: content[: len(content) // 2]),
    "large file": _holding(lambda content: (content or b"x") * (LARGE // max(1, len(content)) + 1)),
    "file twice": lambda parts, index: [*parts, parts[index]],
}
