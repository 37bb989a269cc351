"""MSTest methods that ask over HTTP: who may not do it, and values that types do not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from premortem.agent.code.arrangement import initialised
from premortem.agent.code.literals import csharp_literal
from premortem.agent.code.question import CodeQuestion
from premortem.agent.knowledge.csharp import CsClass, CsCode, CsMethod
from premortem.agent.knowledge.openapi_dto import ListedOperation
from premortem.agent.knowledge.values import valid_value
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import stem, tokens
from premortem.domain.proposal import Dto
from premortem.errors import InputError

HTTP_MODES = frozenset({"forbidden_role", "invalid_token", "wrong_type"})
"""The failure modes that a test over HTTP shows in one request."""
USINGS = ("System.Net", "System.Net.Http.Json", "System.Threading.Tasks")
STATUS_NAMES = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden"}
_VERBS = ("Get", "Post", "Put", "Patch", "Delete")
_WITH_BODY = ("Post", "Put", "Patch")


class Route(Struct, frozen=True, kw_only=True):
    """Where an action listens."""

    method: str
    """`Post`."""
    path: str
    """`/api/invoice/approve`."""
    roles: tuple[str, ...] = ()
    """Who may, if it says so."""
    body: str = ""
    """The type of its body."""


def routes_in(code: CsCode) -> Iterator[tuple[Route, tuple[str, ...]]]:
    """Every controller action of CODE, with the words of its names."""
    for owner in code.classes:
        if not owner.name.endswith("Controller"):
            continue
        prefix = next((a.values[0] for a in owner.attributes if a.name == "Route" and a.values), "")
        for action in owner.methods:
            found = _action(owner, action, prefix)
            if found is not None:
                words = (*tokens(owner.name.removesuffix("Controller")), *tokens(action.name))
                yield found, words


def _action(owner: CsClass, action: CsMethod, prefix: str) -> Route | None:
    for attribute in action.attributes:
        verb = attribute.name.removeprefix("Http")
        if attribute.name.startswith("Http") and verb in _VERBS:
            own = attribute.values[0] if attribute.values else ""
            path = own if own.startswith(("/", "~")) else f"{prefix}/{own}"
            named = path.replace("[controller]", owner.name.removesuffix("Controller").lower())
            named = named.replace("[action]", action.name.lower()).lstrip("~")
            allowed = [a for a in (*action.attributes, *owner.attributes) if a.name == "Authorize"]
            roles = next((a.get("Roles") for a in allowed if a.get("Roles")), "")
            taken = [
                p for p in action.parameters if any(a.name == "FromBody" for a in p.attributes)
            ]
            return Route(
                method=verb,
                path="/" + named.strip("/"),
                roles=tuple(r.strip() for r in roles.split(",") if r.strip()),
                body=taken[0].type if taken else "",
            )
    return None


def route_for(question: CodeQuestion, code: CsCode) -> Route | None:
    """The action that does what QUESTION says: its verb and its thing both name it."""
    for route, words in routes_in(code):
        named = {stem(w) for w in words}
        things = {stem(w) for w in question.entity.split()}
        if stem(question.verb) in named and things and things <= named:
            return route
    return None


def listed_route(question: CodeQuestion, operations: Sequence[ListedOperation]) -> Route | None:
    """The operation of an OpenAPI document whose id names QUESTION's verb and thing."""
    for operation in operations:
        named = {stem(w) for w in tokens(operation.name)}
        things = {stem(w) for w in question.entity.split()}
        if stem(question.verb) in named and things and things <= named:
            return Route(
                method=operation.method.capitalize(),
                path=operation.path,
                roles=operation.roles,
                body=operation.request,
            )
    return None


def roles_in(code: CsCode) -> tuple[str, ...]:
    """The roles that `[Authorize(Roles = ...)]` names, in the order of their sources."""
    found = [
        role.strip()
        for owner in code.classes
        for holder in (owner.attributes, *(m.attributes for m in owner.methods))
        for attribute in holder
        if attribute.name == "Authorize"
        for role in attribute.get("Roles").split(",")
        if role.strip()
    ]
    return tuple(dict.fromkeys(found))


class HttpScene(Struct, frozen=True, kw_only=True):
    """All that is known where a test over HTTP is to be written."""

    code: CsCode
    route: Route
    dto: Dto | None = None
    tests: CsClass | None = None


def http_body(
    question: CodeQuestion, scene: HttpScene, *, status: int, open_points: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The statements of a test that SCENE's route answers QUESTION with STATUS, and open points."""
    client, missing = _client(question, scene)
    open_points = (*open_points, *missing)
    route = re.sub(r"\{[^}]*\}", "1", scene.route.path)
    lines = [f"var client = {client};"]
    payload = _payload(question, scene)
    if scene.route.method in _WITH_BODY:
        if "\n" in payload or payload.startswith("new "):
            lines.append(f"var payload = {payload};")
            payload = "payload"
        called = f'client.{scene.route.method}AsJsonAsync("{route}", {payload})'
    else:
        called = f'client.{scene.route.method}Async("{route}")'
    lines += [f"var response = await {called};", ""]
    lines.append(f"Assert.AreEqual(HttpStatusCode.{STATUS_NAMES[status]}, response.StatusCode);")
    if open_points:
        said = "; ".join(open_points)
        lines = [f'Assert.Inconclusive("To arrange: {said}");', "", *lines]
    return tuple(lines), open_points


def _client(question: CodeQuestion, scene: HttpScene) -> tuple[str, list[str]]:
    """The expression for a client that asks as the question's role, and what is missing for it."""
    makers = {
        owner.name: method.name
        for owner in scene.code.classes
        for method in owner.methods
        if "Role" in method.name
        and len(method.parameters) == 1
        and method.parameters[0].type == "string"
    }
    fields = scene.tests.fields if scene.tests is not None else ()
    held = next((f for f in fields if f.type in makers), None)
    factory = held.name if held is not None else ""
    if not factory and makers:
        factory = f"new {next(iter(makers))}()"
    maker = makers[held.type] if held is not None else next(iter(makers.values()), "")
    open_points: list[str] = []
    if not factory:
        factory = next((f.name for f in fields if "factory" in f.name.lower()), "factory")
        maker = "CreateClientWithRole"
        if scene.code.classes:
            open_points.append("no class makes a client with a role; write CreateClientWithRole")
    if question.role == ANONYMOUS:
        return f"{factory}.CreateClient()", open_points
    # A value can only be refused where the one who sends it is not.
    who = question.role or next(iter(scene.route.roles), "")
    return (f"{factory}.{maker}({csharp_literal(who)})" if who else f"{factory}.CreateClient()"), (
        open_points
    )


def _payload(question: CodeQuestion, scene: HttpScene) -> str:
    fields = scene.tests.fields if scene.tests is not None else ()
    held = next((f.name for f in fields if re.search(r"(?i)payload|body", f.name)), "")
    if question.failure_mode != "wrong_type":
        if held:
            return held
        if scene.dto is None:
            return "validPayload" if not scene.code.classes else "new { }"
    if scene.dto is None:
        raise InputError(f"{scene.route.path} takes nothing that is known; name its request's type")
    values = {f.name: csharp_literal(valid_value(f)) for f in scene.dto.fields}
    if question.failure_mode == "wrong_type":
        field = scene.dto.field(question.field)
        if field is None:
            raise InputError(f"{scene.dto.name} has no field {question.field!r}")
        values[field.name] = "5" if field.type == "string" else '"not a number"'
    values = {name: value for name, value in values.items() if value != "null"}
    return initialised("", "", values, end="").replace("new  {", "new {").replace("new \n", "new\n")
