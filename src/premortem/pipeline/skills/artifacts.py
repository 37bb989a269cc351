"""Skills that write: feature files, metadata, Markdown."""

from __future__ import annotations

from msgspec import Struct

from premortem.agent.emit.artifacts import augmentation_of, create_feature_file
from premortem.agent.emit.augmentation_yaml import emit_test_metadata
from premortem.agent.emit.enrich import (
    apply_role_matrix_to_feature,
    detect_enrichable_feature,
    propose_new_scenarios,
    write_feature_patch,
)
from premortem.agent.emit.feature_text import FeatureText, parse_feature
from premortem.agent.emit.files import Change, read, text_of, write
from premortem.agent.emit.git_patch import git_patch
from premortem.agent.emit.output_tree import OutputTree
from premortem.agent.emit.summary_markdown import generate_studio_markdown_summary
from premortem.agent.emit.tags import insert_scenario_tags
from premortem.agent.emit.why import explain_why_scenario_matters
from premortem.domain.proposal import Artifact, Gap, Signal
from premortem.domain.scenario import Scenario
from premortem.errors import InputError
from premortem.pipeline.skills.generation import AboutOperation, simulate_role_actions
from premortem.pipeline.skills.material import Ask, Proposal, asked, proposal
from premortem.pipeline.skills.skill import Room, Skill


class NewFeature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scenarios for a feature file of their own."""

    scenarios: tuple[Scenario, ...]
    handler: str = ""
    entity: str = ""
    service: str = ""
    """`PaymentsService`: its folders are used."""
    source: str = "prompt"
    write: bool = False
    """False: only the patch is shown."""


class Written(Struct, frozen=True, kw_only=True):
    """What became of a file."""

    artifact: Artifact
    text: str
    """The whole file."""
    patch: str
    """What git takes; empty: nothing changed."""


def create(room: Room, wanted: NewFeature) -> Written:
    """The skill CreateFeatureFile."""
    change = create_feature_file(
        room.root,
        wanted.handler,
        wanted.scenarios,
        tree=OutputTree(service=wanted.service) if wanted.service else None,
        entity=wanted.entity,
        source=wanted.source,
    )
    return _written(room, change, really=wanted.write)


def _written(room: Room, change: Change, *, really: bool) -> Written:
    artifact = write(room.root, change) if really else change.artifact
    return Written(
        artifact=artifact,
        text=change.after.decode(errors="replace"),
        patch=git_patch([change]).decode(errors="replace"),
    )


class About(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a feature file is looked for by; any of them."""

    trace_id: str = ""
    handler: str = ""
    entity: str = ""
    title: str = ""


class Detected(Struct, frozen=True, kw_only=True):
    """A feature file that scenarios may be added to."""

    path: str
    """Empty: there is none."""
    title: str = ""
    scenarios: tuple[str, ...] = ()
    why: str = ""
    unreadable: tuple[str, ...] = ()


def detect(room: Room, about: About) -> Detected:
    """The skill DetectEnrichableFeature."""
    found = detect_enrichable_feature(
        room.root,
        trace_id=about.trace_id,
        handler=about.handler,
        entity=about.entity,
        title=about.title,
    )
    if found is None:
        return Detected(path="")
    return Detected(
        path=found.path,
        title=found.feature.title,
        scenarios=tuple(s.title for s in found.feature.scenarios),
        why=found.why,
        unreadable=found.unreadable,
    )


class ForFeature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature file and the question that it may lack an answer to."""

    path: str
    ask: Ask
    gaps: tuple[Gap, ...] = ()


class NewOnes(Struct, frozen=True, kw_only=True):
    """Scenarios that a feature lacks."""

    feature: str
    proposals: tuple[Proposal, ...]


def propose_new(room: Room, wanted: ForFeature) -> NewOnes:
    """The skill ProposeNewScenarios."""
    feature = _feature(room, wanted.path)
    _, candidates = asked(room, wanted.ask.signal)
    new = propose_new_scenarios(feature, candidates, gaps=wanted.gaps)
    return NewOnes(feature=feature.title, proposals=tuple(map(proposal, new)))


def _feature(room: Room, path: str) -> FeatureText:
    text = text_of(read(room.root, path), room.root / path)
    if not text.strip():
        raise InputError(f"{room.root / path} is not there or empty; name a feature file")
    return parse_feature(text, path=room.root / path)


class RolesOfFeature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature file and the operation that it is about."""

    path: str
    operation: str
    edition: str = ""
    matrix: dict[str, bool] = {}
    """Role -> whether it is allowed; empty: as captured, declared, or by convention."""


class RolesApplied(Struct, frozen=True, kw_only=True):
    """One scenario for each role that was not tested."""

    proposals: tuple[Proposal, ...]
    covered: tuple[str, ...]
    unplanned: tuple[str, ...]


def apply_roles(room: Room, wanted: RolesOfFeature) -> RolesApplied:
    """The skill ApplyRoleMatrixToFeature."""
    about = AboutOperation(operation=wanted.operation, edition=wanted.edition)
    actions = simulate_role_actions(room, about).roles
    candidates = [a.proposal.scenario for a in actions if a.proposal is not None]
    matrix = wanted.matrix or {a.role: a.allowed for a in actions}
    applied = apply_role_matrix_to_feature(
        _feature(room, wanted.path), matrix=matrix, candidates=candidates
    )
    return RolesApplied(
        proposals=tuple(map(proposal, applied.scenarios)),
        covered=applied.covered,
        unplanned=applied.unplanned,
    )


class Tagging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario, and what its tags say of it."""

    scenario: Scenario
    outcome: str = ""
    """Its verdict; `regression` becomes a tag."""
    enriches: bool = False
    """It goes into a file that people have."""


def tag(room: Room, wanted: Tagging) -> Proposal:  # noqa: ARG001 - a skill's signature
    """The skill InsertScenarioTags."""
    return proposal(
        insert_scenario_tags(wanted.scenario, outcome=wanted.outcome, enriches=wanted.enriches)
    )


class Explaining(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario, and what it is about."""

    scenario: Scenario
    entity: str = ""
    gap: Gap | None = None
    """That it closes."""


class Explained(Struct, frozen=True, kw_only=True):
    """Why it matters."""

    why: str


def explain(room: Room, wanted: Explaining) -> Explained:  # noqa: ARG001 - a skill's signature
    """The skill ExplainWhyScenarioMatters."""
    return Explained(
        why=explain_why_scenario_matters(wanted.scenario, entity=wanted.entity, gap=wanted.gap)
    )


class FeaturePatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scenarios for a feature file that is there."""

    path: str
    scenarios: tuple[Scenario, ...]
    write: bool = False
    """False: only the patch is shown."""


def patch(room: Room, wanted: FeaturePatch) -> Written:
    """The skill WriteFeaturePatch."""
    change = write_feature_patch(room.root, wanted.path, wanted.scenarios)
    return _written(room, change, really=wanted.write)


class Told(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scenarios, and the signal that led to them."""

    signal: Signal
    scenarios: tuple[Scenario, ...]
    gaps: tuple[Gap, ...] = ()
    asked_by: str = ""


class ToldOfFeature(Told, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, of the feature that gained them."""

    feature: str
    """Its title."""
    path: str
    """Its file."""


class Metadata(Struct, frozen=True, kw_only=True):
    """A record of test-augmentation-metadata.yaml."""

    record: dict[str, object]


def metadata(room: Room, told: Told) -> Metadata:  # noqa: ARG001 - a skill's signature
    """The skill EmitTestMetadata."""
    augmentation = augmentation_of(
        told.signal, [(s, None) for s in told.scenarios], gaps=told.gaps, asked_by=told.asked_by
    )
    return Metadata(record=emit_test_metadata(augmentation))


class Markdown(Struct, frozen=True, kw_only=True):
    """Text for people."""

    markdown: str


def summary(room: Room, told: ToldOfFeature) -> Markdown:  # noqa: ARG001 - a skill's signature
    """The skill GenerateStudioMarkdownSummary."""
    augmentation = augmentation_of(
        told.signal, [(s, None) for s in told.scenarios], gaps=told.gaps, asked_by=told.asked_by
    )
    text = generate_studio_markdown_summary(augmentation, feature=told.feature, path=told.path)
    return Markdown(markdown=text)


ARTIFACT_SKILLS = (
    Skill(
        name="CreateFeatureFile",
        part="artifacts",
        does="Scenarios in a feature file of their own, in its place of the output tree.",
        asks=NewFeature,
        perform=create,
        writes=True,
    ),
    Skill(
        name="EmitTestMetadata",
        part="artifacts",
        does="The record of test-augmentation-metadata.yaml for scenarios and their signal.",
        asks=Told,
        perform=metadata,
    ),
    Skill(
        name="DetectEnrichableFeature",
        part="artifacts",
        does="The feature file that is about the same, by trace, handler, thing or title.",
        asks=About,
        perform=detect,
    ),
    Skill(
        name="ProposeNewScenarios",
        part="artifacts",
        does="Scenarios for a question that a feature file lacks.",
        asks=ForFeature,
        perform=propose_new,
    ),
    Skill(
        name="ApplyRoleMatrixToFeature",
        part="artifacts",
        does="One scenario for each role that a feature file does not test.",
        asks=RolesOfFeature,
        perform=apply_roles,
    ),
    Skill(
        name="InsertScenarioTags",
        part="artifacts",
        does="Every tag that a scenario earns: prompt, edge, security, auth, denied, edition.",
        asks=Tagging,
        perform=tag,
    ),
    Skill(
        name="WriteFeaturePatch",
        part="artifacts",
        does="Scenarios added to a feature file; every other byte stays.",
        asks=FeaturePatch,
        perform=patch,
        writes=True,
    ),
    Skill(
        name="GenerateStudioMarkdownSummary",
        part="artifacts",
        does="What a feature file gained, as Markdown for people.",
        asks=ToldOfFeature,
        perform=summary,
    ),
    Skill(
        name="ExplainWhyScenarioMatters",
        part="artifacts",
        does="What leaving a scenario out may cost, for the person who decides.",
        asks=Explaining,
        perform=explain,
    ),
)
