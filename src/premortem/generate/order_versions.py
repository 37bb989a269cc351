"""Operators about what no document lists: readings under the address of another version.

(OWASP API Security 2023, API9: improper inventory management)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from premortem.checks.check import VERSION
from premortem.domain.run import Case, Intent, Sequence
from premortem.domain.template import Matcher, encode_segment, split_path
from premortem.generate.order_kit import Kit, loose
from premortem.generate.starts import Start
from premortem.generate.steps import tried

READINGS_MAX = 3
"""Operations that are tried, the most used ones: a former version may lack some."""
NOWHERE = "v9871"
"""A version that no service has come to."""
USUAL = ("v1", "v2")
"""Tried where the documented addresses name none."""
_VERSION = re.compile(r"v(\d{1,3})")
_FRONT = frozenset({"api", "rest"})
"""What stands before a version."""


def other_versions(
    kit: Kit, start: Start, *, listed: tuple[str, ...] = ()
) -> Iterator[Sequence | None]:
    """START's reading, the same under a version that there cannot be, and under one that there may
    have been; by who may read it, and by nobody.

    LISTED: paths of servers that the specification names, below which it has everything. Nothing
    is tried that could be a documented address.
    """
    if start.final.bindings or start.setup or start.operation.id not in _readings(kit):
        return
    matcher = Matcher(o.operation for o in kit.profile.operations)
    for version in _versions(start.final.request.path):
        path = _at(start.final.request.path, version)
        nowhere = _at(start.final.request.path, NOWHERE)
        if any(matcher.match("GET", p) is not None for p in (path, nowhere)):
            continue
        if any(f"{path}/".startswith(f"{base.rstrip('/')}/") for base in listed if base != "/"):
            continue
        own = start.final.role
        for role in dict.fromkeys((own, "") if start.operation.secured else (own,)):
            yield _sequence(kit, start, role=role, path=path, nowhere=nowhere, version=version)


def _sequence(
    kit: Kit, start: Start, *, role: str, path: str, nowhere: str, version: str
) -> Sequence | None:
    row = kit.row(start)
    there = row.add(loose(start.final))
    away = row.add(replace(_moved(start.final, nowhere, role), intent=_INTENT))
    return row.ending(
        tried(
            _moved(start.final, path, role),
            kit.origin,
            operator="another version",
            breaks=f"{VERSION}/{version}",
            against=away,
            if_passed=there,
        )
    )


_INTENT = Intent(kind="adversarial", breaks=f"{VERSION}/{NOWHERE}", expects="answer")


def _readings(kit: Kit) -> list[str]:
    """Ids of documented readings that need nothing."""
    found = [
        o
        for o in kit.profile.operations
        if o.in_spec and o.operation.method == "GET" and "{" not in o.operation.template and o.count
    ]
    return [o.id for o in sorted(found, key=lambda o: -o.count)[:READINGS_MAX]]


def _place(segments: tuple[str, ...]) -> tuple[int, bool]:
    """(where the version stands, or would, whether there is one)."""
    for index, segment in enumerate(segments):
        if _VERSION.fullmatch(segment):
            return index, True
    return (1 if segments and segments[0].lower() in _FRONT else 0), False


def _versions(path: str) -> list[str]:
    segments = split_path(path)
    index, named = _place(segments)
    if not named:
        return list(USUAL)
    found = _VERSION.fullmatch(segments[index])
    number = int(found[1]) if found is not None else 1
    wanted = dict.fromkeys((number - 1, number + 1, 1))
    return [f"v{n}" for n in wanted if n >= 0 and n != number]


def _at(path: str, version: str) -> str:
    """PATH with VERSION in its place."""
    segments = split_path(path)
    index, named = _place(segments)
    rest = segments[index + 1 :] if named else segments[index:]
    whole = (*segments[:index], version, *rest)
    return "/" + "/".join(encode_segment(segment) for segment in whole)


def _moved(case: Case, path: str, role: str) -> Case:
    request = replace(case.request, path=path)
    return replace(case, request=request, role=role, recorded_status=0, recorded_reason="")
