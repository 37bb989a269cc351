"""Prompt-to-test bundles: a question, and everything that came of it, as JSON.

`prompt-to-test/<trace>.json` for each trace, for the Studio's feedback panel, and
`StudioPromptContext.json`, which follows each question from suggestion to review.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from premortem.agent.emit.augmentation import (
    Added,
    Augmentation,
    prompt_source,
    scenario_ids,
    source,
    trigger,
)
from premortem.agent.emit.feature import render
from premortem.agent.emit.files import Change, read, text_of
from premortem.agent.emit.tags import AGENT
from premortem.agent.emit.why import explain_why_scenario_matters
from premortem.errors import InputError

FOLDER = "prompt-to-test"
CONTEXT = "StudioPromptContext.json"
PROMPTS_MAX = 2_000
"""Questions that the context keeps; the oldest go."""


def bundle_change(root: Path, folder: str, augmentation: Augmentation) -> Change:
    """The bundle of AUGMENTATION in FOLDER below ROOT; other questions about its trace that stand
    there are kept below `earlier`. Raises InputError."""
    name = f"{FOLDER}/{slug(augmentation.trace_id)}.json"
    path = f"{folder}/{name}" if folder else name
    data = read(root, path)
    there = _earlier(text_of(data, root / path), root / path)
    made = bundle(augmentation)
    told = [made if _same_question(made, one) else one for one in there]
    if made not in told:
        told.insert(0, made)
    first, *rest = told[:PROMPTS_MAX]
    return Change(
        path=path,
        before=data,
        after=_encoded({**first, "earlier": rest} if rest else first),
        kind="bundle",
        names=tuple(s.title for s in augmentation.scenarios),
    )


def bundle(augmentation: Augmentation) -> dict[str, Any]:
    """The question of AUGMENTATION and what came of it."""
    signal = augmentation.signal
    ids = scenario_ids(augmentation)
    return {
        "trace_id": augmentation.trace_id,
        "augmented_by": AGENT,
        "source": source(signal),
        "trigger": trigger(signal),
        "prompt": signal.text,
        "prompt_source": prompt_source(augmentation),
        "context": {
            name: value
            for name in ("handler", "validator", "dto", "blueprint_id", "roles", "edition")
            if (value := getattr(signal, name))
        },
        "gaps": [
            {"gap_id": gap.id, "kind": gap.kind, "what": gap.what, "impact": gap.impact}
            for gap in augmentation.gaps
        ],
        "tests": [_test(one, ids[one.scenario.id]) for one in augmentation.added],
        "artifacts": [
            {"path": a.path, "kind": a.kind, "test_kind": a.test_kind, "names": list(a.names)}
            for a in augmentation.artifacts
        ],
    }


def _earlier(text: str, path: object) -> list[dict[str, Any]]:
    """The bundles that stand in TEXT, the latest first. Raises InputError."""
    if not text.strip():
        return []
    try:
        latest = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is no bundle ({error}); move it away") from None
    earlier = latest.pop("earlier", [])
    return [latest, *(one for one in earlier if isinstance(one, dict))]


def _same_question(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("prompt", "trigger"))


def prompt_context_change(root: Path, path: str, augmentation: Augmentation) -> Change:
    """`StudioPromptContext.json` at PATH below ROOT with the question of AUGMENTATION in it.

    Raises InputError when what stands there is no such file.
    """
    data = read(root, path)
    there = _context(text_of(data, root / path), root / path)
    ids = scenario_ids(augmentation)
    entry = {
        "trace_id": augmentation.trace_id,
        "prompt": augmentation.signal.text,
        "prompt_source": prompt_source(augmentation),
        "suggestions": [
            {
                "scenario_id": ids[one.scenario.id],
                "scenario": one.scenario.title,
                "review_status": one.judgement.decision if one.judgement else "awaiting_review",
                "retry_count": len(one.attempts),
            }
            for one in augmentation.added
        ],
    }
    same = ("trace_id", "prompt")
    kept = [e for e in there if any(e.get(key) != entry[key] for key in same)]
    at = next(
        (i for i, e in enumerate(there) if all(e.get(k) == entry[k] for k in same)), len(kept)
    )
    kept.insert(at, entry)
    after = _encoded({"prompts": kept[-PROMPTS_MAX:]})
    return Change(path=path, before=data, after=after, kind="bundle")


def slug(text: str) -> str:
    """TEXT as a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "untraced"


def _test(one: Added, readable: str) -> dict[str, Any]:
    scenario, verdict = one.scenario, one.verdict
    judgement = one.judgement
    return {
        "scenario_id": readable,
        "premortem_id": scenario.id,
        "scenario": scenario.title,
        "feature_file": one.feature_file,
        "gherkin": render(scenario),
        "role": scenario.role,
        "edition": scenario.edition,
        "tags": list(scenario.tags),
        "asserts": list(one.asserts),
        "expectation": scenario.origin.expectation,
        "why": explain_why_scenario_matters(scenario, entity=one.entity, verdict=verdict),
        "verdict": verdict.outcome if verdict else "not_run",
        "verdict_reason": verdict.reason if verdict else "",
        "retry_count": len(one.attempts),
        "review_status": judgement.decision if judgement else "awaiting_review",
    }


def _context(text: str, path: object) -> list[dict[str, Any]]:
    if not text.strip():
        return []
    try:
        return msgspec.json.decode(text, type=_Context).prompts
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is no prompt context ({error}); move it away") from None


class _Context(msgspec.Struct):
    prompts: list[dict[str, Any]] = []


def _encoded(value: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
