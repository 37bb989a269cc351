"""Who may do what by FastAPI's dependencies, read from the source: nothing is imported.

`Depends(require_role("CFO"))`, `Depends(RoleChecker([Role.CFO]))`, `Security(user, scopes=[...])`,
in a route's signature or decorator, on its router, where that is included, and behind names:
`CfoUser = Annotated[User, Depends(require_cfo)]`. All that apply have to hold at once.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.knowledge.python_source import parsed_python
from premortem.domain.access import NOBODY, AccessRule, listed

MARKS = (b"APIRouter", b"FastAPI", b"Depends(", b"Security(")
"""A source without any of these has no routes and no dependencies."""
NAMES_FOLLOWED_MAX = 20
"""Names that stand for other names, one after the other."""
SAID_CHARACTERS_MAX = 120
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_ROLE_CHECK = re.compile(r"role|permission_for|allow(ed)?_?(for|users)?$", re.IGNORECASE)
_SIGNED_IN = re.compile(
    r"current_?(active_?)?user|auth|bearer|oauth2|api_?key|token|signed_?in|logged_?in|principal"
    r"|login_?required|verify|identity|session_?user|get_?user",
    re.IGNORECASE,
)
_OPTIONAL = re.compile(r"optional|maybe|auto_error=False|or_none", re.IGNORECASE)


class _Need(Struct, frozen=True, kw_only=True):
    """What one dependency asks of who sends a request."""

    roles: tuple[str, ...] | None = None
    """One of these; None: it does not say."""
    scopes: tuple[str, ...] = ()
    said: str = ""


class _Module(Struct, frozen=True, kw_only=True):
    name: str
    tree: ast.Module
    values: Mapping[str, ast.expr]
    """What its top level assigns."""
    imported: Mapping[str, str]
    """A name here -> the name it has where it comes from."""
    functions: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]


def access_in_python(sources: Mapping[str, bytes]) -> tuple[AccessRule, ...]:
    """The access rules of SOURCES: bytes by their path. Raises InputError for what is no Python."""
    modules = [
        _module(name, parsed_python(data, origin=name))
        for name, data in sorted(sources.items())
        if any(mark in data for mark in (*MARKS, b"Enum", b"ROLE", b"Role"))
    ]
    if not any(b"Depends(" in d or b"Security(" in d for d in sources.values()):
        return ()
    reader = _Reader(modules)
    return tuple(rule for module in modules for rule in reader.rules(module))


def _module(name: str, tree: ast.Module) -> _Module:
    values: dict[str, ast.expr] = {}
    imported: dict[str, str] = {}
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            values |= {node.target.id: node.value} if node.value is not None else {}
        elif isinstance(node, ast.ImportFrom):
            imported |= {a.asname or a.name: a.name for a in node.names}
        elif isinstance(node, ast.ClassDef):
            values |= {f"{node.name}.{k}": v for k, v in _members(node)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions[node.name] = node
    return _Module(name=name, tree=tree, values=values, imported=imported, functions=functions)


def _members(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for inner in node.body:
        if isinstance(inner, ast.Assign):
            yield from ((t.id, inner.value) for t in inner.targets if isinstance(t, ast.Name))


class _Reader:
    """Reads routes, with what stands on their routers and behind names."""

    def __init__(self, modules: Sequence[_Module]) -> None:
        self._modules = modules
        self._values: dict[str, ast.expr] = {}
        for module in modules:
            for name, value in module.values.items():
                self._values.setdefault(name, value)
        self._functions = {n: (m, f) for m in reversed(modules) for n, f in m.functions.items()}
        self._asking: set[str] = set()
        self._included = self._inclusions()

    def rules(self, module: _Module) -> Iterator[AccessRule]:
        """The rules of the routes in MODULE."""
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in node.decorator_list:
                found = self._route(decorator, module)
                if found is None:
                    continue
                owner, verb, path, call = found
                for prefix, around in self._around(owner, module):
                    needs = [*around, *self._of_call(call, module)]
                    needs += self._of_signature(node, module)
                    yield from _stated(needs, module.name, node, f"{verb} {prefix}{path}")

    def _route(self, decorator: ast.expr, module: _Module) -> tuple[str, str, str, ast.Call] | None:
        """`@router.post("/x")`: the router's name, `POST`, `/x`."""
        if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
            return None
        verb, owner = decorator.func.attr, decorator.func.value
        given = decorator.args[:1] or [k.value for k in decorator.keywords if k.arg == "path"]
        path = self._text(given[0], module) if given else None
        if verb not in _VERBS or path is None or not isinstance(owner, ast.Name):
            return None
        return owner.id, verb.upper(), path, decorator

    def _around(self, owner: str, module: _Module) -> list[tuple[str, list[_Need]]]:
        """The prefix and needs that hold for all routes of OWNER, once for each inclusion."""
        made = module.values.get(owner)
        if not isinstance(made, ast.Call):
            return [("", [])]
        prefix, own = self._prefix(made, module), self._of_call(made, module)
        including = self._included.get((module.name, owner)) or [("", [])]
        return [(f"{before}{prefix}", [*around, *own]) for before, around in including]

    def _inclusions(self) -> dict[tuple[str, str], list[tuple[str, list[_Need]]]]:
        """`app.include_router(invoices.router, prefix=..., dependencies=...)`, by the router."""
        found: dict[tuple[str, str], list[tuple[str, list[_Need]]]] = {}
        for module in self._modules:
            for node in ast.walk(module.tree):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if node.func.attr != "include_router" or not node.args:
                    continue
                owner = self._router(node.args[0], module)
                if owner is not None:
                    needs = [*self._of_app(node.func.value, module), *self._of_call(node, module)]
                    found.setdefault(owner, []).append((self._prefix(node, module), needs))
        return found

    def _of_app(self, node: ast.expr, module: _Module) -> list[_Need]:
        made = module.values.get(node.id) if isinstance(node, ast.Name) else None
        return self._of_call(made, module) if isinstance(made, ast.Call) else []

    def _router(self, node: ast.expr, module: _Module) -> tuple[str, str] | None:
        """Where the router that NODE names is made: module and name."""
        if isinstance(node, ast.Name) and node.id in module.values:
            return module.name, node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            wanted = module.imported.get(node.value.id, node.value.id)
            name = node.attr
        elif isinstance(node, ast.Name):
            wanted, name = "", module.imported.get(node.id, node.id)
        else:
            return None
        holding = [m for m in self._modules if isinstance(m.values.get(name), ast.Call)]
        named = [m for m in holding if PurePosixPath(m.name).stem == wanted] or (
            holding if not wanted and len(holding) == 1 else []
        )
        return (named[0].name, name) if named else None

    def _prefix(self, call: ast.Call, module: _Module) -> str:
        said = next((k.value for k in call.keywords if k.arg == "prefix"), None)
        found = self._text(said, module) if said is not None else ""
        return (found or "").rstrip("/")

    def _of_call(self, call: ast.Call, module: _Module) -> list[_Need]:
        """The needs in `dependencies=[...]` of a decorator, a router or an inclusion."""
        given = next((k.value for k in call.keywords if k.arg == "dependencies"), None)
        given = self._followed(given, module) if given is not None else None
        listed_ = given.elts if isinstance(given, ast.List | ast.Tuple) else ()
        return [need for node in listed_ for need in self._need(node, module)]

    def _of_signature(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, module: _Module
    ) -> list[_Need]:
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
        notes = [a.annotation for a in (*positional, *arguments.kwonlyargs) if a.annotation]
        return [need for node in (*defaults, *notes) for need in self._need(node, module)]

    def _need(self, node: ast.expr, module: _Module) -> list[_Need]:
        """What NODE asks, where it is a dependency or stands for one."""
        node = self._followed(node, module)
        if isinstance(node, ast.Subscript) and _last(node.value) == "Annotated":
            inner = node.slice.elts[1:] if isinstance(node.slice, ast.Tuple) else []
            return [need for each in inner for need in self._need(each, module)]
        if not isinstance(node, ast.Call) or _last(node.func) not in ("Depends", "Security"):
            return []
        given = node.args[0] if node.args else None
        scopes = next((k.value for k in node.keywords if k.arg == "scopes"), None)
        need = self._asked(given, module, security=_last(node.func) == "Security")
        if need is None:
            return []
        found = self._names(scopes, module) if scopes is not None else ()
        said = " ".join(ast.unparse(node).split())[:SAID_CHARACTERS_MAX]
        return [replace(need, scopes=found or (), said=said)]

    def _asked(self, given: ast.expr | None, module: _Module, *, security: bool) -> _Need | None:
        """What the dependency GIVEN asks; None: nothing that concerns who it is."""
        if given is None:
            return _Need() if security else None
        checked = self._followed(given, module)
        if isinstance(checked, ast.Call) and _ROLE_CHECK.search(_last(checked.func)):
            named = [self._names(each, module) for each in _given(checked)]
            if named and all(names is not None for names in named):
                return _Need(roles=tuple(n for names in named for n in names or ()))
            return _Need()
        inner = self._inside(checked, module)
        if inner is not None:
            return inner
        spelled = ast.unparse(given) + ast.unparse(checked)
        if _OPTIONAL.search(spelled):
            return None
        return _Need() if security or _SIGNED_IN.search(spelled) else None

    def _inside(self, given: ast.expr, module: _Module) -> _Need | None:
        """What the dependencies of the function GIVEN ask; None: nothing, or it is none."""
        name = _last(given) if isinstance(given, ast.Name | ast.Attribute) else ""
        where, function = self._functions.get(module.imported.get(name, name), (module, None))
        if function is None or name in self._asking:
            return None
        self._asking.add(name)
        try:
            needs = self._of_signature(function, where)
        finally:
            self._asking.discard(name)
        lists = [need.roles for need in needs if need.roles is not None]
        roles = tuple(r for r in lists[0] if all(r in o for o in lists[1:])) if lists else None
        return _Need(roles=roles) if needs else None

    def _followed(self, node: ast.expr, module: _Module) -> ast.expr:
        """What the name NODE stands for, where it stands for anything that was read."""
        for _ in range(NAMES_FOLLOWED_MAX):
            name = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            name = module.imported.get(name, name)
            value = module.values.get(name) or self._values.get(name)
            if value is None:
                break
            node = value
        return node

    def _text(self, node: ast.expr, module: _Module) -> str | None:
        found = self._followed(node, module)
        said = found.value if isinstance(found, ast.Constant) else None
        return said if isinstance(said, str) else None

    def _names(self, node: ast.expr, module: _Module) -> tuple[str, ...] | None:
        """The roles that NODE names: a text, `Role.CFO`, or several; None: it is not known."""
        if isinstance(node, ast.Starred) or (
            isinstance(node, ast.Attribute) and node.attr == "value"
        ):
            node = node.value
        found = self._followed(node, module)
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            return (found.value,)
        if isinstance(found, ast.List | ast.Tuple | ast.Set):
            each = [self._names(e, module) for e in found.elts]
            whole = [name for names in each for name in names or ()]
            return None if any(names is None for names in each) else tuple(whole)
        if isinstance(found, ast.Call) and _last(found.func) in ("frozenset", "set", "list"):
            return self._names(found.args[0], module) if found.args else ()
        return (found.attr,) if isinstance(found, ast.Attribute) else None


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rsplit(".", 1)[-1]


def _stated(
    needs: Iterable[_Need],
    file: str,
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    operation_id: str,
) -> Iterator[AccessRule]:
    """The rules of a route that has NEEDS; one that needs nothing says nothing."""
    asked = list(needs)
    if not asked:
        return
    lists = [need.roles for need in asked if need.roles is not None]
    rule = AccessRule(
        operation_id=operation_id.rstrip("/") or operation_id,
        handler=function.name,
        grant="allowed",
        scopes=tuple(dict.fromkeys(scope for need in asked for scope in need.scopes)),
        source="python",
        document=file,
        line=function.lineno,
        said=", ".join(dict.fromkeys(need.said for need in asked))[:SAID_CHARACTERS_MAX],
    )
    if lists:
        yield from listed(rule, [r for r in lists[0] if all(r in other for other in lists[1:])])
    else:
        # Whether who is signed in may is looked at inside, where no signature shows it.
        yield replace(rule, role=NOBODY, grant="denied")
