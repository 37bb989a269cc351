"""Feature files that people have, made richer: found, compared with what is proposed, patched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from premortem.agent.emit.feature import (
    edge_feature,
    feature_change,
    file_name,
    is_there,
    line_of,
)
from premortem.agent.emit.feature_text import FeatureText, parse_feature
from premortem.agent.emit.files import Change, read, text_of
from premortem.agent.emit.tags import AGENT, ID_TAG, insert_scenario_tags, spaceless
from premortem.agent.understanding.words import singular
from premortem.domain.proposal import Gap
from premortem.domain.scenario import Scenario
from premortem.errors import InputError

FILES_MAX = 2_000
"""Feature files that are looked at."""
PROPOSALS_MAX = 5
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NO_WORDS = frozenset({"handler", "controller", "service", "feature", "flow", "edge", "cases"})
_QUALIFIER = re.compile(r" (?:edge cases|access control|flow)\b.*$", re.IGNORECASE)


class Enrichable(Struct, frozen=True, kw_only=True):
    """A feature file that scenarios may be added to."""

    path: str
    """Below the folder that was searched, with `/`."""
    feature: FeatureText
    why: str
    """What it was found by."""
    ours: bool
    """The agent made it."""
    unreadable: tuple[str, ...] = ()
    """Files that could not be read, each with what is wrong; they were left alone."""


class RoleMatrixResult(Struct, frozen=True, kw_only=True):
    """A feature with its role matrix applied."""

    scenarios: tuple[Scenario, ...]
    """One for each role that no scenario tested."""
    covered: tuple[str, ...]
    unplanned: tuple[str, ...]
    """Roles that no scenario tests, and for which none could be planned."""


def detect_enrichable_feature(
    root: Path, *, trace_id: str = "", handler: str = "", entity: str = "", title: str = ""
) -> Enrichable | None:
    """The skill DetectEnrichableFeature: the file below ROOT that is about the same, or None.

    The one that carries TRACE_ID; else the one whose title is TITLE; else the one that shares
    the most words with HANDLER and ENTITY, and all of ENTITY's. Raises InputError when only
    files that cannot be read fit by their name.
    """
    best: tuple[tuple[int, int], Enrichable] | None = None
    bad: list[tuple[str, str]] = []
    wanted = _words(handler) | _words(entity) | _words(_QUALIFIER.sub("", title))
    needed = _words(entity) or _words(handler) or _words(_QUALIFIER.sub("", title))
    for path in _feature_files(root):
        try:
            feature = parse_feature(text_of(read(root, path), root / path), path=root / path)
        except InputError as error:
            bad.append((path, str(error)))
            continue
        score, why = _fit(feature, path, trace_id, title, wanted, needed)
        if score[0] and (best is None or score > best[0]):
            ours = f"augmented_by:{AGENT}" in feature.tags
            best = score, Enrichable(path=path, feature=feature, why=why, ours=ours)
    if best is None:
        for path, problem in bad:
            if needed and needed <= _words(Path(path).stem):
                raise InputError(problem)
        return None
    return msgspec.structs.replace(best[1], unreadable=tuple(problem for _, problem in bad))


def holding(root: Path, scenario: Scenario) -> str:
    """The feature file below ROOT that holds SCENARIO already; empty: none does."""
    own = f"{ID_TAG}:{scenario.id}".encode()
    trace = scenario.trace_id.encode()
    for path in _feature_files(root):
        data = read(root, path) or b""
        if own not in data and (not trace or trace not in data):
            continue
        try:
            feature = parse_feature(text_of(data, root / path), path=root / path)
        except InputError:
            continue  # whoever wants to add to it is told
        if any(is_there(scenario, found) for found in feature.scenarios):
            return path
    return ""


def propose_new_scenarios(
    feature: FeatureText,
    candidates: Sequence[Scenario],
    *,
    gaps: Sequence[Gap] = (),
    count_max: int = PROPOSALS_MAX,
) -> tuple[Scenario, ...]:
    """The skill ProposeNewScenarios: those of CANDIDATES that FEATURE lacks, at most COUNT_MAX.

    Which close a gap come first, the gap with the highest score before others; else they keep
    their order. One whose title or whose steps stand there already is none.
    """
    titles = {_same(found.title) for found in feature.scenarios}
    ids = {found.tag(ID_TAG) for found in feature.scenarios}
    bodies = {tuple(text for _, text in found.steps) for found in feature.scenarios}
    new: list[Scenario] = []
    for scenario in candidates:
        body = tuple(line_of(step.text) for step in scenario.steps)
        if _same(scenario.title) in titles or scenario.id in ids:
            continue
        # Texts alone do not tell bodies apart, which stand in docstrings.
        if body in bodies and not any(step.docstring for step in scenario.steps):
            continue
        titles.add(_same(scenario.title))
        new.append(scenario)
    new.sort(key=lambda scenario: -_score(scenario, gaps))
    return tuple(new[:count_max])


def apply_role_matrix_to_feature(
    feature: FeatureText,
    *,
    matrix: Mapping[str, bool],
    candidates: Sequence[Scenario],
) -> RoleMatrixResult:
    """The skill ApplyRoleMatrixToFeature: one scenario for each role that FEATURE does not test.

    MATRIX: role -> whether it is allowed. CANDIDATES: scenarios planned for roles; one fits that
    has the role, and says denied where the matrix denies, else not. A denied one is called after
    what the feature is about: `Guest user attempts payment`.
    """
    covered = tuple(role for role in matrix if _tests(feature, role))
    made: list[Scenario] = []
    unplanned: list[str] = []
    for role, allowed in matrix.items():
        if role in covered:
            continue
        fitting = (
            s
            for s in candidates
            if s.role == role and (s.origin.outcome == "denied") is not allowed
        )
        scenario = next(fitting, None)
        if scenario is None:
            unplanned.append(role)
            continue
        if not allowed:
            title = f"{role} user attempts {subject(feature.title)}"
            scenario = msgspec.structs.replace(scenario, title=title)
        made.append(scenario)
    return RoleMatrixResult(scenarios=tuple(made), covered=covered, unplanned=tuple(unplanned))


def write_feature_patch(
    root: Path,
    path: str,
    scenarios: Sequence[Scenario],
    *,
    outcomes: Mapping[str, str] | None = None,
    notes: Sequence[Sequence[str]] = (),
) -> Change:
    """The skill WriteFeaturePatch: the feature file PATH below ROOT with SCENARIOS added.

    What stands there stays byte for byte. OUTCOMES: Scenario.id -> verdict. NOTES: remarks for
    each, as its retries. Raises InputError when there is no such file, or it is no Gherkin.
    """
    text = text_of(read(root, path), root / path)
    if not text.strip():
        raise InputError(f"{root / path} is not there or empty; create the feature instead")
    ours = f"augmented_by:{AGENT}" in parse_feature(text, path=root / path).tags
    tagged = [
        insert_scenario_tags(s, outcome=(outcomes or {}).get(s.id, ""), enriches=not ours)
        for s in scenarios
    ]
    return feature_change(root, path, tagged, notes=notes)


def feature_for(handler: str, *, entity: str = "") -> tuple[str, str]:
    """Title and file's name of the feature that is made for HANDLER, or for ENTITY.

    `IssueRefundHandler` -> `Refund flow edge cases`, `refund_flow.feature`.
    """
    words = [w for w in map(str.lower, _WORDS.findall(handler)) if w not in _NO_WORDS]
    thing = entity or " ".join(words[1:] or words) or "service"
    title = edge_feature(thing)
    return title, file_name(title)


def subject(title: str) -> str:
    """What a feature is about, in one word: `Capture payment` -> `payment`."""
    words = _QUALIFIER.sub("", line_of(title)).split()
    return singular(words[-1].lower()) if words else "it"


def _feature_files(root: Path) -> Iterator[str]:
    found = sorted(root.rglob("*.feature"))[:FILES_MAX] if root.is_dir() else []
    for path in found:
        if path.resolve().is_relative_to(root.resolve()):
            yield path.relative_to(root).as_posix()


def _fit(
    feature: FeatureText,
    path: str,
    trace_id: str,
    title: str,
    wanted: set[str],
    needed: set[str],
) -> tuple[tuple[int, int], str]:
    """How well FEATURE fits, words beside the point against it, and why; 0: not at all."""
    tags = {*feature.tags, *(tag for found in feature.scenarios for tag in found.tags)}
    if trace_id and spaceless(f"trace_id:{trace_id}") in tags:
        return (1_000, 0), f"it carries the trace {trace_id}"
    if title and _same(feature.title) == _same(title):
        return (900, 0), "it has that title"
    words = _words(feature.title) | _words(Path(path).stem)
    shared = wanted & words
    if needed and needed <= words:
        score = len(shared), -len(words - wanted)
        return score, f"it is about {', '.join(sorted(shared))}"
    return (0, 0), ""


def _words(text: str) -> set[str]:
    return {singular(w) for w in map(str.lower, _WORDS.findall(text))} - _NO_WORDS


def _same(title: str) -> str:
    return " ".join(re.findall(r"\w+", title.lower()))


def _score(scenario: Scenario, gaps: Iterable[Gap]) -> float:
    fitting = [
        gap.score
        for gap in gaps
        if gap.operation_id in ("", scenario.operation_id)
        and gap.role in ("", scenario.role)
        and gap.failure_mode in ("", scenario.origin.failure_mode)
        and gap.edition in ("", scenario.edition)
    ]
    return max(fitting, default=-1.0)


def _tests(feature: FeatureText, role: str) -> bool:
    spoken = r"\s?".join(map(re.escape, _WORDS.findall(role))) or re.escape(role)
    named = re.compile(rf"(?<!\w)(?:{re.escape(role)}|{spoken})s?(?!\w)", re.IGNORECASE)
    return any(
        named.search(found.title) or any(named.search(text) for _, text in found.steps)
        for found in feature.scenarios
    )
