"""Writes recorded requests as steps: actors, bodies, and names for the values that flow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from premortem.agent.planning.observation import Observation
from premortem.agent.steps.catalogue import Argument, text
from premortem.agent.understanding.words import singular, tokens
from premortem.domain.bodies import at, is_json, read_body, text_of
from premortem.domain.places import Place
from premortem.domain.run import Case
from premortem.domain.scenario import Keyword, Step
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import Request

BODY_CHARACTERS_MAX = 20_000
"""A longer docstring is nothing to read; such a request cannot be a step."""
STEPS_MAX = 120
NOBODY = "visitor"


class CannotWrite(Exception):
    """A request that steps cannot say; becomes a reason, not an error."""


class DoesNotApply(CannotWrite):
    """What is asked makes no sense of the operation; the message names what it lacks."""


class Draft:
    """Steps in the making. Keywords are settled at the end: repeated ones become And."""

    def __init__(self, cases: Sequence[Case], *, roles: Mapping[str, str] | None = None) -> None:
        self.cases = tuple(cases)
        self._actors: dict[str, str] = {}
        self._newcomers: dict[str, str] = {}
        self._steps: list[tuple[Keyword, str, str]] = []
        self._names = _variable_names(cases)
        self._renamed = dict(roles or {})

    def actor(self, role: str) -> str:
        """The actor who has ROLE; empty: nobody signed in."""
        role = self._renamed.get(role, role)
        if role not in self._actors:
            name = "_".join(tokens(role)) or NOBODY
            while name in self._actors.values():
                name += "_2"
            self._actors[role] = name
        return self._actors[role]

    def newcomer(self, name: str, role: str) -> str:
        """Another actor with ROLE, called NAME or nearly so."""
        taken = {*self._actors.values(), *self._newcomers}
        while name in taken:
            name += "_2"
        self._newcomers[name] = role
        return name

    def add(self, keyword: Keyword, step: str, docstring: str = "") -> None:
        """One more step."""
        if len(self._steps) >= STEPS_MAX:
            raise CannotWrite(f"it would take more than {STEPS_MAX} steps")
        self._steps.append((keyword, step, docstring))

    def request(
        self,
        keyword: Keyword,
        index: int,
        *,
        role: str | None = None,
        body: Any = ...,
        query: Mapping[str, str | None] | None = None,
        path: str = "",
        actor: str = "",
        times: int = 1,
    ) -> None:
        """The INDEX-th case as a step; another ROLE, BODY value, QUERY or PATH replaces its own.

        ACTOR: a newcomer, in place of who has the role. More than one of TIMES: so often at once.
        """
        case = self.cases[index]
        actor = actor or self.actor(case.role if role is None else role)
        target = (path or self.path(index)) + self._query(index, query or {})
        docstring = self._docstring(index) if body is ... else pretty(body)
        arguments = (actor, case.request.method, target)
        if times > 1:
            name = "race_body" if docstring else "race"
            self.add(keyword, _text(name, *arguments, times), docstring)
        elif docstring:
            self.add(keyword, _text("send_body", *arguments), docstring)
        else:
            self.add(keyword, _text("send", *arguments))

    def setup(self, index: int) -> None:
        """The INDEX-th case as something that has happened; what later ones need of it is kept.

        The engine breaks off when a given request is refused, so its status need not be said.
        """
        kept = any(step == index for step, _ in self._names)
        if self.cases[index].recorded_status >= 400 and not kept:
            return  # refused in production too: it brought nothing about
        self.request("Given", index)
        for (step, pointer), name in self._names.items():
            if step == index:
                self.add("Given", _text("save", pointer, name))

    def look(self, keyword: Keyword, seen: Observation, role: str, *, before: bool) -> None:
        """The observation SEEN by ROLE: BEFORE keeps what it shows, after compares with that."""
        self.add(keyword, _text("send", self.actor(role), "GET", seen.path))
        for pointer in seen.fields:
            name = self.kept(pointer)
            if before:
                self.add(keyword, _text("save", pointer, name))
            else:
                self.add(keyword, _text("field", pointer, f"${{{name}}}"))

    def kept(self, pointer: str) -> str:
        """The name under which `look` keeps what stands at POINTER."""
        name = (pointer.rsplit("/", 1)[-1] or "all") + "_before"
        name = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
        return name if not name[0].isdigit() else "_" + name

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of what earlier answers give, in the order in which they are saved."""
        return tuple(name for _, name in sorted(self._names.items()))

    def path(self, index: int) -> str:
        """The INDEX-th case's path with `${name}` for what earlier answers gave."""
        case = self.cases[index]
        segments = [encode_segment(s) for s in split_path(case.request.path)]
        for binding in case.bindings:
            if binding.place.part == "path":
                position = int(binding.place.name)
                variable = self._variable(binding.step, binding.select)
                recorded = encode_segment(binding.recorded)
                segments[position] = segments[position].replace(recorded, variable)
        tail = "/" if case.request.path.endswith("/") and segments else ""
        return "/" + "/".join(segments) + tail

    def params(self, index: int, template: str) -> dict[str, str]:
        """Parameter of TEMPLATE -> its text in the INDEX-th case's path."""
        segments = split_template(self.path(index))
        wanted = split_template(template)
        whole = {
            part[1:-1]: segments[position]
            for position, part in enumerate(wanted)
            if part.startswith("{") and part.endswith("}") and position < len(segments)
        }
        return whole if len(segments) == len(wanted) else {}

    def body(self, index: int) -> Any:
        """The INDEX-th case's body as a value with `${name}` inside. Raises CannotWrite."""
        case = self.cases[index]
        value = _readable(case.request)
        for binding in case.bindings:
            if binding.place.part == "body":
                variable = self._variable(binding.step, binding.select)
                value = _put(value, binding.place.tokens, binding.recorded, variable)
        return value

    def plain_body(self, index: int) -> Any:
        """The INDEX-th case's body as it was recorded. Raises CannotWrite."""
        return _readable(self.cases[index].request)

    def steps(self) -> tuple[Step, ...]:
        """Everything so far; who the actors are comes first."""
        named = [
            ("Given", _text("actor_role", actor, role) if role else _text("actor_anonymous", actor))
            for role, actor in (*self._actors.items(), *_turned(self._newcomers))
        ]
        lines: list[tuple[Keyword, str, str]] = [("Given", line, "") for _, line in named]
        steps: list[Step] = []
        last = ""
        for keyword, line, docstring in [*lines, *self._steps]:
            shown: Keyword = "And" if keyword == last else keyword
            steps.append(Step(keyword=shown, text=line, docstring=docstring))
            last = keyword
        return tuple(steps)

    def _variable(self, step: int, select: Place) -> str:
        if select.part != "body":
            raise CannotWrite("it needs a value from a response header")
        return f"${{{self._names[(step, select.name)]}}}"

    def _docstring(self, index: int) -> str:
        request = self.cases[index].request
        if not request.body:
            return ""
        if is_json(request.media_type):
            return pretty(self.body(index))
        value = self.body(index)
        pairs = [(name, text_of(item)) for name, item in value.items()]
        # Written plainly: the engine sends a form as it stands here.
        return "&".join(f"{_form_text(name)}={_form_text(item)}" for name, item in pairs)

    def _query(self, index: int, changed: Mapping[str, str | None]) -> str:
        case = self.cases[index]
        bound = {b.place.name: b for b in case.bindings if b.place.part == "query"}
        pairs: list[str] = []
        for name, value in case.request.query:
            if name in changed:
                continue
            shown = _form_text(value)
            if name in bound and bound[name].recorded in value:
                variable = self._variable(bound[name].step, bound[name].select)
                shown = shown.replace(_form_text(bound[name].recorded), variable)
            pairs.append(f"{_form_text(name)}={shown}")
        pairs += [f"{_form_text(n)}={_form_text(v)}" for n, v in changed.items() if v is not None]
        return "?" + "&".join(pairs) if pairs else ""


def _turned(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(role, name) for name, role in names.items()]


def pretty(value: Any) -> str:
    """VALUE as JSON that people read. Raises CannotWrite when it is too long."""
    shown = json.dumps(value, indent=2, ensure_ascii=False)
    if len(shown) > BODY_CHARACTERS_MAX:
        raise CannotWrite(f"a body has {len(shown)} characters; {BODY_CHARACTERS_MAX} can be read")
    return shown


def _form_text(value: str) -> str:
    return encode_segment(value).replace("&", "%26").replace("=", "%3D").replace("+", "%2B")


def _text(name: str, *arguments: Argument) -> str:
    try:
        return text(name, *arguments)
    except ValueError as error:
        raise CannotWrite(str(error)) from None


def _readable(request: Request) -> Any:
    if b"${" in request.body:
        raise CannotWrite("its body holds ${, which a step would take for a variable")
    if request.media_type == "application/json-patch+json":
        raise CannotWrite("its body is a JSON Patch, and steps send plain JSON")
    try:
        value = read_body(request)
    except ValueError as error:
        raise CannotWrite(f"its body cannot be read ({error})") from None
    if value is None and request.body not in (b"", b"null"):
        raise CannotWrite(f"its body is {request.media_type or 'of no known type'}")
    return value


def _put(value: Any, tokens_: Sequence[str], recorded: str, variable: str) -> Any:
    """VALUE with RECORDED replaced by VARIABLE at the pointer; the original stays as it is."""
    copy = msgspec.json.decode(msgspec.json.encode(value))
    if not tokens_:
        return _replaced(copy, recorded, variable)
    try:
        parent = at(copy, tuple(tokens_[:-1]))
        key = int(tokens_[-1]) if isinstance(parent, list) else tokens_[-1]
        parent[key] = _replaced(parent[key], recorded, variable)
    except (LookupError, TypeError, ValueError):
        raise CannotWrite("a bound value does not stand where it was recorded") from None
    return copy


def _replaced(value: Any, recorded: str, variable: str) -> Any:
    if text_of(value) == recorded:
        return variable
    return value.replace(recorded, variable) if isinstance(value, str) else value


def _variable_names(cases: Sequence[Case]) -> dict[tuple[int, str], str]:
    """(producing step, pointer) -> a name that says what it is: `invoice_id`."""
    names: dict[tuple[int, str], str] = {}
    for case in cases:
        for binding in case.bindings:
            key = (binding.step, binding.select.name)
            if binding.select.part != "body" or key in names:
                continue
            base = _name(cases[binding.step], binding.select)
            name, count = base, 2
            while name in names.values():
                name, count = f"{base}_{count}", count + 1
            names[key] = name
    return names


def _name(producer: Case, select: Place) -> str:
    words = [w for token in select.tokens[-1:] if not token.isdigit() for w in tokens(token)]
    literal = [s for s in split_template(producer.operation_id.partition(" ")[2]) if "{" not in s]
    thing = tokens(literal[-1])[-1:] if literal else []
    if len(words) < 2:
        words = [*(singular(word) for word in thing if word not in words), *words]
    name = "_".join(word for word in words if word.isascii() and word.isalnum())
    return name if name and not name[0].isdigit() else f"value_{name}".rstrip("_")
