"""Proposed scenarios -> what people decide about them -> one commit.

Nothing a person has not accepted is written. What was decided is a log that is only appended to:
taking something back is one more line of it.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.agent.emit.feature import feature_change, file_name
from premortem.agent.emit.files import Change
from premortem.agent.emit.tags import insert_scenario_tags
from premortem.agent.emit.why import explain_why_scenario_matters
from premortem.agent.steps.bind import BoundStep, bind_line
from premortem.agent.steps.bindings import load_bindings
from premortem.agent.steps.editing import as_text, from_text
from premortem.agent.verdicts.ruling import gap_of, question_for_person, thing_made
from premortem.agent.verdicts.verdict import lint
from premortem.config import Config
from premortem.domain.proposal import Decision, Gap, Judgement, standing
from premortem.domain.scenario import Keyword, Scenario, ScenarioVerdict, Step, StepResult
from premortem.errors import InputError
from premortem.pipeline.judging import judging, read_exchanges
from premortem.pipeline.stepping import explain_step
from premortem.store import Store, StoredScenario

REASON_CHARACTERS_MAX = 2_000
TRIES_MAX = 20
"""Of one scenario that are told of."""
CONTEXT_LINES = 3
"""Of the file around what is added, in a diff."""
DIFF_LINES_MAX = 1_000
UNRUN = ScenarioVerdict(
    outcome="junk", reason="it was edited and has not been run since", runs=(), steps=()
)
"""Of a scenario that nobody ran yet."""
Kind = Literal["added", "removed", "same", "place"]


class Reviewed(Struct, frozen=True, kw_only=True):
    """A proposal and what stands of the judgements on it."""

    proposed: StoredScenario
    judgement: Judgement | None = None
    edited: StoredScenario | None = None
    """As the person left it."""
    delivered: Judgement | None = None
    tries: tuple[Judgement, ...] = ()
    """What people said of earlier proposals for which this one came, oldest first."""

    @property
    def current(self) -> StoredScenario:
        """As it stands now."""
        return self.edited or self.proposed


class Rooms(Struct, frozen=True, kw_only=True):
    """All proposals, by what became of them."""

    suggested: tuple[Reviewed, ...] = ()
    """Nobody decided yet: findings first, then in the order they came."""
    approved: tuple[Reviewed, ...] = ()
    """Accepted, and in no file yet."""
    delivered: tuple[Reviewed, ...] = ()
    needs_fix: tuple[Reviewed, ...] = ()
    """Rejected, or to be tried again."""
    kept_out: tuple[Reviewed, ...] = ()
    """Junk that nobody touched: never offered, but a person may want to see why, and mend it."""
    undoable: str = ""
    """The scenario whose judgement `take_back` would take; empty: none."""

    @property
    def all(self) -> tuple[Reviewed, ...]:
        """Those that were offered."""
        return (*self.suggested, *self.approved, *self.delivered, *self.needs_fix)

    def find(self, scenario_id: str) -> Reviewed:
        """The proposal with that id. Raises InputError."""
        for reviewed in (*self.all, *self.kept_out):
            if reviewed.proposed.scenario.id == scenario_id:
                return reviewed
        raise InputError(f"no proposed scenario {scenario_id!r}; it may have been purged")


class CardStep(Struct, frozen=True, kw_only=True):
    """A step as a card shows it."""

    step: Step
    line: int = 0
    """In the text it was read from, from 1; 0: it was not read."""
    problem: str = ""
    """Why it does not bind; empty: it does."""
    expands: tuple[str, ...] = ()
    """What it stands for, where it is a phrase: the catalogue's steps."""
    result: StepResult | None = None
    """What came of it in the run that shows it."""
    nearest: tuple[str, ...] = ()
    """What the person may have meant, while they write it."""


class DiffLine(Struct, frozen=True, kw_only=True):
    """A line of what accepting would change."""

    kind: Kind
    text: str


class Card(Struct, frozen=True, kw_only=True):
    """Everything a person needs to rule on one proposal."""

    scenario: Scenario
    verdict: ScenarioVerdict
    gap: Gap
    question: str
    why: str
    steps: tuple[CardStep, ...]
    problem: str
    """Why it cannot be accepted as it is; empty: it can."""
    file: str
    """Where it would stand."""
    diff: tuple[DiffLine, ...]


class Checked(Struct, frozen=True, kw_only=True):
    """A person's text, looked at while they write it."""

    scenario: Scenario | None
    """None: it cannot be read."""
    problem: str
    """The first thing that is wrong with it; empty: nothing."""
    steps: tuple[CardStep, ...] = ()


def rooms(store: Store) -> Rooms:
    """What became of every proposal so far."""
    stands = standing(store.judgements.log())
    kept = {s.scenario.id: s for s in store.scenarios()}
    edits = {judgement.edited_id for judgement in stands.decisions.values()}
    asked_again = {
        question_again(kept[name].scenario, word.reason): (kept[name].scenario, word)
        for name, word in stands.decisions.items()
        if word.decision == "needs_correction" and name in kept
    }
    found: dict[str, list[Reviewed]] = {}
    for id_, stored in reversed(kept.items()):
        if id_ in edits:
            continue
        judgement = stands.decisions.get(id_)
        delivered = stands.delivered.get(id_)
        reviewed = Reviewed(
            proposed=stored,
            judgement=judgement,
            edited=kept.get(judgement.edited_id) if judgement else None,
            delivered=delivered,
            tries=_tries(stored.scenario.origin.prompt, asked_again),
        )
        found.setdefault(_room(reviewed), []).append(reviewed)
    suggested = sorted(
        found.get("suggested", ()), key=lambda r: r.proposed.verdict.outcome != "finding"
    )
    return Rooms(
        suggested=tuple(suggested),
        approved=tuple(found.get("approved", ())),
        delivered=tuple(found.get("delivered", ())),
        needs_fix=tuple(found.get("needs_fix", ())),
        kept_out=tuple(found.get("kept_out", ())),
        undoable=stands.last if stands.last in kept else "",
    )


def question_again(scenario: Scenario, reason: str) -> str:
    """What is asked when SCENARIO is to be tried again, for REASON."""
    return f"{scenario.origin.prompt} {reason}".strip()


def _tries(
    prompt: str, asked_again: Mapping[str, tuple[Scenario, Judgement]]
) -> tuple[Judgement, ...]:
    found: list[Judgement] = []
    while prompt in asked_again and len(found) < TRIES_MAX:
        scenario, judgement = asked_again[prompt]
        found.append(judgement)
        prompt = scenario.origin.prompt
    return tuple(reversed(found))


def _room(reviewed: Reviewed) -> str:
    judgement = reviewed.judgement
    if judgement is None:
        return "kept_out" if reviewed.proposed.verdict.outcome == "junk" else "suggested"
    if judgement.decision == "edited":
        return "suggested"
    if judgement.decision in ("accepted", "accepted_with_edits"):
        return "delivered" if reviewed.delivered is not None else "approved"
    return "needs_fix"


def show_card(reviewed: Reviewed, *, config: Config) -> Card:
    """REVIEWED as a person sees it; reads the binding file and the feature file as they are."""
    scenario, verdict = reviewed.current.scenario, reviewed.current.verdict
    lines = _bound(scenario, config)
    problem = lint(_flat(lines))
    diff: tuple[DiffLine, ...] = ()
    try:
        diff = tuple(_diff(_change([reviewed], config)))
    except InputError as error:
        problem = problem or str(error)
    return Card(
        scenario=scenario,
        verdict=verdict,
        gap=gap_of(scenario),
        question=question_for_person(scenario, verdict),
        why=explain_why_scenario_matters(
            scenario, entity=thing_made(scenario.operation_id), verdict=verdict
        ),
        steps=_card_steps(scenario, lines, results=verdict.steps),
        problem=problem,
        file=f"{config.features}/{file_name(scenario.feature)}",
        diff=diff,
    )


def edit_text(scenario: Scenario) -> str:
    """SCENARIO as the text that a person edits."""
    return as_text(scenario)


def check_edit(text: str, *, original: Scenario, config: Config) -> Checked:
    """What TEXT, written in place of ORIGINAL, is worth: does every step bind? Sends nothing."""
    try:
        edited = from_text(text, like=original)
    except InputError as error:
        return Checked(scenario=None, problem=str(error))
    lines = _bound(edited.scenario, config)
    bound = _flat(lines)
    steps = _card_steps(edited.scenario, lines, numbers=edited.lines)
    return Checked(
        scenario=_settled(edited.scenario, bound),
        problem=lint(bound),
        steps=tuple(_with_nearest(step, config) for step in steps),
    )


def save_edit(
    reviewed: Reviewed, text: str, *, config: Config, store: Store, by: str, at: float
) -> Scenario:
    """Keep TEXT in place of the proposal, which is still to be decided; the scenario it is.

    Raises InputError when it cannot be read or does not bind.
    """
    original = reviewed.proposed.scenario
    checked = check_edit(text, original=original, config=config)
    if checked.scenario is None or checked.problem:
        raise InputError(checked.problem)
    scenario, current = checked.scenario, reviewed.current
    if scenario == current.scenario:
        return scenario
    if scenario.id == current.scenario.id:
        # Tags alone: it is the same test, with the same verdict.
        store.save_scenario(scenario, current.verdict, at)
    elif scenario.id != original.id:
        store.save_scenario(scenario, UNRUN, at)
    word = Judgement(
        scenario_id=original.id,
        decision="edited",
        by=by,
        at=at,
        edited_id=scenario.id if scenario.id != original.id else "",
    )
    store.judgements.add([word])
    return scenario


def judge_again(
    scenario: Scenario, *, config: Config, store: Store, clock: Callable[[], float] = time.time
) -> ScenarioVerdict:
    """Run SCENARIO as a proposal is run, and keep the verdict.

    Raises TargetDown, UnsafeTarget, NothingLearned.
    """
    profile = store.profile()
    exchanges = read_exchanges(profile, store)
    with judging(
        config=config, store=store, profile=profile, exchanges=exchanges, clock=clock
    ) as judge:
        return judge(scenario)


def accept(reviewed: Reviewed, *, config: Config, store: Store, by: str, at: float) -> Judgement:
    """Keep that a person accepts the proposal as it stands; AT in seconds.

    Raises InputError when it does not bind (any more), or is junk that nobody mended.
    """
    problem = show_card(reviewed, config=config).problem
    changed = reviewed.judgement is not None
    if not changed and reviewed.proposed.verdict.outcome == "junk":
        problem = problem or reviewed.proposed.verdict.reason
    if problem:
        raise InputError(f"it cannot be accepted as it is: {problem}; edit it first")
    judgement = Judgement(
        scenario_id=reviewed.proposed.scenario.id,
        decision="accepted_with_edits" if changed else "accepted",
        by=by,
        at=at,
        edited_id=reviewed.edited.scenario.id if reviewed.edited is not None else "",
    )
    store.judgements.add([judgement])
    return judgement


def refuse(
    reviewed: Reviewed,
    decision: Literal["needs_correction", "not_relevant"],
    *,
    reason: str,
    store: Store,
    by: str,
    at: float,
) -> Judgement:
    """Keep that the proposal is to be tried again, or is not wanted, and why.

    Raises InputError without a reason: what is learned from a refusal is the reason.
    """
    said = " ".join(reason.split())
    if not said:
        raise InputError("say why, in a few words: that is what the next proposal is made from")
    if len(said) > REASON_CHARACTERS_MAX:
        raise InputError(f"the reason has {len(said)} characters; {REASON_CHARACTERS_MAX} are kept")
    judgement = Judgement(
        scenario_id=reviewed.proposed.scenario.id, decision=decision, reason=said, by=by, at=at
    )
    store.judgements.add([judgement])
    return judgement


def take_back(*, store: Store, by: str, at: float) -> Judgement:
    """Take the latest judgement back that was not delivered; the one that was taken back.

    Raises InputError when there is none.
    """
    stands = standing(store.judgements.log())
    if not stands.last:
        raise InputError("there is nothing to undo: what was committed is undone by `git revert`")
    undone: Decision = "undone"
    store.judgements.add([Judgement(scenario_id=stands.last, decision=undone, by=by, at=at)])
    return stands.decisions[stands.last]


def changes_for(approved: Sequence[Reviewed], *, config: Config) -> tuple[Change, ...]:
    """The feature files with all of APPROVED in them; nothing is written.

    Raises InputError when a file that stands there cannot be read as Gherkin.
    """
    by_file: dict[str, list[Reviewed]] = {}
    for reviewed in approved:
        name = file_name(reviewed.current.scenario.feature)
        by_file.setdefault(name, []).append(reviewed)
    return tuple(_change(given, config) for given in by_file.values())


def _change(given: Sequence[Reviewed], config: Config) -> Change:
    tagged = [
        insert_scenario_tags(r.current.scenario, outcome=r.current.verdict.outcome) for r in given
    ]
    feature = tagged[0].feature
    root = config.path(config.features)
    notes = [
        [f"Attempt #{number}: {word.reason}" for number, word in enumerate(r.tries, start=1)]
        for r in given
    ]
    return feature_change(root, file_name(feature), tagged, title=feature, notes=notes)


def _diff(change: Change) -> Iterator[DiffLine]:
    before = (change.before or b"").decode().splitlines()
    after = change.after.decode().splitlines()
    lines = list(difflib.unified_diff(before, after, n=CONTEXT_LINES, lineterm=""))[2:]
    kinds: Mapping[str, Kind] = {"+": "added", "-": "removed", "@": "place"}
    for line in lines[:DIFF_LINES_MAX]:
        yield DiffLine(kind=kinds.get(line[:1], "same"), text=line[1:] if line[:1] != "@" else line)


def _bound(scenario: Scenario, config: Config) -> list[tuple[BoundStep, ...]]:
    """What each line of SCENARIO stands for, by the binding file as it is now."""
    bindings, roles = load_bindings(config), tuple(config.roles)
    lines: list[tuple[BoundStep, ...]] = []
    keyword: Keyword = "Given"
    for step in scenario.steps:
        keyword = keyword if step.keyword == "And" else step.keyword
        lines.append(bind_line(step, keyword=keyword, bindings=bindings, roles=roles))
    return lines


def _flat(lines: Iterable[tuple[BoundStep, ...]]) -> list[BoundStep]:
    return [part for parts in lines for part in parts]


def _card_steps(
    scenario: Scenario,
    lines: Sequence[tuple[BoundStep, ...]],
    *,
    results: Sequence[StepResult] = (),
    numbers: Sequence[int] = (),
) -> tuple[CardStep, ...]:
    """The lines of SCENARIO as they are shown. RESULTS: of a run, one for each bound step."""
    steps = []
    left = list(results)
    for index, (step, parts) in enumerate(zip(scenario.steps, lines, strict=True)):
        own, left = left[: len(parts)], left[len(parts) :]
        steps.append(
            CardStep(
                step=step,
                line=numbers[index] if numbers else 0,
                problem=next((part.problem for part in parts if part.problem), ""),
                expands=tuple(part.step.text for part in parts if part.phrase),
                # The first that did not pass says what came of the line.
                result=next((r for r in own if r.status != "passed"), own[-1] if own else None),
            )
        )
    return tuple(steps)


def _with_nearest(step: CardStep, config: Config) -> CardStep:
    if not step.problem:
        return step
    explained = explain_step(step.step.text, config=config)
    meant = tuple(near.written for near in explained.nearest if near.written != step.step.text)
    return msgspec.structs.replace(step, nearest=meant)


def _settled(scenario: Scenario, bound: Sequence[BoundStep]) -> Scenario:
    """SCENARIO with the role and edition that its steps name, where those were edited."""
    named = {name: _named(bound, name) for name in ("actor_role", "edition")}
    role = scenario.role if scenario.role in named["actor_role"] else ""
    edition = scenario.edition if scenario.edition in named["edition"] else ""
    return msgspec.structs.replace(
        scenario,
        role=role or next(reversed(named["actor_role"]), scenario.role),
        edition=edition or next(reversed(named["edition"]), scenario.edition),
    )


def _named(bound: Sequence[BoundStep], name: str) -> list[str]:
    """The last argument of every step NAME: a role, an edition."""
    return [str(b.arguments[-1]) for b in bound if b.entry is not None and b.entry.name == name]
