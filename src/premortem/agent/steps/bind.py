"""From a scenario's texts to steps that the engine can carry out.

A scenario binds when every step is one of the catalogue's, or an accepted phrase, and names
nothing that the target's configuration does not know: roles, states, tables, events, editions,
services, paths of the target itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from premortem.agent.steps import phrases
from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.catalogue import Argument, CatalogueStep, StepMatch, match, nearest
from premortem.agent.steps.hooks import listed
from premortem.domain.invariant import compared
from premortem.domain.scenario import Keyword, Scenario, Step

_METHOD = re.compile(r"[A-Z]{3,10}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
REPEAT_MAX = 100
"""Most repetitions that one step may ask for."""
RACE_MAX = 50
"""Most requests that one step may send at once."""
TABLE_ROWS_MAX = 1_000
"""Rows below one step."""
SIGNATURE = "signature"
"""The claim that every token has: setting it breaks the token without any key."""


class BoundStep(Struct, frozen=True, kw_only=True):
    """A step with what it means, or with why it means nothing."""

    step: Step
    keyword: Keyword
    """Given, When or Then: an And takes over the one before it."""
    entry: CatalogueStep | None = None
    """None: undefined."""
    arguments: tuple[Argument, ...] = ()
    problem: str = ""
    """Why it does not bind; empty: it does."""
    phrase: str = ""
    """The text of the phrase that it is a part of; empty: it stands for itself."""


def bind(
    scenario: Scenario, *, bindings: Bindings, roles: Collection[str]
) -> tuple[BoundStep, ...]:
    """The steps of SCENARIO, bound; ROLES are those that premortem.toml configures.

    A phrase becomes the steps that it stands for, so there may be more of them.
    """
    bound: list[BoundStep] = []
    keyword: Keyword = "Given"
    for step in scenario.steps:
        keyword = keyword if step.keyword == "And" else step.keyword
        bound += bind_line(step, keyword=keyword, bindings=bindings, roles=roles)
    return tuple(bound)


def bind_line(
    step: Step, *, keyword: Keyword, bindings: Bindings, roles: Collection[str]
) -> tuple[BoundStep, ...]:
    """One line, bound on its own: one step, or all that a phrase stands for."""
    found = None if match(step.text) else phrases.find(step.text, bindings.phrases)
    if found is None:
        return (bind_step(step, keyword=keyword, bindings=bindings, roles=roles),)
    problem = ""
    parts: tuple[Step, ...] = ()
    if not found.phrase.accepted:
        problem = (
            "nobody accepted this phrase yet; `premortem steps accept` it, or write "
            '`accepted = "your name"` below it in the binding file'
        )
    elif step.docstring or step.table:
        problem = "a phrase takes no docstring and no table"
    else:
        try:
            parts = phrases.expand(found, step)
        except ValueError as error:
            problem = str(error)
    if problem:
        return (BoundStep(step=step, keyword=keyword, problem=problem),)
    bound = (bind_step(part, keyword=keyword, bindings=bindings, roles=roles) for part in parts)
    return tuple(msgspec.structs.replace(one, phrase=step.text) for one in bound)


def bind_step(
    step: Step, *, keyword: Keyword, bindings: Bindings, roles: Collection[str]
) -> BoundStep:
    """One step of the catalogue, bound on its own."""
    found = match(step.text)
    if found is None:
        hint = nearest(step.text).expression
        problem = f"no step of the catalogue reads like this; the nearest is: {hint}"
        return BoundStep(step=step, keyword=keyword, problem=problem)
    problem = _below_problem(step, found.entry) or _problem(found, bindings, roles)
    return BoundStep(
        step=step,
        keyword=keyword,
        entry=found.entry,
        arguments=found.arguments,
        problem=problem,
    )


def rows_of(step: Step) -> tuple[dict[str, object], ...]:
    """The rows below STEP: its table's, or those of its JSON docstring.

    Raises ValueError when what stands there are no rows.
    """
    if step.table:
        columns, *rows = step.table
        if len(set(columns)) < len(columns) or not all(columns):
            raise ValueError("the columns of its table need names of their own")
        if any(len(row) != len(columns) for row in rows):
            raise ValueError("the rows of its table are not all as long as the first")
        found = [dict[str, object](zip(columns, row, strict=True)) for row in rows]
    else:
        value = json.loads(step.docstring)
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(row, dict) and row for row in found):
            raise ValueError("its docstring must be an object of columns, or a list of such")
    if not 1 <= len(found) <= TABLE_ROWS_MAX:
        raise ValueError(f"it must have between 1 and {TABLE_ROWS_MAX} rows below the columns")
    return tuple(found)


def _below_problem(step: Step, entry: CatalogueStep) -> str:
    """What is wrong with the docstring or table below STEP; empty: nothing."""
    if step.table and not entry.table:
        return "it takes no data table"
    if entry.docstring and not step.docstring:
        return "it needs a docstring below it"
    if entry.table and bool(step.docstring) == bool(step.table):
        return "it needs a data table below it (or, in its place, the rows as a JSON docstring)"
    if step.docstring and not (entry.docstring or entry.table):
        return f"it takes no docstring; one that does: {nearest(step.text + ' with:').expression}"
    try:
        if entry.name == "matches":
            json.loads(step.docstring)
        elif entry.table:
            rows = rows_of(step)
            if entry.name == "table_rows_where" and len(rows) != 1:
                return "it takes one row of values below the columns"
    except json.JSONDecodeError as error:
        return f"its docstring is not JSON: {error}"
    except ValueError as error:
        return str(error)
    return ""


_Check = Callable[[Sequence[str], Bindings, Collection[str]], str]


def _problem(found: StepMatch, bindings: Bindings, roles: Collection[str]) -> str:
    """What in the arguments the target's configuration does not know; empty: nothing."""
    check = _CHECKS.get(found.entry.name)
    return check([str(a) for a in found.arguments], bindings, roles) if check else ""


def _role(arguments: Sequence[str], bindings: Bindings, roles: Collection[str]) -> str:
    written = arguments[1]
    if bindings.role(written) in roles:
        return ""
    return f"the role {written!r} is not configured; premortem.toml knows {listed(roles, 'role')}"


def _signs_in(arguments: Sequence[str], bindings: Bindings, roles: Collection[str]) -> str:
    if problem := _role(arguments, bindings, roles):
        return problem
    role = bindings.role(arguments[1])
    if role in bindings.logins:
        return ""
    return f"the role {role!r} has no [roles.{role}.login] in premortem.toml, so nobody signs in"


def _holds(arguments: Sequence[str], _: Bindings, __: Collection[str]) -> str:
    try:
        compared(_VARIABLE.sub("1", arguments[0]))
    except ValueError as error:
        return str(error)
    return ""


def _claim(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
    if arguments[1] == SIGNATURE or bindings.tokens is not None:
        return ""
    return (
        f"to set the claim {arguments[1]!r}, the binding file needs [tokens] with `key` or "
        f"`request`; only the claim {SIGNATURE!r} needs neither"
    )


def _edition(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
    if bindings.edition(arguments[0]) is not None:
        return ""
    return (
        f"there is no [editions.{arguments[0]}] in the binding file, and no `edition_header` "
        f"in premortem.toml"
    )


def _time(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
    if bindings.clock is None:
        return "there is no [clock] in the binding file"
    if "${" in arguments[0]:
        return ""
    try:
        datetime.fromisoformat(arguments[0])
    except ValueError:
        return f"{arguments[0]!r} is no time; write it like 2028-02-29T23:59:59Z"
    return ""


def _service(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
    if bindings.service(arguments[0]) is None:
        return f"there is no [services.{arguments[0]}] in the binding file"
    return _status((arguments[1],), bindings, ())


def _status(arguments: Sequence[str], _: Bindings, __: Collection[str]) -> str:
    if 100 <= int(arguments[-1]) <= 599:
        return ""
    return f"{arguments[-1]} is no HTTP status"


def _request(arguments: Sequence[str], _: Bindings, __: Collection[str]) -> str:
    method, path = arguments[1:3]
    if _METHOD.fullmatch(method) is None:
        return f"{method!r} is no HTTP method"
    if not path.startswith("/") or path.startswith("//"):
        return f"{path!r} must be a path of the target, starting with one /"
    return ""


def _race(arguments: Sequence[str], bindings: Bindings, roles: Collection[str]) -> str:
    if not 2 <= int(arguments[3]) <= RACE_MAX:
        return f"at once can be between 2 and {RACE_MAX} requests"
    return _request(arguments, bindings, roles)


def _state(name: str) -> _Check:
    def check(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
        resource, _identity, state = arguments
        hook = bindings.hook(resource, state)
        if hook is None:
            return f"there is no [states.{resource}.{state}] in the binding file"
        if name == "state_set" and not (hook.requests or hook.sql):
            return f"[states.{resource}.{state}] has no `requests` that would bring it about"
        if name == "state_check" and not (hook.read or hook.read_sql):
            return f"[states.{resource}.{state}] has no `read` that would show it"
        return ""

    return check


def _save(arguments: Sequence[str], _: Bindings, __: Collection[str]) -> str:
    if _NAME.fullmatch(arguments[1]) is None:
        return f"{arguments[1]!r} is no variable name; use letters, digits and _"
    return ""


def _next_header(arguments: Sequence[str], _: Bindings, __: Collection[str]) -> str:
    if _HEADER.fullmatch(arguments[0]) is None:
        return f"{arguments[0]!r} is no name of a header"
    if arguments[0].lower() in _OWN_HEADERS:
        return f"the header {arguments[0]!r} follows from the request itself"
    return ""


def _repeat(arguments: Sequence[str], _: Bindings, __: Collection[str]) -> str:
    if not 1 <= int(arguments[0]) <= REPEAT_MAX:
        return f"repetitions must be between 1 and {REPEAT_MAX}"
    return ""


def _table(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
    if arguments[0] in bindings.tables:
        return ""
    known = listed(bindings.tables, "table")
    return f"the table {arguments[0]!r} is not under [tables] in the binding file; there: {known}"


def _event(arguments: Sequence[str], bindings: Bindings, _: Collection[str]) -> str:
    if bindings.sink(arguments[0]) is None:
        return f"there is no [events.{arguments[0]}] in the binding file"
    return ""


_CHECKS: Mapping[str, _Check] = {
    "actor_role": _role,
    "token_claim": _claim,
    "sign_in": _signs_in,
    "holds": _holds,
    "edition": _edition,
    "time_set": _time,
    "service_status": _service,
    "send": _request,
    "send_body": _request,
    "race": _race,
    "race_body": _race,
    "race_status": _status,
    "status": _status,
    "state_set": _state("state_set"),
    "state_check": _state("state_check"),
    "save": _save,
    "save_header": _save,
    "header_next": _next_header,
    "repeat": _repeat,
    "table_contains": _table,
    "table_rows": _table,
    "table_rows_where": _table,
    "table_unchanged": _table,
    "event": _event,
}


def named(steps: Sequence[BoundStep], *names: str) -> Iterator[str]:
    """The first argument of every one of STEPS that is called one of NAMES, each once."""
    found = (str(s.arguments[0]) for s in steps if s.entry is not None and s.entry.name in names)
    return iter(dict.fromkeys(found))
