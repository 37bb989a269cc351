"""What can be said about one target: the catalogue's steps and its phrases."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Literal

from msgspec import Struct

from premortem.agent.emit.files import replace
from premortem.agent.steps import phrases
from premortem.agent.steps.bind import bind_line
from premortem.agent.steps.bindings import Bindings, bindings_path, parse_bindings
from premortem.agent.steps.catalogue import CATALOGUE, CatalogueStep, likeness, match, text_of
from premortem.agent.steps.phrases import Phrase, parts_of
from premortem.config import Config
from premortem.domain.scenario import Keyword, Step
from premortem.errors import InputError

NEAREST_MAX = 3
"""Steps that are named for a text which is none."""
BINDINGS_BYTES_MAX = 4 * 1024 * 1024
_VALUE = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])")
_PARAMETER = re.compile(r"\{(string|int)\}")


class Sayable(Struct, frozen=True, kw_only=True):
    """One way to say something: a step, or a phrase."""

    kind: Literal["step", "phrase"]
    text: str
    """With `{string}` and `{int}`."""
    keyword: Keyword
    area: str
    means: str
    example: str = ""
    below: Literal["", "docstring", "table"] = ""
    """What follows it."""
    steps: tuple[str, ...] = ()
    """What a phrase stands for."""
    accepted: str = ""
    """Who accepted a phrase; empty: nobody did."""


class Near(Struct, frozen=True, kw_only=True):
    """A way to say what a text may mean."""

    sayable: Sayable
    written: str
    """With the values of the text in it; `...` where it has none."""


class Explained(Struct, frozen=True, kw_only=True):
    """What a text means as a step of one target."""

    text: str
    binds: bool
    problem: str = ""
    """Why it does not bind."""
    sayable: Sayable | None = None
    """What it is; None: neither step nor phrase."""
    arguments: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """The catalogue steps it runs as, with its arguments."""
    nearest: tuple[Near, ...] = ()


def sayables(bindings: Bindings, *, area: str = "") -> tuple[Sayable, ...]:
    """All steps and phrases, of one AREA only if it is given; phrases are an area of their own.

    Raises InputError for an area that does not exist.
    """
    areas = [*dict.fromkeys(step.area for step in CATALOGUE), "phrases"]
    known = {name.lower(): name for name in areas}
    if area and area.lower() not in known:
        raise InputError(f"there is no area {area!r}; there are {', '.join(areas)}")
    found = [_of_step(step) for step in CATALOGUE]
    found += [_of_phrase(text, phrase) for text, phrase in bindings.phrases.items()]
    return tuple(one for one in found if not area or one.area == known[area.lower()])


def search(words: str, bindings: Bindings) -> tuple[Sayable, ...]:
    """Those that hold every one of WORDS somewhere, the best first."""
    asked = words.lower().split()
    found = [one for one in sayables(bindings) if all(word in _searched(one) for word in asked)]
    return tuple(sorted(found, key=lambda one: -likeness(words, one.text)))


def explain(
    text: str,
    *,
    bindings: Bindings,
    roles: Collection[str],
    docstring: str = "",
    table: tuple[tuple[str, ...], ...] = (),
) -> Explained:
    """What TEXT, with what stands below it, means for a target with BINDINGS and ROLES."""
    keyword, text = _without_keyword(text)
    found = match(text)
    phrase = None if found else phrases.find(text, bindings.phrases)
    if found is None and phrase is None:
        problem = "neither a step nor a phrase reads like this"
        return Explained(text=text, binds=False, problem=problem, nearest=_nearest(text, bindings))
    entry = found.entry if found else None
    if entry is not None and not docstring and not table and (entry.docstring or entry.table):
        docstring = "{}" if entry.docstring else '[{"column": "value"}]'
    step = Step(keyword=keyword or "Given", text=text, docstring=docstring, table=table)
    bound = bind_line(step, keyword=step.keyword, bindings=bindings, roles=roles)
    arguments = found.arguments if found else phrase.arguments if phrase else ()
    said = _of_step(entry) if entry else None
    if phrase is not None:
        said = _of_phrase(phrase.text, phrase.phrase)
    return Explained(
        text=text,
        binds=not any(one.problem for one in bound),
        problem=next((one.problem for one in bound if one.problem), ""),
        sayable=said,
        arguments=tuple(map(str, arguments)),
        steps=tuple(one.step.text for one in bound if one.entry is not None),
    )


def accept(text: str, phrase: Phrase, *, config: Config, by: str, day: str) -> Bindings:
    """Write into the binding file of CONFIG that BY accepted PHRASE as TEXT on DAY.

    What stands there stays as it is. Accepted already: nothing is written. Raises InputError
    when it cannot be written, ConfigError when it would not fit what stands there.
    """
    path = bindings_path(config)
    data = path.read_bytes() if path.is_file() else b""
    if len(data) > BINDINGS_BYTES_MAX:
        raise InputError(f"{path} has {len(data)} bytes; at most {BINDINGS_BYTES_MAX} are read")
    before = parse_bindings(data, config)
    known = before.phrases.get(text)
    if known is not None and known.accepted:
        return before
    said = _quoted(f"{by}, {day}")
    after = _appended(data, text, phrase, said) if known is None else _marked(data, text, said)
    bindings = parse_bindings(after, config)
    if not bindings.phrases[text].accepted:
        raise InputError(f"{path}: write `accepted = {said}` below the phrase yourself")
    replace(path, after)
    return bindings


def _appended(data: bytes, text: str, phrase: Phrase, accepted: str) -> bytes:
    lines = [f"[phrases.{_quoted(text)}]", f"accepted = {accepted}", "steps = ["]
    lines += [f"    {_quoted(step)}," for step in phrase.steps]
    newline = "\r\n" if b"\r\n" in data else "\n"
    gap = newline * (2 if data and not data.endswith(b"\n") else bool(data))
    block = "\n".join([*lines, "]", ""]).replace("\n", newline)
    return data + (gap + block).encode()


def _marked(data: bytes, text: str, accepted: str) -> bytes:
    """DATA with ACCEPTED in the table of the phrase TEXT, right below its head."""
    lines = data.decode("utf-8").splitlines(keepends=True)
    for index, line in enumerate(lines):
        if not line.lstrip().startswith("[phrases."):
            continue
        try:
            head = tomllib.loads(line)["phrases"]
        except (tomllib.TOMLDecodeError, KeyError):
            continue
        if text in head:
            newline = "\r\n" if line.endswith("\r\n") else "\n"
            lines.insert(index + 1, f"accepted = {accepted}{newline}")
            break
    return "".join(lines).encode()


def _quoted(text: str) -> str:
    """TEXT as a TOML string: literal where that can be read better."""
    if "\n" in text and "'''" not in text:
        return f"'''\n{text}'''"
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _of_step(step: CatalogueStep) -> Sayable:
    return Sayable(
        kind="step",
        text=step.expression,
        keyword=step.keyword,
        area=step.area,
        means=step.means,
        example=step.example,
        below="table" if step.table else "docstring" if step.docstring else "",
    )


def _of_phrase(text: str, phrase: Phrase) -> Sayable:
    return Sayable(
        kind="phrase",
        text=text,
        keyword="When",
        area="phrases",
        means=f"accepted by {phrase.accepted}" if phrase.accepted else "not accepted yet",
        steps=tuple(part.text for part in parts_of(phrase)),
        accepted=phrase.accepted,
    )


def _searched(one: Sayable) -> str:
    return " ".join((one.text, one.means, one.area, one.example, *one.steps)).lower()


def _nearest(text: str, bindings: Bindings) -> tuple[Near, ...]:
    found = sorted(sayables(bindings), key=lambda one: -likeness(text, one.text))
    values = [m[1] or m[2] or m[3] or "" for m in _VALUE.finditer(text)]
    return tuple(Near(sayable=o, written=_filled(o.text, values)) for o in found[:NEAREST_MAX])


def _filled(expression: str, values: list[str]) -> str:
    """EXPRESSION with VALUES, in order, where their kinds fit; `...` where none is left."""
    texts = [value for value in values if not _is_int(value)]
    numbers = [value for value in values if _is_int(value)]
    arguments: list[str | int] = []
    for kind in _PARAMETER.findall(expression):
        if kind == "int":
            arguments.append(int(numbers.pop(0)) if numbers else 1)
        else:
            arguments.append((texts or numbers or ["..."]).pop(0))
    try:
        return text_of(expression, arguments)
    except ValueError:
        return expression


def _is_int(value: str) -> bool:
    return re.fullmatch(r"-?\d+", value) is not None


def _without_keyword(text: str) -> tuple[Keyword | None, str]:
    known: Mapping[str, Keyword] = {"given": "Given", "when": "When", "then": "Then", "and": "And"}
    first, _, rest = " ".join(text.split()).partition(" ")
    keyword = known.get(first.lower())
    return (keyword if keyword != "And" else None), (rest if keyword else " ".join(text.split()))
