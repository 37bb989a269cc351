"""`premortem skill` and `premortem skills`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.table import Table

from premortem.cli.context import COMMON, EXIT_CLEAN, Common, out, print_json, show
from premortem.domain.proposal import SkillPart
from premortem.errors import InputError


def skill(
    name: str,
    *,
    input: Annotated[str, Parameter(name="--input")] = "",  # noqa: A002 - the option's name
    set: tuple[str, ...] = (),  # noqa: A002 - the option's name
    root: Path | None = None,
    schema_only: Annotated[bool, Parameter(name="--schema")] = False,
    common: Common = COMMON,
) -> int:
    """Run one skill of the Test Generator Agent by itself.

    What it is asked with is a JSON document; what comes of it is one, too.
    For example:

        premortem skill ExpandPromptIntoPaths --set prompt="What if the amount is too high?"
        premortem skill InferAssertionsFromDTO --input request.json
        premortem skill GenerateFeatureScenario --schema

    Parameters
    ----------
    name
        The skill, as `premortem skills` lists it; upper and lower case do not matter.
    input
        A file with the request, or - for standard input.
    set
        FIELD=VALUE of the request; VALUE is JSON, or else text. May be given more than once.
    root
        The folder of sources and tests that it reads and writes; default: the configuration's.
    schema_only
        Print the JSON Schema of the request, and do nothing.
    """
    # Only here: reading code takes libraries that other commands start without.
    from premortem.pipeline.skills import open_room, skill_named
    from premortem.pipeline.skills.skill import perform, schema

    chosen = skill_named(name)
    if schema_only:
        print_json(schema(chosen))
        return EXIT_CLEAN
    request = _request(input, set)
    with open_room(common.load(), root=root) as room:
        print_json(perform(chosen, request, room))
    return EXIT_CLEAN


def skills(*, part: SkillPart | None = None, common: Common = COMMON) -> int:
    """List the skills of the Test Generator Agent, and which are here.

    Parameters
    ----------
    part
        Only those of one part.
    """
    from premortem.pipeline.skills import SKILLS, awaited_skills

    listed = [(one.name, one.part, "here", one.does) for one in SKILLS]
    listed += [(one.name, one.part, "not here yet", one.does) for one in awaited_skills()]
    chosen = [row for row in listed if part in (None, row[1])]
    if common.json:
        names = ("name", "part", "state", "does")
        print_json([dict(zip(names, row, strict=True)) for row in chosen])
        return EXIT_CLEAN
    table = Table(box=None, pad_edge=False)
    for column in ("skill", "part", "state", "what it does"):
        table.add_column(column, overflow="fold")
    for row in chosen:
        table.add_row(*row, style="" if row[2] == "here" else "dim")
    show(table)
    out.print("next: premortem skill NAME --schema", soft_wrap=True)
    return EXIT_CLEAN


def _request(source: str, pairs: tuple[str, ...]) -> bytes:
    """The request out of a file or standard input, with PAIRS set in it. Raises InputError."""
    text = b"{}"
    if source:
        try:
            text = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        except OSError as error:
            raise InputError(f"{source} cannot be read: {error.strerror}; name another") from None
    if not pairs:
        return text
    try:
        request = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InputError(f"{source} is no JSON: {error}; mend it") from None
    if not isinstance(request, dict):
        raise InputError(f"{source} holds no JSON object, so nothing can be set in it")
    for pair in pairs:
        field, equals, value = pair.partition("=")
        if not (field and equals):
            raise InputError(f"{pair!r} is no FIELD=VALUE; write --set prompt='What if ...?'")
        request[field] = _value(value)
    return msgspec.json.encode(request)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
