"""What skills read: the profile with its evidence, bindings, and the code below the room's root."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from premortem.agent.ask import propose
from premortem.agent.emit.feature import render
from premortem.agent.knowledge.reading import Code, read_code
from premortem.agent.planning.llm_plan import plan_with_model, planning_engine
from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.understanding.meaning import open_meaning
from premortem.agent.understanding.prompt_input import PromptContext, PromptInput, signal_of
from premortem.domain.proposal import Signal
from premortem.domain.scenario import Scenario, Understanding
from premortem.domain.traffic import Exchange, Profile
from premortem.errors import ModelError
from premortem.pipeline.judging import read_exchanges
from premortem.pipeline.skills.skill import RETRIES_MAX, Room, Unfit


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question with what it came with."""

    prompt: str
    context: PromptContext = PromptContext()

    @property
    def signal(self) -> Signal:
        """As the agent takes it."""
        return signal_of(self.prompt, PromptInput(prompt=self.prompt, context=self.context))


class Proposal(Struct, frozen=True, kw_only=True):
    """A scenario as data and as people read it."""

    id: str
    title: str
    gherkin: str
    scenario: Scenario


class Material(Struct, frozen=True, kw_only=True):
    """What scenarios are planned from."""

    profile: Profile
    exchanges: Mapping[str, Exchange]
    bindings: Bindings
    roles: tuple[str, ...]
    """Configured ones first."""


def material(room: Room) -> Material:
    """ROOM's, read once for each performance. Raises NothingLearned."""
    if "material" not in room.memo:
        store = room.store()
        profile = store.profile()
        bindings = load_bindings(room.config)
        room.memo["material"] = Material(
            profile=profile,
            exchanges=read_exchanges(profile, store),
            bindings=bindings,
            roles=tuple(room.config.roles),
        )
    found: Material = room.memo["material"]
    return found


def asked(room: Room, signal: Signal) -> tuple[Understanding, list[Scenario]]:
    """What SIGNAL's text was understood to ask, and the scenarios planned for it: by the larger
    model, where one is configured and answers, else without.

    Raises Unfit where the model does not answer and may be asked again, InputError where nothing
    can be planned.
    """
    known = material(room)
    engine = planning_engine(room.config) if room.tried < RETRIES_MAX else None
    if engine is not None:
        try:
            planned = plan_with_model(
                signal.text,
                engine=engine,
                profile=known.profile,
                exchanges=known.exchanges,
                bindings=known.bindings,
                roles=known.roles,
                came_with=signal,
                meaning=open_meaning(),
                seed=room.seed + room.tried,
            )
        except ModelError as error:
            raise Unfit(str(error)) from None
        finally:
            engine.close()
        return planned.understanding, list(planned.scenarios)
    return propose(
        signal.text,
        profile=known.profile,
        exchanges=known.exchanges,
        config=room.config,
        bindings=known.bindings,
        came_with=signal,
        meaning=open_meaning(),
    )


def trace_of(signal: Signal) -> str:
    """The trace of what SIGNAL leads to: its own, else one that its text always has."""
    if signal.trace_id or not signal.text:
        return signal.trace_id or signal.handler
    return "prompt-" + sha256(signal.text.encode()).hexdigest()[:8]


def proposal(scenario: Scenario) -> Proposal:
    """SCENARIO with its text."""
    return Proposal(
        id=scenario.id, title=scenario.title, gherkin=render(scenario), scenario=scenario
    )


def code(room: Room) -> Code:
    """The sources, tests and blueprints below ROOM's root, read once for each performance."""
    if "code" not in room.memo:
        room.memo["code"] = read_code(room.root)
    found: Code = room.memo["code"]
    return found
