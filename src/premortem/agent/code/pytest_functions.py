"""pytest functions for Python handlers: the same questions, in the tests that stand beside them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.code.literals import python_literal
from premortem.agent.code.names import condition_name, pascal
from premortem.agent.code.question import CodeQuestion, read_code_question
from premortem.agent.emit.files import Change, newline_of, text_of
from premortem.agent.emit.sections import cut
from premortem.agent.emit.tags import AGENT, shown
from premortem.agent.knowledge.python_source import Kind, PyClass, classes_in_python, parsed_python
from premortem.agent.knowledge.values import Condition, breaking, refused_by, valid_value
from premortem.agent.understanding.words import tokens
from premortem.domain.proposal import DtoField
from premortem.domain.scenario import Understanding
from premortem.errors import InputError

Function = ast.FunctionDef | ast.AsyncFunctionDef
_RAISES: dict[Kind, tuple[str, str]] = {
    "pydantic": ("ValidationError", "pydantic"),
    "attrs": ("ValueError", ""),
    "dataclass": ("ValueError", ""),
    "typed_dict": ("ValueError", ""),
}
_CHECKED_WHEN_MADE: frozenset[Kind] = frozenset({"pydantic", "attrs"})
_METHODS = ("handle", "execute", "__call__", "run", "process")
_DUPLICATE = re.compile(r"Duplicate|Already|Exists|Conflict")
_SAMPLES: dict[Condition, Any] = {
    "Zero": 0,
    "Negative": -100,
    "Null": None,
    "Empty": "",
    "TooHigh": 1_000_000_000,
    "TooLow": -1,
    "TooLong": "x" * 10_000,
    "TooShort": "",
    "Unknown": "UNKNOWN",
    "Malformed": "?",
    "WrongType": "not a number",
}


class NoHandler(InputError):
    """The source has no handler that is meant; another one may have."""


class PyHandler(Struct, frozen=True, kw_only=True):
    """A function, or a class with a method, that takes one request."""

    name: str
    call: str
    """How it is called once `handler` stands: `handler.handle`, `issue_refund`."""
    request: str
    """The class of what it takes."""
    made: str = ""
    """How a `handler` is made; empty: it is a function, or needs what is not known."""
    raises: tuple[str, ...] = ()
    """The exceptions that its source raises, of this module."""
    awaited: bool = False
    """It is a coroutine."""
    open_point: str = ""
    """Why it cannot be called with a request alone; empty: it can."""


class SuggestedFunction(Struct, frozen=True, kw_only=True):
    """A pytest function that is not there yet."""

    name: str
    source: str
    imports: tuple[str, ...]
    """Whole import statements that it needs."""
    question: CodeQuestion
    handler: str
    module: str
    """Where the handler is imported from: `shop.refunds`."""
    stated: str = ""
    """Where the code says that it is refused; empty: it does not."""


def handlers_in_python(source: bytes, *, origin: str) -> tuple[PyHandler, ...]:
    """The functions and classes of SOURCE that take one of its objects.

    Raises InputError when it is no Python.
    """
    classes = {c.dto.name: c for c in classes_in_python(source, origin=origin)}
    return tuple(_handlers(parsed_python(source, origin=origin), classes))


def suggest_pytest_function(
    prompt: str,
    source: bytes,
    *,
    module: str,
    handler: str = "",
    understood: Understanding | None = None,
    trace_id: str = "",
    edition: str = "",
) -> SuggestedFunction:
    """The pytest function that answers PROMPT for HANDLER in SOURCE, the module MODULE.

    TRACE_ID and EDITION are told in it.

    Raises InputError: the source or the question cannot be read, no handler takes an object of
    the module, or the failure mode does not show in one function.
    """
    classes = {c.dto.name: c for c in classes_in_python(source, origin=module)}
    found = list(_handlers(parsed_python(source, origin=module), classes))
    chosen = next((h for h in found if handler in ("", h.name)), None)
    if chosen is None:
        said = ", ".join(h.name for h in found) or "none"
        raise NoHandler(
            f"{module} has no handler {handler or 'that takes one of its objects'}; it has {said}"
        )
    request = classes[chosen.request]
    question = read_code_question(
        prompt, handler=pascal(chosen.name), dto=request.dto, understood=understood
    )
    if question.condition is not None:
        made = _refusing_value(question, chosen, request, module)
    elif question.failure_mode == "duplicate":
        made = _refusing_second(question, chosen, request, module)
    else:
        raise InputError(
            f"{question.failure_mode} does not show in one pytest function; ask for a scenario"
        )
    return _told(made, prompt, trace_id=trace_id, edition=edition)


def _told(
    made: SuggestedFunction, prompt: str, *, trace_id: str, edition: str
) -> SuggestedFunction:
    """MADE with a docstring that says who asked for it, and for which trace."""
    head, _, body = made.source.partition("\n")
    asked = cut(prompt).replace("\\", "/").replace('"', "'")
    tags = [f"trace_id:{trace_id}"] if trace_id else []
    tags += [f"edition:{edition}"] if edition else []
    lines = [f'    """{asked}', "", f"    {shown([*tags, f'augmented_by:{AGENT}'])}", '    """']
    return replace(made, source="\n".join([head, *lines, body]))


def append_pytest_function(
    source: bytes | None, function: SuggestedFunction, *, path: str
) -> Change:
    """SOURCE, the test file at PATH, with FUNCTION at its end and the imports it lacks.

    What stands there stays. Raises InputError when SOURCE is no Python.
    """
    text = text_of(source, path)
    newline = newline_of(text)
    tree = parsed_python(text.encode(), origin=path)
    there = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    if function.name in there:
        return Change(
            path=path, before=source, after=source or b"", kind="pytest", test_kind="unit"
        )
    missing = [line for line in function.imports if not _imported(line, tree)]
    block = newline.join(function.source.split("\n")) + newline
    imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    head, tail = text, ""
    if imports:
        lines = text.splitlines(keepends=True)
        end = imports[-1].end_lineno or 0
        head, tail = "".join(lines[:end]), "".join(lines[end:])
        head += "" if head.endswith(("\n", "\r")) else newline
    elif text.strip():
        head, tail = "", text
    added = "".join(line + newline for line in missing)
    made = head + added + tail
    gap = "" if not made else newline if made.endswith(newline) else newline * 2
    after = made + (gap + newline if made else "") + block
    return Change(
        path=path,
        before=source,
        after=after.encode(),
        kind="pytest",
        test_kind="unit",
        names=(function.name,),
        check=lambda data: _check(data, function.name, path),
    )


def _check(data: bytes, name: str, path: str) -> None:
    tree = parsed_python(data, origin=path)
    if name not in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}:
        raise InputError(f"{path} would not have {name} after writing; nothing was written")


def _imported(line: str, tree: ast.Module) -> bool:
    wanted = ast.parse(line).body[0]
    for node in tree.body:
        if isinstance(node, ast.Import) and isinstance(wanted, ast.Import):
            if {a.name for a in wanted.names} <= {a.name for a in node.names if not a.asname}:
                return True
        elif (
            isinstance(node, ast.ImportFrom)
            and isinstance(wanted, ast.ImportFrom)
            and node.module == wanted.module
            and {a.name for a in wanted.names} <= {a.name for a in node.names if not a.asname}
        ):
            return True
    return False


def _handlers(tree: ast.Module, classes: dict[str, PyClass]) -> Iterator[PyHandler]:
    own = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            request = "" if node.name.startswith("_") else _request(node, classes, skip=0)
            if request:
                yield PyHandler(
                    name=node.name,
                    call=node.name,
                    request=request,
                    raises=_raised(node, own),
                    awaited=isinstance(node, ast.AsyncFunctionDef),
                    open_point=_more_needed(node, node.name, skip=1),
                )
        elif isinstance(node, ast.ClassDef) and node.name not in classes:
            yield from _handler_class(node, classes, own)


def _handler_class(
    node: ast.ClassDef, classes: dict[str, PyClass], own: set[str]
) -> Iterator[PyHandler]:
    functions = (m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef))
    methods = {m.name: m for m in functions}
    taken = [n for n in (*_METHODS, *methods) if n in methods and not n.startswith("__init")]
    for name in taken:
        request = _request(methods[name], classes, skip=1)
        if not request:
            continue
        maker = methods.get("__init__")
        unmade = _more_needed(maker, f"{node.name}'s __init__", skip=1) if maker else ""
        yield PyHandler(
            name=node.name,
            call="handler" if name == "__call__" else f"handler.{name}",
            request=request,
            made="" if unmade else f"{node.name}()",
            raises=_raised(methods[name], own),
            awaited=isinstance(methods[name], ast.AsyncFunctionDef),
            open_point=unmade or _more_needed(methods[name], f"{node.name}.{name}", skip=2),
        )
        return


def _more_needed(node: Function, name: str, *, skip: int) -> str:
    """What NODE must be given besides its first SKIP arguments, in words; empty: nothing."""
    said = node.args
    placed = [a.arg for a in (*said.posonlyargs, *said.args)]
    needed = placed[skip : len(placed) - len(said.defaults)]
    needed += [a.arg for a, d in zip(said.kwonlyargs, said.kw_defaults, strict=True) if d is None]
    return f"{name} needs {', '.join(needed)} besides" if needed else ""


def _request(node: Function, classes: dict[str, PyClass], *, skip: int) -> str:
    """The object that the first parameter of NODE is annotated with; empty: none of CLASSES."""
    taken = node.args.args[skip:]
    if not taken or taken[0].annotation is None:
        return ""
    said = ast.unparse(taken[0].annotation).strip("'\"").split(".")[-1]
    return said if said in classes else ""


def _raised(node: ast.AST, own: set[str]) -> tuple[str, ...]:
    found = [
        ast.unparse(n.exc.func if isinstance(n.exc, ast.Call) else n.exc)
        for n in ast.walk(node)
        if isinstance(n, ast.Raise) and n.exc is not None
    ]
    return tuple(dict.fromkeys(f for f in found if f in own or f == "ValueError"))


def _refusing_value(
    question: CodeQuestion, handler: PyHandler, request: PyClass, module: str
) -> SuggestedFunction:
    field = request.dto.field(question.field)
    if field is None:
        said = ", ".join(f.name for f in request.dto.fields)
        raise InputError(f"{request.dto.name} has no field {question.field!r}; it has {said}")
    value = _value(field, question.condition or "Valid")
    left_out = question.condition == "Missing"
    rule = next(iter(refused_by(field, None if left_out else value)), None)
    given = {f.name: valid_value(f) for f in request.dto.fields if _required(f)}
    if left_out:
        given.pop(field.name, None)
    else:
        given[field.name] = value
    expected, origin = _RAISES[request.kind]
    made = _construction(request, given)
    early = request.kind in _CHECKED_WHEN_MADE and rule is not None
    inner = made if early else _called(handler, made)
    lines = [*_making(handler)] if not early else []
    lines += [f"with pytest.raises({expected}):", f"    {inner}"]
    imports = ["import pytest"] if early else _imports(handler)
    if origin:
        imports.append(f"from {origin} import {expected}")
    names = sorted({request.dto.name, *([] if early else [_imported_name(handler)])})
    imports.append(f"from {module} import {', '.join(names)}")
    stated = rule.source if rule else ""
    return _function(question, handler, lines, imports, module=module, stated=stated)


def _refusing_second(
    question: CodeQuestion, handler: PyHandler, request: PyClass, module: str
) -> SuggestedFunction:
    given = {f.name: valid_value(f) for f in request.dto.fields if _required(f)}
    own = next((r for r in handler.raises if _DUPLICATE.search(r)), "")
    call = _called(handler, "request")
    lines = [*_making(handler), f"request = {_construction(request, given)}"]
    lines += [call, "", f"with pytest.raises({own or 'Exception'}):", f"    {call}"]
    names = sorted({request.dto.name, _imported_name(handler), *([own] if own else [])})
    imports = [*_imports(handler), f"from {module} import {', '.join(names)}"]
    return _function(question, handler, lines, imports, module=module, stated=own)


def _called(handler: PyHandler, request: str) -> str:
    call = f"{handler.call}({request})"
    return f"asyncio.run({call})" if handler.awaited else call


def _imports(handler: PyHandler) -> list[str]:
    return [*(["import asyncio"] if handler.awaited else []), "import pytest"]


def _function(
    question: CodeQuestion,
    handler: PyHandler,
    lines: Sequence[str],
    imports: Sequence[str],
    *,
    module: str,
    stated: str,
) -> SuggestedFunction:
    doing = "_".join(t for t in tokens(handler.name) if t != "handler")
    name = f"test_{doing}_is_refused_when_{'_'.join(tokens(condition_name(question)))}"
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    return SuggestedFunction(
        name=name,
        source=f"def {name}() -> None:\n{body}",
        imports=tuple(imports),
        question=question,
        handler=handler.name,
        module=module,
        stated=stated,
    )


def _making(handler: PyHandler) -> list[str]:
    if handler.open_point:
        raise InputError(
            f"{handler.open_point}, so no test can make one by itself; give them defaults, "
            f"or write the arrangement and ask for its values only"
        )
    return [f"handler = {handler.made}"] if handler.made else []


def _imported_name(handler: PyHandler) -> str:
    return handler.made.split("(")[0] if handler.made else handler.call


def _required(field: DtoField) -> bool:
    return any(rule.kind == "required" for rule in field.rules)


def _construction(request: PyClass, given: dict[str, Any]) -> str:
    parts = ", ".join(f"{name}={python_literal(value)}" for name, value in given.items())
    return f"{request.dto.name}({parts})"


def _value(field: DtoField, condition: Condition) -> Any:
    edges = [edge for rule in field.rules if (edge := breaking(field, rule)) is not None]
    exact = next((e for e in edges if e.condition == condition and e.value), None)
    return json.loads(exact.value) if exact is not None else _SAMPLES.get(condition)
