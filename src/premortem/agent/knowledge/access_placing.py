"""Access rules put onto the operations of a service: a document may know a handler's name only, or
write a path otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from premortem.agent.planning import access_titles
from premortem.agent.understanding.words import stem, tokens
from premortem.domain.access import AccessRule, folded
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile

_ENDS = re.compile(r"(?:Handler|Command|Query|UseCase|Endpoint|Async|Request|Action)+$")
_SAME = {
    kind: frozenset(map(stem, said.split()))
    for kind, said in (
        ("create", "create add issue make new register submit place post"),
        ("change", "change update edit modify patch"),
        ("read", "read get fetch view show"),
        ("delete", "delete remove destroy"),
    )
}


def placed(
    rules: Iterable[AccessRule],
    operations: Iterable[OperationProfile],
    handlers: Mapping[str, str] | None = None,
) -> Iterator[AccessRule]:
    """RULES with the ids of OPERATIONS where they speak of one of them.

    By method and path whatever the parameters are called, else as the one path that ends so; by
    the name of the handler, which HANDLERS knows or which says what just one operation does.
    What fits none stays as it is.
    """
    known = tuple(operations)
    by_shape = {shape(o.operation.method, o.operation.template): o.id for o in reversed(known)}
    names = {_bare(name): by_shape.get(_shape_of(id_), id_)
             for name, id_ in reversed(list((handlers or {}).items()))}  # fmt: skip
    spoken = _spoken(known)
    for rule in rules:
        if rule.operation_id:
            yield replace(rule, operation_id=_known(rule.operation_id, by_shape))
        elif rule.handler.startswith("/"):
            yield from _at_path(rule, by_shape)
        else:
            found = names.get(_bare(rule.handler)) or spoken.get(_words(rule.handler), "")
            yield replace(rule, operation_id=found)


def shape(method: str, path: str) -> str:
    """`POST /invoices/{id}` whatever the case and the names of parameters: `POST /invoices/{}`."""
    segments = (re.sub(r"\{[^{}]*\}", "{}", part).lower() for part in split_template(path))
    return f"{method.upper()} /{'/'.join(segments)}"


def _shape_of(operation_id: str) -> str:
    method, _, path = operation_id.partition(" ")
    return shape(method, path)


def _known(operation_id: str, by_shape: Mapping[str, str]) -> str:
    """The operation that is meant; none: OPERATION_ID as it is written."""
    wanted = _shape_of(operation_id)
    if wanted in by_shape:
        return by_shape[wanted]
    method, _, path = wanted.partition(" ")
    ends = [
        id_
        for known, id_ in by_shape.items()
        if known.startswith(f"{method} ") and known.endswith(path) and path != "/"
    ]
    return ends[0] if len(ends) == 1 else operation_id


def _at_path(rule: AccessRule, by_shape: Mapping[str, str]) -> Iterator[AccessRule]:
    """RULE for all methods of the path that it names."""
    path = shape("", rule.handler).strip()
    found = [id_ for known, id_ in by_shape.items() if known.partition(" ")[2] == path]
    for id_ in found:
        yield replace(rule, operation_id=id_, handler="")
    if not found:
        yield rule


def _bare(handler: str) -> str:
    return folded(_ENDS.sub("", handler) or handler)


_Words = tuple[str, tuple[str, ...]]


def _words(handler: str) -> _Words:
    """`IssueRefundHandler` as what is done, and what it is done to."""
    first, *rest = tokens(_ENDS.sub("", handler) or handler) or [""]
    return _doing(first), tuple(stem(word) for word in rest)


def _doing(verb: str) -> str:
    base = stem(verb)
    return next((kind for kind, verbs in _SAME.items() if base in verbs), base)


def _spoken(operations: Iterable[OperationProfile]) -> dict[_Words, str]:
    """What each operation does in words, where no other does the same."""
    found: dict[_Words, list[str]] = {}
    for operation in operations:
        said, about = access_titles.spoken(operation)
        thing = tuple(stem(word) for word in tokens(about))
        verb, *more = said.split(" ")
        if thing and not more:
            found.setdefault((_doing(verb), thing), []).append(operation.id)
    return {words: ids[0] for words, ids in found.items() if len(ids) == 1}
