"""Where an answer names the thing that it is about, as far as the specification tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from premortem.agent.understanding.words import stems
from premortem.domain.places import Place, body_place
from premortem.domain.shape import Shape, read_shape
from premortem.domain.traffic import OperationProfile

ID_WORDS = frozenset(stems("id ids uuid guid key identifier ref slug name"))
"""Words that say `what it is called` and nothing of what it is."""
_IDS = ("id", "uuid", "guid", "key", "identifier", "slug", "name")


def identity_of(
    operation: OperationProfile, prefix: tuple[str, ...], name: str, *, listed: bool = False
) -> Place | None:
    """Where OPERATION's good answer names the thing that it makes, or that stands behind PREFIX
    as the parameter NAME; None: nowhere. LISTED: the first of its list."""
    entity = [word for word in stems(name) if word not in ID_WORDS]
    entity = entity or (stems(prefix[-1]) if prefix else [])
    for answer in operation.answers:
        shape = read_shape(answer.schema) if 200 <= answer.status < 300 else None
        if shape is None:
            continue
        for at_, inner in _tops(shape, listed=listed):
            found = _own_id(inner, name, entity)
            if found:
                return body_place(*at_, found)
    return None


def located(operation: OperationProfile, _prefix: tuple[str, ...], _name: str) -> Place | None:
    """The address of what OPERATION makes, where its good answers declare one."""
    good = (answer for answer in operation.answers if 200 <= answer.status < 300)
    declared = any(header.name == "location" for answer in good for header in answer.headers)
    return Place(part="header", name="location") if declared else None


def _tops(shape: Shape, *, listed: bool) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Objects in an answer that may be the thing: itself, what its envelope holds."""
    if not listed:
        yield (), shape
    if shape.items is not None:
        yield ("0",), shape.items
    names = sorted(shape.names, key=lambda n: (n not in ("data", "item", "result"), n))
    for name in names:
        member = shape.member(name)
        if member is None:
            continue
        if member.items is not None:
            yield (name, "0"), member.items
        elif "object" in member.types and not listed:
            yield (name,), member


def _own_id(shape: Shape, name: str, entity: Sequence[str]) -> str:
    """The member of SHAPE that names the thing itself; empty: there is none."""
    names = [n for n in shape.names if not _inner(shape, n)]
    exact = [n for n in names if n == name and name not in _IDS]
    plain = [wanted for wanted in _IDS[:-1] for n in names if n.lower() == wanted]
    both = [
        n
        for n in names
        if set(stems(n)) & ID_WORDS and [w for w in stems(n) if w not in ID_WORDS] == [*entity]
    ]
    said = [n for n in names if n == "name" and set(stems(name)) & {"name", *stems("identifier")}]
    return next(iter([*exact, *plain, *both, *said]), "")


def _inner(shape: Shape, name: str) -> bool:
    member = shape.member(name)
    return member is None or bool(member.types & {"object", "array"})
