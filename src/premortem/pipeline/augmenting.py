"""A signal -> everything that is to be written for it, by the agent's eight skills in order.

All of it is made and read again in a copy of the test folders first. Then it is a patch, or is
written: all of it or nothing. The same signal again adds nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from premortem.agent.emit.augmentation import Augmentation
from premortem.agent.emit.event_logs import SkillSpan
from premortem.agent.emit.files import Change, read, write_all
from premortem.agent.emit.git_commit import repository
from premortem.agent.emit.git_patch import check_patch, git_patch, patch_name
from premortem.agent.emit.validation_report import ValidationReport
from premortem.domain.proposal import Artifact, Gap, Signal
from premortem.domain.scenario import ScenarioVerdict
from premortem.errors import InputError
from premortem.pipeline.judging import judging
from premortem.pipeline.skills import skill_named
from premortem.pipeline.skills.context import TestContext, test_sources, tree_of
from premortem.pipeline.skills.emission import AboutEmission, Emission, Emit, Observing
from premortem.pipeline.skills.material import material
from premortem.pipeline.skills.planning import Gaps, Generated
from premortem.pipeline.skills.skill import Performed, Room, performed

FILES_MAX = 5_000
BYTES_MAX = 256 * 1024 * 1024
"""Of the test folders that are copied."""


class Augmented(Struct, frozen=True, kw_only=True):
    """The end: what was found missing, what was made, and where it is."""

    trace_id: str
    context: TestContext
    generated: Generated
    open_gaps: tuple[Gap, ...]
    """Found, and not closed."""
    augmentation: Augmentation
    coverage_delta: float
    """`testgen.coverage.delta`, in percentage points."""
    artifacts: tuple[Artifact, ...]
    """That changed."""
    report: ValidationReport
    markdown: str
    """What was added, for people."""
    patch: str
    """What git takes, from `repository`; empty: nothing is new."""
    repository: str
    """The repository's top folder; without one, the folder that the tests are in."""
    patch_name: str
    written: bool


class Recipe(Struct, frozen=True, kw_only=True):
    """How a signal is worked on."""

    service: str = ""
    """`PaymentsService`: its folders are used; empty: the one whose tests are there."""
    close: Literal["asked", "all"] = "asked"
    """What is closed: the question alone, or whatever else is found missing around it."""
    run: bool = False
    """Judge each scenario at the target first; junk is left out."""
    write: bool = False
    """False: it stays a patch."""
    asked_by: str = ""


DEFAULT = Recipe()


def augment(
    signal: Signal, *, room: Room, recipe: Recipe = DEFAULT
) -> Iterator[Performed | Augmented]:
    """Each skill of the road as it is done, then the end.

    Raises InputError where the signal leads to nothing, what was made cannot be read again, or a
    file cannot be written; then nothing was.
    """
    spans: list[SkillSpan] = []

    def done(name: str, asked: Struct, where: Room) -> Performed:
        one = performed(skill_named(name), asked, where)
        spans.append(
            SkillSpan(skill=name, retry_count=one.retry_count, retry_reason=one.retry_reason)
        )
        return one

    loaded = done("LoadTestContext", signal, room)
    yield loaded
    identified = done("IdentifyTestGap", loaded.result, room)
    yield identified
    found: Gaps = replace(identified.result, close=recipe.close)
    planned = done("PlanScenarioTemplates", found, room)
    yield planned
    made = done("GenerateTestScenarios", planned.result, room)
    yield made
    generated: Generated = made.result
    if not (generated.proposals or generated.methods or generated.functions):
        reasons = "; ".join(generated.left_out[:3]) or loaded.result.not_understood
        raise InputError(f"nothing can be made of it: {reasons or 'no gap was found'}")
    verdicts = _judged(generated, room) if recipe.run and generated.proposals else {}
    spans += [
        SkillSpan(skill=p.scenario.origin.skill, scenario_title=p.title)
        for p in generated.proposals
    ]
    functions = [room.root / placed.path for placed in generated.functions]
    with _copy(room, recipe.service, more=functions) as copy:
        asked_for = Emit(
            generated=generated,
            service=recipe.service,
            write=True,
            asked_by=recipe.asked_by,
            verdicts=verdicts,
            spans=tuple(spans),
        )
        emitted = done("EmitTestArtifacts", asked_for, copy)
        yield emitted
        emission: Emission = emitted.result
        validated = done("ValidateGeneratedTests", AboutEmission(emission=emission), copy)
        yield validated
        _refuse(validated.result)
        yield done("EmitObservability", Observing(emission=emission, spans=tuple(spans)), copy)
        summary = done("StudioSummaryMarkdown", AboutEmission(emission=emission), copy)
        yield summary
        changes = _changes(room, copy, emission)
    yield _end(
        room,
        changes,
        write=recipe.write,
        context=loaded.result,
        generated=generated,
        open_gaps=planned.result.open_gaps,
        augmentation=emission.augmentation,
        report=validated.result,
        markdown=summary.result.markdown,
    )


def _judged(generated: Generated, room: Room) -> dict[str, ScenarioVerdict]:
    known = material(room)
    with judging(
        config=room.config,
        store=room.store(),
        profile=known.profile,
        exchanges=known.exchanges,
        clock=room.clock,
    ) as judge:
        return {p.id: judge(p.scenario) for p in generated.proposals}


def _refuse(report: ValidationReport) -> None:
    """Raise InputError for files that would not be read as they must be."""
    if report.status == "success":
        return
    said = "; ".join(f"{p.path}: {p.what}" for p in report.problems[:3])
    raise InputError(
        f"what was made does not pass its own check, so nothing was written: "
        f"{said or 'made once more, it would be added twice'}"
    )


@contextmanager
def _copy(room: Room, service: str, *, more: Iterable[Path]) -> Iterator[Room]:
    """ROOM with a copy of its test folders, and of MORE files that are there.

    Raises InputError when they are too large.
    """
    folder = room.root / tree_of(room, service).folder
    inside = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    beside = (path for path in more if path.is_file())
    wanted = dict.fromkeys((*inside, *test_sources(room.root), *beside))
    if len(wanted) > FILES_MAX or sum(path.stat().st_size for path in wanted) > BYTES_MAX:
        raise InputError(
            f"{folder} holds more than {FILES_MAX:,} files or {BYTES_MAX:,} bytes; name a folder "
            f"of tests with --root"
        )
    with TemporaryDirectory(prefix="premortem-") as place:
        for path in wanted:
            target = Path(place) / path.relative_to(room.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        try:
            yield replace(room, root=Path(place))
        except InputError as error:
            # The copy is gone when somebody reads this: the file to mend is the room's.
            raise InputError(str(error).replace(place, str(room.root))) from None


def _changes(room: Room, copy: Room, emission: Emission) -> list[Change]:
    """What was written in COPY, as changes of ROOM's files."""
    found = []
    for artifact in emission.artifacts:
        after = read(copy.root, artifact.path) or b""
        before = read(room.root, artifact.path)
        if before != after:
            found.append(
                Change(
                    path=artifact.path,
                    before=before,
                    after=after,
                    kind=artifact.kind,
                    test_kind=artifact.test_kind,
                    names=artifact.names,
                )
            )
    return found


def _end(
    room: Room,
    changes: list[Change],
    *,
    write: bool,
    context: TestContext,
    generated: Generated,
    open_gaps: tuple[Gap, ...],
    augmentation: Augmentation,
    report: ValidationReport,
    markdown: str,
) -> Augmented:
    try:
        top = repository(room.root)
    except InputError:
        top = room.root.resolve()  # tests need no repository; the patch starts at their folder
    folder = room.root.resolve().relative_to(top).as_posix().removeprefix(".")
    patch = git_patch(changes, folder=folder)
    if write:
        artifacts = write_all(room.root, changes)
    else:
        artifacts = tuple(change.artifact for change in changes)
        if patch:
            check_patch(patch, repository=top)
    return Augmented(
        trace_id=augmentation.trace_id,
        context=context,
        generated=generated,
        open_gaps=open_gaps,
        augmentation=augmentation,
        coverage_delta=round(augmentation.coverage_delta, 1),
        artifacts=artifacts,
        report=report,
        markdown=markdown,
        patch=patch.decode(errors="replace"),
        repository=str(top),
        patch_name=patch_name(augmentation.trace_id),
        written=write,
    )
