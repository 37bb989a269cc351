"""Phrases: the business language of one target, each made of catalogue steps.

    [phrases."a support agent refunds {string}"]
    accepted = "Ann, 2026-11-21"
    steps = [
        '"agent" sends "POST" to "/invoices/${invoice_id}/refunds" with:',
        '''
        {"amount": "${1}"}
        ''',
    ]

`${1}`, `${2}` stand for the phrase's own arguments, `${name}` for what a scenario saved. A phrase
expands to catalogue steps only, never to phrases; no text matches two expressions; and none
means anything until a person accepted it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
from cucumber_expressions.expression import CucumberExpression
from cucumber_expressions.parameter_type_registry import ParameterTypeRegistry
from msgspec import Struct

from premortem.agent.steps.catalogue import (
    CATALOGUE,
    STEP_CHARACTERS_MAX,
    Argument,
    CatalogueStep,
    match,
)
from premortem.domain.scenario import Scenario, Step
from premortem.errors import ConfigError

PHRASES_MAX = 500
STEPS_MAX = 20
"""Steps that one phrase stands for."""
PHRASE_CHARACTERS_MAX = 300
_PARAMETER = re.compile(r"\{(string|int)\}")
_NUMBER = re.compile(r"-?\d+")
_PLACE = re.compile(r"\$\{(\d+)\}")
_TEXT_OR_SPACE = re.compile(r'"(?:[^"\\]|\\.)*"|\s+')
_STRANGE = re.compile(r'["(){}/\\\n\t]')
"""What means something else in a Cucumber Expression, or in a step's text."""


class Phrase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[phrases."TEXT"]`: what a text stands for."""

    steps: tuple[str, ...]
    """Texts of catalogue steps, without keyword; one that takes a docstring is followed by it."""
    accepted: str = ""
    """Who accepted it and when; empty: nobody did, and it means nothing yet."""


class PhraseMatch(Struct, frozen=True, kw_only=True):
    """A text seen through the one phrase it matches."""

    text: str
    """The phrase's own, with its parameters."""
    phrase: Phrase
    arguments: tuple[Argument, ...]


class Part(Struct, frozen=True, kw_only=True):
    """One step that a phrase stands for, with `${1}` in it."""

    text: str
    docstring: str = ""


def find(text: str, phrases: Mapping[str, Phrase]) -> PhraseMatch | None:
    """The phrase of PHRASES that TEXT is, or None."""
    if len(text) > STEP_CHARACTERS_MAX:
        return None
    for name, phrase in phrases.items():
        arguments = _expression(name).match(text)
        if arguments is not None:
            values = tuple(argument.value for argument in arguments)
            return PhraseMatch(text=name, phrase=phrase, arguments=values)
    return None


def expand(found: PhraseMatch, step: Step) -> tuple[Step, ...]:
    """The catalogue steps that STEP, which is the phrase FOUND, stands for.

    Raises ValueError when an argument cannot be written where the phrase puts it.
    """
    expanded: list[Step] = []
    for part in parts_of(found.phrase):
        text = _PLACE.sub(lambda m: _in_text(found.arguments, m[1]), part.text)
        docstring = _PLACE.sub(lambda m: _in_json(found.arguments, m[1]), part.docstring)
        if _is_json(part.docstring) and not _is_json(docstring):
            raise ValueError(f"with these values the body is no JSON any more: {docstring[:80]}")
        keyword = "And" if expanded else step.keyword
        expanded.append(Step(keyword=keyword, text=text, docstring=docstring))
    return tuple(expanded)


def parts_of(phrase: Phrase) -> tuple[Part, ...]:
    """The steps of PHRASE, each with the docstring that follows it."""
    parts: list[Part] = []
    texts = list(phrase.steps)
    while texts:
        text = texts.pop(0).strip()
        entry = _entry(text)
        takes = entry is not None and (entry.docstring or entry.table)
        parts.append(Part(text=text, docstring=texts.pop(0).strip() if takes and texts else ""))
    return tuple(parts)


def check_phrases(phrases: Mapping[str, Phrase], where: str) -> None:
    """Raise ConfigError for a phrase that could mean nothing, or two things."""
    if len(phrases) > PHRASES_MAX:
        raise ConfigError(f"{where} has {len(phrases)} phrases; at most {PHRASES_MAX}")
    shapes = {_shape(entry.expression): entry.expression for entry in CATALOGUE}
    for text, phrase in phrases.items():
        place = f'{where} [phrases."{text}"]'
        if problem := phrase_problem(text, phrase):
            raise ConfigError(f"{place}: {problem}")
        shape = _shape(text)
        if shape in shapes:
            raise ConfigError(f"{place} reads like {shapes[shape]!r}; say it in other words")
        shapes[shape] = text


def phrase_problem(text: str, phrase: Phrase) -> str:
    """Why TEXT can be no phrase for its steps; empty: it can. Others are not looked at."""
    if problem := _text_problem(text):
        return problem
    if not 1 <= len(phrase.steps) <= 2 * STEPS_MAX:
        return f"it must have between 1 and {STEPS_MAX} steps"
    known = len(_PARAMETER.findall(text))
    parts = parts_of(phrase)
    if len(parts) > STEPS_MAX:
        return f"it has {len(parts)} steps; at most {STEPS_MAX}"
    for part in parts:
        entry = _entry(part.text)
        if entry is None:
            return f"{part.text!r} is no step of the catalogue (phrases may not hold phrases)"
        if (entry.docstring or entry.table) and not part.docstring:
            return f"{part.text!r} needs its docstring as the next of `steps`"
        for number in _PLACE.findall(part.text + part.docstring):
            if not 1 <= int(number) <= known:
                return f"${{{number}}} in {part.text!r}: the phrase has {known} parameters"
    return ""


def _text_problem(text: str) -> str:
    literal = _PARAMETER.sub(" ", text)
    if len(text) > PHRASE_CHARACTERS_MAX:
        return f"it has {len(text)} characters; at most {PHRASE_CHARACTERS_MAX}"
    if strange := _STRANGE.search(literal):
        return (
            f"{strange.group()!r} cannot stand in a phrase; parameters are {{string}} and {{int}}"
        )
    if literal.count("'") > 1:
        return "more than one apostrophe would read as a quoted text"
    if len(re.findall(r"[^\W\d_]+", literal)) < 2:
        return "it needs at least two words besides its parameters"
    if text != " ".join(text.split()):
        return "write it in one line, with single spaces"
    return ""


def _shape(expression: str) -> str:
    """EXPRESSION as all texts it matches look alike: two of one shape could match one text."""
    literal = _PARAMETER.sub(lambda m: '"' if m[1] == "string" else "0", expression)
    return _NUMBER.sub("0", literal)


@lru_cache(maxsize=2 * PHRASES_MAX)
def _expression(text: str) -> CucumberExpression:
    return CucumberExpression(text, ParameterTypeRegistry())


def _entry(text: str) -> CatalogueStep | None:
    """The catalogue step that TEXT will be once its parameters are filled."""
    found = match(_PLACE.sub("1", text))
    return found.entry if found else None


def _is_json(docstring: str) -> bool:
    try:
        json.loads(_PLACE.sub("1", docstring))
    except ValueError:
        return False
    return True


def _argument(arguments: Sequence[Argument], number: str) -> str:
    index = int(number) - 1
    if not 0 <= index < len(arguments):
        raise ValueError(f"the phrase has no parameter {number}")
    return str(arguments[index])


def _in_text(arguments: Sequence[Argument], number: str) -> str:
    value = _argument(arguments, number)
    if value.endswith("\\"):
        raise ValueError(f"cannot stand in a step: {value[:80]!r}")
    return value.replace('"', '\\"')


def _in_json(arguments: Sequence[Argument], number: str) -> str:
    return json.dumps(_argument(arguments, number), ensure_ascii=False)[1:-1]


def phrased(scenario: Scenario, phrases: Mapping[str, Phrase]) -> Scenario:
    """SCENARIO said in the accepted of PHRASES, as far as they go."""
    steps = fold(scenario.steps, phrases)
    if steps == scenario.steps:
        return scenario
    return msgspec.structs.replace(scenario, steps=steps)


def fold(steps: Sequence[Step], phrases: Mapping[str, Phrase]) -> tuple[Step, ...]:
    """STEPS with the accepted of PHRASES where they stand for what is there, longest first.

    What `expand` makes of the result is STEPS again.
    """
    accepted = {text: phrase for text, phrase in phrases.items() if phrase.accepted}
    longest = sorted(accepted, key=lambda text: (-len(parts_of(accepted[text])), text))
    folded: list[Step] = []
    index = 0
    while index < len(steps):
        for text in longest:
            size = len(parts_of(accepted[text]))
            line = _folded(text, accepted[text], steps[index : index + size])
            if line is not None:
                folded.append(line)
                index += size
                break
        else:
            folded.append(steps[index])
            index += 1
    return tuple(folded)


def _folded(text: str, phrase: Phrase, steps: Sequence[Step]) -> Step | None:
    """The one line in place of STEPS, or None where they are not what PHRASE stands for."""
    parts = parts_of(phrase)
    if len(steps) < len(parts) or any(s.keyword != "And" for s in steps[1:]):
        return None
    values: dict[str, str] = {}
    for part, step in zip(parts, steps, strict=True):
        if step.table or not all(_captured(*pair, values) for pair in _pairs(part, step)):
            return None
    numbers = iter(range(1, len(_PARAMETER.findall(text)) + 1))
    try:
        line = _PARAMETER.sub(lambda m: _written(values[str(next(numbers))], m[1]), text)
    except (KeyError, ValueError):
        return None
    made = Step(keyword=steps[0].keyword, text=line)
    found = find(line, {text: phrase})
    if found is None or not _alike(expand(found, made), steps):
        return None
    return made


def _pairs(part: Part, step: Step) -> Iterator[tuple[str, str]]:
    yield part.text, step.text
    yield _compact(part.docstring), _compact(step.docstring)


def _captured(template: str, text: str, values: dict[str, str]) -> bool:
    """Whether TEXT is TEMPLATE with some values; those go into VALUES."""
    pieces = _PLACE.split(template)
    pattern = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            pattern += re.escape(piece)
        elif piece in values:
            pattern += re.escape(values[piece])
        elif f"(?P<p{piece}>" in pattern:
            pattern += f"(?P=p{piece})"
        else:
            pattern += rf'(?P<p{piece}>[^"\\\n]*?)'
    found = re.fullmatch(pattern, text)
    if found is None:
        return False
    values.update({name[1:]: value for name, value in found.groupdict().items()})
    return True


def _compact(docstring: str) -> str:
    """DOCSTRING without the white space between its texts."""
    return _TEXT_OR_SPACE.sub(lambda m: "" if m[0].isspace() else m[0], docstring)


def _written(value: str, kind: str) -> str:
    if kind == "int":
        return str(int(value))
    return f'"{value}"'


def _alike(left: Sequence[Step], right: Sequence[Step]) -> bool:
    return [(s.text, _compact(s.docstring)) for s in left] == [
        (s.text, _compact(s.docstring)) for s in right
    ]
