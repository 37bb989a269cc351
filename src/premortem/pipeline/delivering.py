"""Accepted scenarios -> one commit, or patch, for the repository of the feature files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
from msgspec import Struct

from premortem.agent.emit.behave_glue import behave_changes
from premortem.agent.emit.feature import file_name, line_of
from premortem.agent.emit.files import Change, replace
from premortem.agent.emit.git_commit import commit_changes, repository
from premortem.agent.emit.git_patch import check_patch, git_patch
from premortem.agent.emit.tags import ID_TAG
from premortem.agent.verdicts.runner import sighting
from premortem.config import Config
from premortem.domain.proposal import Judgement
from premortem.errors import InputError
from premortem.pipeline.reviewing import Reviewed, changes_for
from premortem.pipeline.telling import metadata_change
from premortem.store import Store

SUBJECT_CHARACTERS_MAX = 72
SEEN_MAX = 20
"""Scenarios of one commit that the test runner is asked about: a second each."""
PATCHES = ".premortem/patches"
"""Below the configuration's folder."""


class Delivered(Struct, frozen=True, kw_only=True):
    """Where accepted scenarios went."""

    name: str
    """The commit, short, or the patch's file; empty: they stood there already."""
    files: tuple[str, ...]
    """That a commit changed, or that the patch changes."""
    titles: tuple[str, ...]


def deliver(
    approved: Sequence[Reviewed], *, config: Config, store: Store, by: str, at: float
) -> Delivered:
    """All of APPROVED in one commit, with what behave needs and what is told of them beside them;
    AT in seconds.

    Raises InputError when there is nothing, or the repository is not ready; then nothing changed.
    """
    changes = _changes(approved, config, by)
    root = config.path(config.features)
    name = commit_changes(root, changes, message=_message(approved, by)) if changes else ""
    where = f"commit {name}" if name else "it stood there already"
    _keep(approved, where, store=store, by=by, at=at)
    return _delivered(name, approved, changes, config)


def deliver_patch(
    approved: Sequence[Reviewed], *, config: Config, store: Store, by: str, at: float
) -> Delivered:
    """All of APPROVED as one patch in PATCHES, which `git apply` takes; the repository stays as it
    is. Raises InputError when there is nothing, or git refuses the patch."""
    changes = _changes(approved, config, by)
    if not changes:
        raise InputError("there is nothing to patch: every scenario is in its file already")
    root = config.path(config.features)
    top = repository(root)
    patch = git_patch(changes, folder=root.resolve().relative_to(top).as_posix())
    check_patch(patch, repository=top)
    digest = sha256(patch).hexdigest()[:8]
    name = f"{PATCHES}/{datetime.fromtimestamp(at, UTC):%Y%m%d-%H%M%S}-{digest}.diff"
    replace(config.path(name), patch)
    _keep(approved, f"patch {name}", store=store, by=by, at=at)
    return _delivered(name, approved, changes, config)


def see(delivered: Sequence[Reviewed], *, config: Config, store: Store) -> None:
    """Ask the test runner whether it sees DELIVERED in their files; kept with their verdicts."""
    root = config.path(config.features)
    for reviewed in delivered[:SEEN_MAX]:
        scenario, verdict = reviewed.current.scenario, reviewed.current.verdict
        seen = sighting(
            root / file_name(scenario.feature),
            tag=f"{ID_TAG}:{scenario.id}",
            title=scenario.title,
        )
        evidence = msgspec.structs.replace(
            verdict.evidence, runner=seen.runner, runner_sees=seen.sees, runner_said=seen.said
        )
        verdict = msgspec.structs.replace(verdict, evidence=evidence)
        store.save_scenario(scenario, verdict, reviewed.current.at)


def _changes(approved: Sequence[Reviewed], config: Config, by: str) -> list[Change]:
    if not approved:
        raise InputError("nothing is waiting to be written; accept a suggested test first")
    features = changes_for(approved, config=config)
    told = metadata_change(approved, features, config=config, by=by)
    changes = (*features, *behave_changes(config.path(config.features)), told)
    return [change for change in changes if change.before != change.after]


def _keep(approved: Sequence[Reviewed], where: str, *, store: Store, by: str, at: float) -> None:
    ids = (reviewed.proposed.scenario.id for reviewed in approved)
    store.judgements.add(
        Judgement(scenario_id=id_, decision="delivered", reason=where, by=by, at=at) for id_ in ids
    )


def _delivered(
    name: str, approved: Sequence[Reviewed], changes: Sequence[Change], config: Config
) -> Delivered:
    return Delivered(
        name=name,
        files=tuple(f"{config.features}/{change.path}" for change in changes),
        titles=tuple(reviewed.current.scenario.title for reviewed in approved),
    )


def _message(approved: Sequence[Reviewed], by: str) -> str:
    scenarios = [reviewed.current.scenario for reviewed in approved]
    first = line_of(scenarios[0].title)
    subject = f"Add scenario: {first}" if len(scenarios) == 1 else f"Add {len(scenarios)} scenarios"
    lines = [subject[:SUBJECT_CHARACTERS_MAX], ""]
    for scenario in scenarios:
        asked = f" (asked: {line_of(scenario.origin.prompt)})" if scenario.origin.prompt else ""
        lines.append(f"- {line_of(scenario.title)} [{scenario.id}]{asked}")
    return "\n".join([*lines, "", f"Accepted by {line_of(by)} in Premortem Studio."])
