"""A blueprint, YAML in which designers wrote down handlers, roles and structures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct

from premortem.agent.knowledge.csharp import json_type
from premortem.domain.proposal import Dto, DtoField
from premortem.errors import InputError

BLUEPRINT_BYTES_MAX = 1024 * 1024


class HandlerPlan(Struct, frozen=True, kw_only=True):
    """What a blueprint says of one handler."""

    name: str
    request: str = ""
    validator: str = ""
    roles_allowed: tuple[str, ...] = ()


class Blueprint(Struct, frozen=True, kw_only=True):
    """What a service is meant to do."""

    id: str = ""
    handlers: tuple[HandlerPlan, ...] = ()
    editions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Edition and the roles there are in it."""
    dtos: tuple[Dto, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role it names, in the order of its text."""
        named = [role for _, roles in self.editions for role in roles]
        named += [role for handler in self.handlers for role in handler.roles_allowed]
        return tuple(dict.fromkeys(named))

    def handler(self, name: str) -> HandlerPlan | None:
        """The handler NAME."""
        return next((h for h in self.handlers if h.name == name), None)


def read_blueprint(source: bytes, *, origin: str) -> Blueprint:
    """SOURCE as a blueprint; what it does not have stays empty.

    `handler`, `roles_allowed`, `roles_tested` and `roles_missing` of a flat one count, too.
    Raises InputError when it is no YAML mapping.
    """
    if len(source) > BLUEPRINT_BYTES_MAX:
        raise InputError(
            f"{origin} has {len(source)} bytes; at most {BLUEPRINT_BYTES_MAX} are read"
        )
    try:
        found = yaml.safe_load(source)
    except (yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{origin} is no YAML: {first}; mend it there") from None
    if not isinstance(found, dict):
        raise InputError(f"{origin} holds no mapping; a blueprint starts with `blueprint_id:`")
    return Blueprint(
        id=str(found.get("blueprint_id", "")),
        handlers=tuple(_handlers(found)),
        editions=tuple(_editions(found.get("editions"))),
        dtos=tuple(_dtos(found.get("dto_structure"), origin)),
    )


def _handlers(found: Mapping[str, Any]) -> Iterator[HandlerPlan]:
    declared = found.get("handlers")
    for name, said in (declared if isinstance(declared, dict) else {}).items():
        plan = said if isinstance(said, dict) else {}
        yield HandlerPlan(
            name=str(name),
            request=str(plan.get("request", "")),
            validator=str(plan.get("validator", "")),
            roles_allowed=_texts(plan.get("roles_allowed")),
        )
    if found.get("handler"):
        yield HandlerPlan(
            name=str(found["handler"]), roles_allowed=_texts(found.get("roles_allowed"))
        )


def _editions(found: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, said in (found if isinstance(found, dict) else {}).items():
        roles = said.get("roles") if isinstance(said, dict) else said
        yield str(name), _texts(roles)


def _dtos(found: Any, origin: str) -> Iterator[Dto]:
    for name, fields in (found if isinstance(found, dict) else {}).items():
        pairs = fields.items() if isinstance(fields, dict) else _pairs(fields)
        made = tuple(
            DtoField(
                name=str(key),
                type=json_type(str(kind).removesuffix("?")),
                declared_type=str(kind),
                nullable=str(kind).endswith("?"),
            )
            for key, kind in pairs
        )
        yield Dto(name=str(name), fields=made, language="blueprint", origin=origin)


def _pairs(fields: Any) -> Iterator[tuple[Any, Any]]:
    for entry in fields if isinstance(fields, list) else []:
        if isinstance(entry, dict):
            yield from entry.items()


def _texts(found: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in found) if isinstance(found, list) else ()
