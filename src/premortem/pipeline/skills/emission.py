"""From scenarios to files, read again, logged and told: the last four skills of the agent's road.

EmitTestArtifacts -> ValidateGeneratedTests -> EmitObservability -> StudioSummaryMarkdown
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.code.code_tests import SuggestedMethod, append_suggested
from premortem.agent.code.pytest_functions import SuggestedFunction, append_pytest_function
from premortem.agent.emit.artifacts import (
    Emitted,
    augmentation_of,
    emit_test_artifacts,
    validated,
    write_artifacts,
)
from premortem.agent.emit.augmentation import Attempt, Augmentation
from premortem.agent.emit.event_logs import SkillSpan, emit_observability
from premortem.agent.emit.files import Change, read, write_all
from premortem.agent.emit.git_patch import git_patch
from premortem.agent.emit.summary_markdown import studio_summary_markdown
from premortem.agent.emit.validation_report import ValidationReport
from premortem.domain.proposal import Artifact
from premortem.domain.scenario import ScenarioVerdict
from premortem.errors import InputError
from premortem.pipeline.skills.artifacts import Markdown
from premortem.pipeline.skills.context import test_file, tree_of
from premortem.pipeline.skills.coverage_delta import with_coverage
from premortem.pipeline.skills.planning import Generated
from premortem.pipeline.skills.skill import Room


class Emit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be written."""

    generated: Generated
    service: str = ""
    """`PaymentsService`: its folders are used; empty: the one whose tests are there."""
    write: bool = False
    """False: only the patch is shown."""
    asked_by: str = ""
    verdicts: Mapping[str, ScenarioVerdict] = {}
    """By scenario id; junk is not written."""
    spans: tuple[SkillSpan, ...] = ()
    """Skills that ran before, for the log; empty: one for each scenario."""


class Emission(Struct, frozen=True, kw_only=True):
    """What was written, or would be."""

    augmentation: Augmentation
    artifacts: tuple[Artifact, ...]
    patch: str
    service: str = ""
    written: bool = False


class AboutEmission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was emitted."""

    emission: Emission


class Observing(AboutEmission, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was emitted, and which skills ran."""

    spans: tuple[SkillSpan, ...] = ()
    """Empty: one for each scenario."""


class Logged(Struct, frozen=True, kw_only=True):
    """The two logs with the augmentation told in them."""

    artifacts: tuple[Artifact, ...]
    patch: str
    """Empty: every line is there."""


def emit(room: Room, wanted: Emit) -> Emission:
    """The skill EmitTestArtifacts."""
    emitted = _emitted(room, wanted)
    patch = git_patch(emitted.changes).decode(errors="replace")
    artifacts = tuple(change.artifact for change in emitted.changes)
    if wanted.write:
        artifacts = write_artifacts(room.root, emitted)
    return Emission(
        augmentation=emitted.augmentation,
        artifacts=artifacts,
        patch=patch,
        service=emitted.tree.service,
        written=wanted.write,
    )


def _emitted(room: Room, wanted: Emit) -> Emitted:
    generated = wanted.generated
    verdicts = wanted.verdicts
    augmentation = augmentation_of(
        generated.context.signal,
        [(p.scenario, verdicts.get(p.id)) for p in generated.proposals],
        gaps=generated.gaps,
        asked_by=wanted.asked_by,
    )
    if generated.retry_reason:
        attempts = (Attempt(reason=generated.retry_reason),)
        retried = tuple(replace(one, attempts=attempts) for one in augmentation.added)
        augmentation = replace(augmentation, added=retried)
    changes, names = _code_changes(room, generated, wanted.service)

    def made(augmentation: Augmentation) -> Emitted:
        return emit_test_artifacts(
            room.root,
            augmentation,
            tree=tree_of(room, wanted.service),
            code=changes,
            methods=names,
            spans=wanted.spans,
            at=room.clock(),
        )

    first = made(augmentation)
    tests = {c.path: c.after for c in first.changes if c.kind in ("feature", "csharp", "pytest")}
    covered = with_coverage(
        first.augmentation,
        root=room.root,
        context=generated.context,
        roles=tuple(room.config.roles),
        changed=tests,
    )
    return made(
        replace(
            augmentation,
            before=covered.before,
            after=covered.after,
            coverage_rows=covered.coverage_rows,
        )
    )


def _code_changes(
    room: Room, generated: Generated, service: str
) -> tuple[list[Change], dict[str, tuple[str, ...]]]:
    """Methods and functions in their files, one change a file; and which file is to hold which."""
    changes: dict[str, Change] = {}
    names: dict[str, tuple[str, ...]] = {}
    tree = tree_of(room, service)
    wanted: list[tuple[str, SuggestedMethod | SuggestedFunction]] = [
        (test_file(room, method.class_name, kind=method.test_kind, tree=tree), method)
        for method in generated.methods
    ]
    wanted += [(placed.path, placed.function) for placed in generated.functions]
    for path, method in wanted:
        first = changes.get(path)
        before = first.after if first is not None else read(room.root, path)
        if isinstance(method, SuggestedFunction):
            made = append_pytest_function(before, method, path=path)
        else:
            made = append_suggested(before, method, path=path)
        if first is not None:
            made = Change(
                path=path,
                before=first.before,
                after=made.after,
                kind=made.kind,
                test_kind=made.test_kind,
                names=(*first.names, *made.names),
                check=made.check,
            )
        changes[path] = made
        names[path] = (*names.get(path, ()), method.name)
    return list(changes.values()), names


def validate(room: Room, about: AboutEmission) -> ValidationReport:
    """The skill ValidateGeneratedTests: what was written, read again as its readers will.

    Raises InputError where nothing was written.
    """
    emission = about.emission
    if not emission.written:
        raise InputError("nothing was written, so nothing can be read again; emit with `write`")
    return validated(
        room.root,
        Emitted(
            augmentation=emission.augmentation,
            changes=tuple(_unchanged(room, artifact) for artifact in emission.artifacts),
            tree=tree_of(room, emission.service),
            runner="behave",
        ),
    )


def _unchanged(room: Room, artifact: Artifact) -> Change:
    """What stands there, as a change that makes none."""
    data = read(room.root, artifact.path)
    return Change(
        path=artifact.path,
        before=data,
        after=data or b"",
        kind=artifact.kind,
        test_kind=artifact.test_kind,
        names=artifact.names,
    )


def observe(room: Room, about: Observing) -> Logged:
    """The skill EmitObservability: both logs. Lines that are there are not written again; of what
    was not written, only the patch is told."""
    emission = about.emission
    changes = emit_observability(
        room.root,
        tree_of(room, emission.service).folder,
        emission.augmentation,
        spans=about.spans,
        at=room.clock(),
    )
    artifacts = tuple(change.artifact for change in changes)
    return Logged(
        artifacts=write_all(room.root, changes) if emission.written else artifacts,
        patch=git_patch(changes).decode(errors="replace"),
    )


def summarise(room: Room, about: AboutEmission) -> Markdown:  # noqa: ARG001 - a skill's signature
    """The skill StudioSummaryMarkdown."""
    return Markdown(markdown=studio_summary_markdown(about.emission.augmentation))
