"""Skills about code: assertions from its objects, and test methods in its language."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from premortem.agent.code.append import append_test_method
from premortem.agent.code.code_tests import (
    Provenance,
    SuggestedMethod,
    append_suggested,
    generate_validator_test,
    suggest_test_method,
)
from premortem.agent.emit.files import read, write
from premortem.agent.emit.git_patch import git_patch
from premortem.agent.knowledge.reading import Code, read_code
from premortem.agent.knowledge.rules import infer_assertions_from_dto
from premortem.agent.knowledge.values import Condition
from premortem.domain.proposal import Artifact, Dto
from premortem.errors import InputError
from premortem.pipeline.skills.material import Ask, code
from premortem.pipeline.skills.skill import Room, Skill

OFFERED_MAX = 8
"""Objects that an error names."""


class AboutDto(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object: by its name in the code, as a source text, or as data."""

    name: str = ""
    source: str = ""
    """C#, Python, SQL, JSON or YAML text, in place of the code below the root."""
    file: str = "Source.cs"
    """What SOURCE would be called; its ending tells the language."""
    dto: Dto | None = None


class Assertions(Struct, frozen=True, kw_only=True):
    """What must be refused, and how."""

    dto: str
    assertions: tuple[Stated, ...]


class Stated(Struct, frozen=True, kw_only=True):
    """One value that must be refused."""

    field: str
    says: str
    """`Amount = 0`."""
    expects: str
    """`IsFailure("Amount must be greater than 0")`."""
    message: str
    failure_mode: str
    stated: bool
    """The code says so; else it is expected by convention."""
    source: str


def assertions(room: Room, about: AboutDto) -> Assertions:
    """The skill InferAssertionsFromDTO."""
    dto = dto_of(room, about)
    found = infer_assertions_from_dto(dto)
    return Assertions(
        dto=dto.name,
        assertions=tuple(
            Stated(
                field=one.field,
                says=one.says,
                expects=one.expects,
                message=one.message,
                failure_mode=one.failure_mode,
                stated=one.stated,
                source=one.source,
            )
            for one in found
        ),
    )


def dto_of(room: Room, about: AboutDto) -> Dto:
    """The object that ABOUT means. Raises InputError when there is none of that name."""
    """The object that ABOUT means. Raises InputError when there is none of that name."""
    if about.dto is not None:
        return about.dto
    known = _read(about) if about.source else code(room)
    found = [d for d in known.dtos if about.name in ("", d.name)]
    if not found:
        names = ", ".join(dict.fromkeys(d.name for d in known.dtos[:OFFERED_MAX])) or "none"
        raise InputError(f"there is no object {about.name!r}; there are {names}")
    return max(found, key=lambda d: sum(len(f.rules) for f in d.fields))


def _read(about: AboutDto) -> Code:
    with TemporaryDirectory(prefix="premortem-") as folder:
        path = Path(folder) / (Path(about.file).name or "Source.cs")
        path.write_text(about.source, encoding="utf-8")
        return read_code(path)


def suggest(room: Room, ask: Ask) -> SuggestedMethod:
    """The skill SuggestTestMethod: the MSTest method for a question about a handler."""
    known = code(room)
    context = ask.context
    return suggest_test_method(
        ask.prompt,
        context.handler,
        known.dto(context.dto) if context.dto else None,
        code=known.csharp,
        dtos=known.dtos,
        roles=(*room.config.roles, *known.blueprint.roles, *context.roles),
        operations=known.operations,
        provenance=Provenance(trace_id=context.trace_id, edition=context.edition),
    )


class ValidatorTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field in a condition: `Amount`, `Zero`."""

    dto: str
    field: str
    condition: Condition
    trace_id: str = ""
    edition: str = ""


def validator_test(room: Room, wanted: ValidatorTest) -> SuggestedMethod:
    """The skill GenerateValidatorTest."""
    known = code(room)
    return generate_validator_test(
        wanted.field,
        wanted.condition,
        dto_of(room, AboutDto(name=wanted.dto)),
        code=known.csharp,
        validators=known.validators,
        provenance=Provenance(trace_id=wanted.trace_id, edition=wanted.edition),
    )


class Append(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A method for a class: given as code, or to be suggested for a question."""

    path: str
    """The test file, below the root."""
    test_class: str = ""
    method: str = ""
    """From column 0; empty: the one that `ask` suggests."""
    usings: tuple[str, ...] = ()
    ask: Ask | None = None
    write: bool = False
    """False: only the patch is shown."""


class Appended(Struct, frozen=True, kw_only=True):
    """What became of the file."""

    artifact: Artifact
    patch: str
    """Empty: the method is there already."""


def append(room: Room, wanted: Append) -> Appended:
    """The skill AppendTestMethod: what stood in the file stays byte for byte."""
    source = read(room.root, wanted.path)
    if wanted.method:
        change = append_test_method(
            source,
            wanted.test_class or Path(wanted.path).stem,
            wanted.method,
            path=wanted.path,
            usings=wanted.usings,
            test_kind="integration" if "IntegrationTests" in wanted.path else "unit",
        )
    elif wanted.ask is not None:
        change = append_suggested(source, suggest(room, wanted.ask), path=wanted.path)
    else:
        raise InputError("AppendTestMethod needs `method`, or `ask` to suggest one")
    patch = git_patch([change]).decode(errors="replace")
    artifact = write(room.root, change) if wanted.write else change.artifact
    return Appended(artifact=artifact, patch=patch)


CODE_SKILLS = (
    Skill(
        name="SuggestTestMethod",
        part="generation",
        does="The test method that answers a question about a handler: name, signature, body.",
        asks=Ask,
        perform=suggest,
    ),
    Skill(
        name="InferAssertionsFromDTO",
        part="generation",
        does="Values that an object's rules refuse, each with the message expected.",
        asks=AboutDto,
        perform=assertions,
    ),
    Skill(
        name="GenerateValidatorTest",
        part="generation",
        does="A test that a validator refuses a field in a condition.",
        asks=ValidatorTest,
        perform=validator_test,
    ),
    Skill(
        name="AppendTestMethod",
        part="artifacts",
        does="Puts a test method into its class; every other byte stays.",
        asks=Append,
        perform=append,
        writes=True,
    ),
)
