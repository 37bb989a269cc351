"""A blueprint: YAML, JSON or Markdown with front matter, in which designers wrote down handlers,
roles, structures and rules."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from premortem.agent.knowledge.csharp import json_type
from premortem.agent.knowledge.documents import Part, read_parts
from premortem.domain.proposal import Dto, DtoField
from premortem.errors import InputError

_HANDLERS = ("handlers", "use_cases", "operations")
_ROLES = ("roles_allowed", "allowed_roles", "required_roles", "authorized_roles", "roles")
_DTOS = ("dto_structure", "dtos", "dto_fields", "dto")


class HandlerPlan(Struct, frozen=True, kw_only=True):
    """What a blueprint says of one handler."""

    name: str
    request: str = ""
    validator: str = ""
    roles_allowed: tuple[str, ...] = ()


class Blueprint(Struct, frozen=True, kw_only=True):
    """What a service is meant to do."""

    id: str = ""
    trace_id: str = ""
    handlers: tuple[HandlerPlan, ...] = ()
    editions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Edition and the roles there are in it."""
    dtos: tuple[Dto, ...] = ()
    rules: tuple[str, ...] = ()
    """Business rules, each in the words of the blueprint."""

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

    Keys are read whatever their case, hyphens and underscores, lists also as `a, b`. `handler`,
    `roles_allowed`, `roles_tested` and `roles_missing` of a flat one count, too.
    Raises InputError when it is neither YAML nor JSON, or holds no mapping.
    """
    found = next((part for part in read_parts(source, origin=origin) if part.fields), None)
    if found is None:
        raise InputError(f"{origin} holds no mapping; a blueprint starts with `blueprint_id:`")
    return Blueprint(
        id=found.said("blueprint_id"),
        trace_id=found.said("trace_id"),
        handlers=tuple(_handlers(found)),
        editions=tuple(_editions(found.get("editions"))),
        dtos=tuple(_dtos(found.get(*_DTOS), origin)),
        rules=tuple(_rules(found.get("rules", "business_rules", "invariants"))),
    )


def _handlers(found: Part) -> Iterator[HandlerPlan]:
    declared = found.get(*_HANDLERS)
    for name, plan in declared.fields if declared is not None else ():
        yield _plan(name, plan)
    for plan in declared.items if declared is not None else ():
        name = plan.said("handler", "name", "id") if plan.fields else (plan.text or "")
        if name:
            yield _plan(name, plan)
    flat = found.said("handler", "handler_name")
    if flat:
        yield HandlerPlan(name=flat, roles_allowed=_listed(found, *_ROLES[:-1]))


def _plan(name: str, plan: Part) -> HandlerPlan:
    return HandlerPlan(
        name=name,
        request=plan.said("request", "dto", "input", "request_dto"),
        validator=plan.said("validator"),
        roles_allowed=_listed(plan, *_ROLES) if plan.fields else (),
    )


def _listed(part: Part, *names: str) -> tuple[str, ...]:
    found = part.get(*names)
    return found.names if found is not None else ()


def _editions(found: Part | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, said in found.fields if found is not None else ():
        roles = said.get("roles", "roles_allowed") if said.fields else said
        switched = roles is None or roles.is_false or roles.is_true
        yield name, () if roles is None or switched else roles.names
    for item in found.items if found is not None else ():
        if item.text:
            yield item.text, ()


def _dtos(found: Part | None, origin: str) -> Iterator[Dto]:
    for name, fields in found.fields if found is not None else ():
        made = tuple(_field(key, kind) for key, kind in _pairs(fields))
        yield Dto(name=name, fields=made, language="blueprint", origin=origin)


def _field(name: str, said: Part) -> DtoField:
    kind = said.said("type") if said.fields else said.text or ""
    return DtoField(
        name=name,
        type=json_type(kind.removesuffix("?")),
        declared_type=kind,
        nullable=kind.endswith("?"),
    )


def _pairs(fields: Part) -> Iterator[tuple[str, Part]]:
    yield from fields.fields
    for item in fields.items:
        named = item.said("name") if item.get("type") is not None else ""
        if named:
            yield named, item
        else:
            yield from item.fields


def _rules(found: Part | None) -> Iterator[str]:
    for item in found.items if found is not None else ():
        said = item.text if item.text is not None else item.said("rule", "text", "description")
        if said:
            yield " ".join(said.split())
    for key, value in found.fields if found is not None else ():
        said = value.text or value.said("rule", "text", "description")
        yield f"{key}: {' '.join(said.split())}" if said else key
