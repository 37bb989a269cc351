"""Everything that is written for one augmentation: made as changes, then written or patched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.agent.emit.augmentation import SCENARIOS_MAX, Added, Augmentation, tag_source
from premortem.agent.emit.augmentation_yaml import FILE_NAME as AUGMENTATION_FILE
from premortem.agent.emit.augmentation_yaml import augmentation_change
from premortem.agent.emit.behave_glue import behave_changes
from premortem.agent.emit.bundle import CONTEXT, bundle_change, prompt_context_change
from premortem.agent.emit.enrich import detect_enrichable_feature, feature_for, holding
from premortem.agent.emit.event_logs import SkillSpan, emit_observability
from premortem.agent.emit.feature import feature_change, feature_head_tags, line_of
from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.files import Change, read, text_of, write_all
from premortem.agent.emit.git_patch import patch_change, patch_name
from premortem.agent.emit.output_tree import OutputTree
from premortem.agent.emit.pytest_bdd import pytest_bdd_changes
from premortem.agent.emit.pytest_file import pytest_change
from premortem.agent.emit.report_markdown import (
    FEEDBACK,
    HYPOTHESES,
    REPORT,
    hypothesis_change,
    qa_feedback_change,
    qa_report_change,
)
from premortem.agent.emit.sections import section_change
from premortem.agent.emit.story_markdown import retry_notes, story
from premortem.agent.emit.summary_markdown import FILE_NAME as SUMMARY_FILE
from premortem.agent.emit.summary_markdown import (
    augmentation_summary,
    generate_studio_markdown_summary,
    studio_summary_markdown,
)
from premortem.agent.emit.tags import AGENT, insert_scenario_tags
from premortem.agent.emit.test_metadata_yaml import FILE_NAME as METADATA_FILE
from premortem.agent.emit.test_metadata_yaml import metadata_change
from premortem.agent.emit.validation_report import ValidationReport, validate_generated_tests
from premortem.agent.understanding.words import is_plural, singular, tokens
from premortem.domain.proposal import Artifact, Gap, Judgement, Signal
from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.domain.template import split_template
from premortem.errors import InputError

Runner = Literal["behave", "pytest-bdd", "pytest"]


class Emitted(Struct, frozen=True, kw_only=True):
    """What is to be written for an augmentation."""

    augmentation: Augmentation
    """With the files that hold its tests."""
    changes: tuple[Change, ...]
    tree: OutputTree
    runner: Runner


def augmentation_of(
    signal: Signal,
    judged: Iterable[tuple[Scenario, ScenarioVerdict | None]],
    *,
    gaps: Sequence[Gap] = (),
    judgements: Mapping[str, Judgement] | None = None,
    asked_by: str = "",
) -> Augmentation:
    """What SIGNAL led to: scenarios with their verdicts, and by id what people decided of them.

    Its trace is the signal's, else the scenarios'.
    """
    pairs = list(judged)
    ruled = judgements or {}
    trace_id = signal.trace_id or next((s.trace_id for s, _ in pairs if s.trace_id), "")
    added = (
        Added(
            scenario=msgspec.structs.replace(scenario, trace_id=trace_id),
            verdict=verdict,
            entity=_entity(scenario.operation_id),
            judgement=ruled.get(scenario.id),
        )
        for scenario, verdict in pairs
    )
    return Augmentation(
        trace_id=trace_id,
        signal=signal,
        added=tuple(added),
        gaps=tuple(gaps),
        asked_by=asked_by,
    )


def _entity(operation_id: str) -> str:
    """The thing an operation is about: its last collection, else its last literal segment."""
    template = operation_id.partition(" ")[2]
    literal = [s for s in split_template(template) if "{" not in s] if template[:1] == "/" else []
    words = [tokens(segment) for segment in literal]
    things = [w for w in words if w and is_plural(w[-1])] or [w for w in words if w]
    return " ".join([*things[-1][:-1], singular(things[-1][-1])]) if things else ""


def create_feature_file(
    root: Path,
    handler: str,
    scenarios: Sequence[Scenario],
    *,
    tree: OutputTree | None = None,
    entity: str = "",
    source: str = "",
) -> Change:
    """The skill CreateFeatureFile: a feature for HANDLER with SCENARIOS, in its place below ROOT.

    A file that is there is added to. Raises InputError when it is no Gherkin.
    """
    tree = tree or OutputTree()
    title, name = feature_for(handler, entity=entity)
    tagged = [insert_scenario_tags(scenario) for scenario in scenarios]
    return feature_change(
        root,
        tree.path("bdd", name),
        tagged,
        title=title,
        feature_tags=feature_head_tags(
            trace_id=_only(s.trace_id for s in scenarios),
            source=source,
            edition=_only(s.edition for s in scenarios),
        ),
    )


def emit_test_artifacts(
    root: Path,
    augmentation: Augmentation,
    *,
    tree: OutputTree | None = None,
    runner: Runner = "behave",
    code: Sequence[Change] = (),
    methods: Mapping[str, Sequence[str]] | None = None,
    spans: Iterable[SkillSpan] = (),
    at: float | None = None,
) -> Emitted:
    """The skill EmitTestArtifacts: all files of AUGMENTATION, as changes below ROOT.

    Scenarios that were found to be junk are left out. RUNNER: who runs them; `pytest` gets them
    as functions, too. CODE: test methods, made elsewhere. METHODS: path -> those that belong to
    AUGMENTATION though they stood there before, so that the same again changes nothing. Raises
    InputError when a file that stands there cannot be read; then nothing is to be written.
    """
    tree = tree or OutputTree()
    if len(augmentation.added) > SCENARIOS_MAX:
        raise InputError(f"more than {SCENARIOS_MAX} scenarios at once; take fewer")
    shown = tuple(one for one in augmentation.added if not _is_junk(one))
    augmentation = msgspec.structs.replace(augmentation, added=shown)
    added, features, enriches = _features(root, augmentation, tree)
    own = methods or {}
    glue = _glue(root, features, added, tree, runner)
    tests = [_told(c, [a for a in added if a.feature_file == c.path]) for c in features]
    whole = msgspec.structs.replace(
        augmentation,
        added=tuple(added),
        enriches=enriches,
        artifacts=(
            *tests,
            *(_named(change, own.get(change.path, change.names)) for change in code),
            *augmentation.artifacts,
        ),
    )
    told = _beside(root, whole, tree, spans=spans, at=at)
    changes = (*features, *glue, *code, *told)
    return Emitted(augmentation=whole, changes=changes, tree=tree, runner=runner)


def _glue(
    root: Path,
    features: Sequence[Change],
    added: Sequence[Added],
    tree: OutputTree,
    runner: Runner,
) -> list[Change]:
    """What RUNNER needs beside FEATURES."""
    if not features:
        return []
    if runner == "behave":
        return list(behave_changes(root, tree.features))
    changes: dict[str, Change] = {}
    for feature in features:
        if runner == "pytest-bdd":
            made: Sequence[Change] = pytest_bdd_changes(root, feature.path)
        else:
            members = [one for one in added if one.feature_file == feature.path]
            scenarios = [one.scenario for one in members]
            notes = [retry_notes(one) for one in members]
            made = [pytest_change(root, _module(feature.path), scenarios, notes=notes)]
        changes.update({change.path: change for change in made})
    return list(changes.values())


def _module(feature: str) -> str:
    place = PurePosixPath(feature)
    return str(place.parent / f"test_{re.sub(r'[^a-z0-9]+', '_', place.stem.lower())}.py")


def write_artifacts(root: Path, emitted: Emitted) -> tuple[Artifact, ...]:
    """Write EMITTED below ROOT: all of it, or, when one file cannot be written, nothing."""
    return write_all(root, emitted.changes)


def patch_artifacts(emitted: Emitted, *, into: Path, repository: Path, folder: str = "") -> Change:
    """EMITTED as a git patch named after its trace, to be written below INTO.

    REPOSITORY: where `git apply --check` takes it; FOLDER: what EMITTED was made for, below
    that, with `/`. Raises InputError when git refuses.
    """
    name = patch_name(emitted.augmentation.trace_id)
    return patch_change(into, name, emitted.changes, folder=folder, repository=repository)


def validated(root: Path, emitted: Emitted) -> ValidationReport:
    """What reading all of EMITTED's files below ROOT again shows, and emitting them again."""

    def again() -> Sequence[Change]:
        bare = msgspec.structs.replace(emitted.augmentation, artifacts=_given(emitted))
        return emit_test_artifacts(root, bare, tree=emitted.tree, runner=emitted.runner).changes

    artifacts = [change.artifact for change in emitted.changes if change.kind != "csharp"]
    held = {artifact.path for artifact in emitted.augmentation.artifacts}
    return validate_generated_tests(
        root,
        emitted.augmentation,
        artifacts=[artifact for artifact in artifacts if artifact.path not in held],
        again=again,
    )


def _given(emitted: Emitted) -> tuple[Artifact, ...]:
    features = {change.path for change in emitted.changes if change.kind == "feature"}
    return tuple(a for a in emitted.augmentation.artifacts if a.path not in features)


def _features(
    root: Path, augmentation: Augmentation, tree: OutputTree
) -> tuple[list[Added], list[Change], bool]:
    """The scenarios with their files, the files' changes, and whether people had one of them."""
    targets: dict[str, list[Added]] = {}
    titles: dict[str, str] = {}
    enriched: set[str] = set()
    for one in augmentation.added:
        path, title, theirs = _target(root, one, augmentation, tree)
        targets.setdefault(path, []).append(one)
        titles.setdefault(path, title)
        enriched |= {path} if theirs else set()
    added: list[Added] = []
    changes: list[Change] = []
    for path, members in targets.items():
        tagged = [_tagged(one, path, enriches=path in enriched) for one in members]
        scenarios = [one.scenario for one in tagged]
        head = feature_head_tags(
            trace_id=augmentation.trace_id,
            source=tag_source(augmentation.signal),
            edition=_only(s.edition for s in scenarios),
        )
        changes.append(
            feature_change(
                root,
                path,
                scenarios,
                title=titles[path],
                feature_tags=head,
                notes=[retry_notes(one) for one in tagged],
            )
        )
        added += tagged
    return added, changes, bool(enriched)


def _target(
    root: Path, one: Added, augmentation: Augmentation, tree: OutputTree
) -> tuple[str, str, bool]:
    """File, its title if it is made, and whether people made it."""
    handler = augmentation.signal.handler
    title, name = feature_for(handler, entity=one.entity)
    folder = root / tree.features
    held = one.feature_file or _below(tree, holding(folder, one.scenario))
    if held:
        text = text_of(read(root, held), root / held)
        theirs = bool(text.strip()) and not _ours(text, root / held)
        return held, one.scenario.feature or title, theirs
    trace_id = "" if handler or one.entity else augmentation.trace_id
    found = detect_enrichable_feature(folder, trace_id=trace_id, handler=handler, entity=one.entity)
    if found is not None:
        return _below(tree, found.path), found.feature.title, not found.ours
    return tree.path("bdd", name), title, False


def _below(tree: OutputTree, path: str) -> str:
    """PATH of a feature as the root knows it."""
    return f"{tree.features}/{path}".lstrip("/") if path else ""


def _ours(text: str, path: object) -> bool:
    return f"augmented_by:{AGENT}" in parse_feature(text, path=path).tags


def _tagged(one: Added, path: str, *, enriches: bool) -> Added:
    outcome = one.verdict.outcome if one.verdict else ""
    scenario = insert_scenario_tags(one.scenario, outcome=outcome, enriches=enriches)
    return msgspec.structs.replace(one, scenario=scenario, feature_file=path)


def _told(change: Change, members: Sequence[Added]) -> Artifact:
    """The file with all that it holds of the augmentation, whether it was there before or not."""
    return _named(change, [line_of(one.scenario.title) for one in members])


def _named(change: Change, names: Sequence[str]) -> Artifact:
    return msgspec.structs.replace(change.artifact, names=tuple(names))


def _is_junk(one: Added) -> bool:
    return one.verdict is not None and one.verdict.outcome == "junk"


def _beside(
    root: Path,
    whole: Augmentation,
    tree: OutputTree,
    *,
    spans: Iterable[SkillSpan],
    at: float | None,
) -> list[Change]:
    """Metadata, logs, summaries and bundles."""
    place = tree.beside
    expansions = [
        generate_studio_markdown_summary(whole, feature=_title(root, a), path=a.path)
        for a in whole.artifacts
        if a.kind == "feature" and whole.enriches
    ]
    sections = [
        studio_summary_markdown(whole),
        *expansions,
        augmentation_summary(whole),
        *(story(whole, one) for one in whole.added),
    ]
    return [
        augmentation_change(root, place(AUGMENTATION_FILE), whole),
        metadata_change(root, place(METADATA_FILE), whole),
        *emit_observability(root, tree.folder, whole, spans=spans, at=at),
        section_change(root, place(SUMMARY_FILE), sections, title="Augmented tests"),
        hypothesis_change(root, place(HYPOTHESES), whole),
        qa_report_change(root, place(REPORT), [whole]),
        qa_feedback_change(root, place(FEEDBACK), [whole]),
        bundle_change(root, tree.folder, whole),
        prompt_context_change(root, place(CONTEXT), whole),
    ]


def _title(root: Path, artifact: Artifact) -> str:
    text = text_of(read(root, artifact.path), root / artifact.path)
    return parse_feature(text, path=root / artifact.path).title if text.strip() else artifact.path


def _only(values: Iterable[str]) -> str:
    """The one value that all have; empty: they differ."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""
