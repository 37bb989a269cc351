"""What is written beside accepted scenarios: who asked, who accepted, and how they came about.

The metadata file is an export of the judgement log; the log is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from premortem.agent.emit.artifacts import augmentation_of
from premortem.agent.emit.augmentation import Added, Attempt, Augmentation
from premortem.agent.emit.augmentation_yaml import FILE_NAME, emit_test_metadata, with_record
from premortem.agent.emit.feature import file_name
from premortem.agent.emit.files import Change, read, text_of
from premortem.agent.emit.story_markdown import story
from premortem.agent.verdicts.ruling import gap_of
from premortem.config import Config
from premortem.domain.proposal import Artifact, Signal
from premortem.pipeline.reviewing import Reviewed

ORIGIN = "studio"


def metadata_change(
    approved: Sequence[Reviewed], features: Iterable[Change], *, config: Config, by: str
) -> Change:
    """The metadata file beside the feature files, with a record for every question that led to
    APPROVED. FEATURES: the files that hold them. Raises InputError when it cannot be read."""
    root = config.path(config.features)
    data = read(root, FILE_NAME)
    text = text_of(data, root / FILE_NAME)
    files = {change.path: change.artifact for change in features}
    for augmentation in _augmentations(approved, files, by=by):
        text = with_record(text, emit_test_metadata(augmentation), path=root / FILE_NAME)
    titles = tuple(reviewed.current.scenario.title for reviewed in approved)
    return Change(path=FILE_NAME, before=data, after=text.encode(), kind="metadata", names=titles)


def _augmentations(
    approved: Sequence[Reviewed], files: dict[str, Artifact], *, by: str
) -> Iterator[Augmentation]:
    groups: dict[tuple[str, str], list[Reviewed]] = {}
    for reviewed in approved:
        scenario = reviewed.current.scenario
        groups.setdefault((scenario.trace_id, scenario.origin.prompt), []).append(reviewed)
    for (trace_id, prompt), group in groups.items():
        currents = [reviewed.current for reviewed in group]
        made = augmentation_of(
            Signal(kind="prompt", text=prompt, trace_id=trace_id, origin=ORIGIN),
            [(current.scenario, current.verdict) for current in currents],
            gaps=[gap_of(current.scenario) for current in currents],
            judgements={
                reviewed.current.scenario.id: reviewed.judgement
                for reviewed in group
                if reviewed.judgement is not None
            },
            asked_by=by,
        )
        added = tuple(_added(one, r) for one, r in zip(made.added, group, strict=True))
        names = dict.fromkeys(one.feature_file for one in added)
        yield msgspec.structs.replace(
            made, added=added, artifacts=tuple(files[name] for name in names if name in files)
        )


def _added(one: Added, reviewed: Reviewed) -> Added:
    tries = (
        Attempt(reason=tried.reason, feedback=f"{tried.decision}_by_{tried.by}")
        for tried in reviewed.tries
    )
    return msgspec.structs.replace(
        one, attempts=tuple(tries), feature_file=file_name(one.scenario.feature)
    )


def scenario_story(reviewed: Reviewed, *, by: str) -> str:
    """The story of REVIEWED as Markdown: what was generated, why, how it changed, what was said.

    BY: who asked.
    """
    [made] = _augmentations([reviewed], {}, by=by)
    delivered = reviewed.delivered.reason if reviewed.delivered is not None else ""
    one = msgspec.structs.replace(made.added[0], delivered=delivered)
    whole = msgspec.structs.replace(made, added=(one,))
    return story(whole, one, gap=gap_of(reviewed.current.scenario))
