"""The Studio's addresses. Every one answers with a page; what changes something leads to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery, SkipValidation
from litestar.response import Redirect, ServerSentEvent, ServerSentEventMessage
from msgspec import Struct

from premortem.agent.understanding.prompt_input import PromptInput, read_context, signal_of
from premortem.domain.proposal import Signal
from premortem.errors import InputError
from premortem.pipeline import reviewing
from premortem.pipeline.delivering import Delivered, deliver, deliver_patch
from premortem.pipeline.origins import origins
from premortem.pipeline.reviewing import (
    Reviewed,
    Rooms,
    check_edit,
    edit_text,
    question_again,
    refuse,
    save_edit,
    take_back,
)
from premortem.pipeline.stepping import known_steps
from premortem.pipeline.telling import ORIGIN
from premortem.studio.desk import END
from premortem.studio.pages import Studio, prompts

PING_S = 15.0
"""A stream that is silent for longer looks dead to what lies between."""
EVENT = "changed"

InStudio = NamedDependency[SkipValidation[Studio]]
Form = Body(media_type=RequestEncodingType.URL_ENCODED)


class Question(Struct, frozen=True, kw_only=True):
    """What somebody asks, and what it comes with."""

    question: str = ""
    role: str = ""
    edition: str = ""
    trace_id: str = ""
    context: str = ""
    """JSON, as of `ask --context`; empty: none."""

    @property
    def signal(self) -> Signal:
        """As what is asked. Raises InputError for a context that is none."""
        given = PromptInput()
        if self.context.strip():
            given = read_context(self.context, source="the context")
        told = {"role": self.role, "edition": self.edition, "trace_id": self.trace_id}
        named = {name: value.strip() for name, value in told.items() if value.strip()}
        context = msgspec.structs.replace(given.context, origin=ORIGIN, **named)
        signal = signal_of(self.question, msgspec.structs.replace(given, context=context))
        if not signal.text.strip():
            raise InputError("write a question first: what is done, and how it goes wrong")
        return signal


class Explored(Struct, frozen=True, kw_only=True):
    """The operation that somebody wants looked at."""

    operation: str = ""


class Reason(Struct, frozen=True, kw_only=True):
    """Why a proposal is not accepted; for another try also who does it, and where."""

    reason: str = ""
    role: str = ""
    edition: str = ""

    @property
    def said(self) -> str:
        """In one sentence."""
        who = f" as {self.role}" if self.role else ""
        return f"{self.reason.strip()}{who}{f' in {self.edition}' if self.edition else ''}".strip()


class Text(Struct, frozen=True, kw_only=True):
    """A scenario as a person writes it."""

    text: str = ""


@get("/", sync_to_thread=True)
def entrance(studio: InStudio) -> Redirect:
    """To what is waiting, else to where one asks."""
    return _go("/review" if studio.rooms().suggested else "/console")


@get("/console", sync_to_thread=True)
def console(
    studio: InStudio,
    question: FromQuery[str] = "",
    role: FromQuery[str] = "",
    edition: FromQuery[str] = "",
    context: FromQuery[str] = "",
) -> Response[str]:
    """The Prompt Console, with what somebody is to ask filled in."""
    return _console_page(
        studio, Question(question=question, role=role, edition=edition, context=context)
    )


@get("/console/asked", sync_to_thread=True)
def asked(studio: InStudio) -> Response[str]:
    """What has come of the questions so far."""
    return studio.part("asked.html", askings=studio.desk.askings, waiting=_waiting(studio.rooms()))


@post("/console/ask", sync_to_thread=True)
def ask(studio: InStudio, data: Annotated[Question, Form]) -> Redirect | Response[str]:
    """Ask."""
    try:
        studio.desk.ask(data.signal)
    except InputError as error:
        return _console_page(studio, data, problem=str(error))
    studio.say("Asked. Scenarios appear below as they are planned and run.")
    return _go("/console")


@post("/console/explore", sync_to_thread=True)
def explore(studio: InStudio, data: Annotated[Explored, Form]) -> Redirect | Response[str]:
    """Ask what could go wrong with one operation."""
    operation = data.operation.strip()
    if not operation:
        return _console_page(studio, Question(), problem="name an operation first")
    studio.desk.explore(operation)
    studio.say("Looked at. What could go wrong appears below.")
    return _go("/console")


@get("/rooms", sync_to_thread=True)
def rooms_bar(studio: InStudio, at: FromQuery[str] = "") -> Response[str]:
    """The bar with all rooms and how much waits in each."""
    return studio.part("rooms.html", rooms=studio.rooms(), at=at)


@get("/review", sync_to_thread=True)
def review(studio: InStudio, card: FromQuery[str] = "") -> Response[str]:
    """One suggested test: the one named, else the first."""
    rooms = studio.rooms()
    if not card and not rooms.suggested:
        return studio.page("nothing.html", at="review", rooms=rooms)
    return _card_page(studio, rooms, rooms.find(card) if card else rooms.suggested[0])


@get("/review/{scenario_id:str}/evidence", sync_to_thread=True)
def evidence(studio: InStudio, scenario_id: FromPath[str]) -> Response[str]:
    """What running it showed, as it is now."""
    reviewed = studio.rooms().find(scenario_id)
    return studio.part("evidence.html", **_shown(studio, reviewed))


@get("/review/{scenario_id:str}/trace", sync_to_thread=True)
def trace(studio: InStudio, scenario_id: FromPath[str]) -> Response[str]:
    """Trace View: the recorded requests that it was planned from."""
    rooms = studio.rooms()
    reviewed = rooms.find(scenario_id)
    with studio.lock:
        rows = origins(reviewed.current.scenario, store=studio.store)
    return studio.page("trace.html", at="review", rooms=rooms, reviewed=reviewed, rows=rows)


@post("/review/{scenario_id:str}/accept", sync_to_thread=True)
def accept(studio: InStudio, scenario_id: FromPath[str]) -> Redirect:
    """Accept it as it stands."""
    with studio.lock:
        reviewed = _undecided(studio, scenario_id)
        reviewing.accept(
            reviewed,
            config=studio.config,
            store=studio.store,
            by=studio.by,
            at=studio.clock(),
        )
    return _next(studio, f"Accepted: {reviewed.current.scenario.title}.")


@post("/review/{scenario_id:str}/retry", sync_to_thread=True)
def retry(studio: InStudio, scenario_id: FromPath[str], data: Annotated[Reason, Form]) -> Redirect:
    """Ask for it once more, with what was wrong."""
    reviewed = _refuse(studio, scenario_id, "needs_correction", data.said)
    scenario = reviewed.proposed.scenario
    studio.desk.ask(
        Signal(
            kind="prompt",
            text=question_again(scenario, data.said),
            trace_id=scenario.trace_id,
            role=data.role,
            edition=data.edition,
            origin=ORIGIN,
        )
    )
    return _next(studio, f"Asked again: {reviewed.current.scenario.title}.")


@post("/review/{scenario_id:str}/reject", sync_to_thread=True)
def reject(studio: InStudio, scenario_id: FromPath[str], data: Annotated[Reason, Form]) -> Redirect:
    """Reject it; it is not proposed again."""
    reviewed = _refuse(studio, scenario_id, "not_relevant", data.reason)
    return _next(studio, f"Rejected: {reviewed.current.scenario.title}.")


@post("/undo", sync_to_thread=True)
def undo(studio: InStudio) -> Redirect:
    """Take the latest judgement back."""
    with studio.lock:
        taken = take_back(store=studio.store, by=studio.by, at=studio.clock())
    studio.say(f"Undone: {taken.decision.replace('_', ' ')}.")
    studio.desk.tell()
    return _go(f"/review?card={taken.scenario_id}")


@get("/review/{scenario_id:str}/edit", sync_to_thread=True)
def edit(studio: InStudio, scenario_id: FromPath[str]) -> Response[str]:
    """Scenario Details: its text, and whether that binds."""
    with studio.lock:
        reviewed = _undecided(studio, scenario_id)
    text = edit_text(reviewed.current.scenario)
    return _edit_page(studio, reviewed, text)


@post("/review/{scenario_id:str}/check", sync_to_thread=True)
def check(
    studio: InStudio, scenario_id: FromPath[str], data: Annotated[Text, Form]
) -> Response[str]:
    """Whether a text binds, while it is written."""
    original = studio.rooms().find(scenario_id).proposed.scenario
    checked = check_edit(data.text, original=original, config=studio.config)
    return studio.part("binding.html", checked=checked)


@post("/review/{scenario_id:str}/save", sync_to_thread=True)
def save(
    studio: InStudio, scenario_id: FromPath[str], data: Annotated[Text, Form]
) -> Redirect | Response[str]:
    """Keep the text in place of the proposal, and run it."""
    with studio.lock:
        reviewed = _undecided(studio, scenario_id)
        try:
            scenario = save_edit(
                reviewed,
                data.text,
                config=studio.config,
                store=studio.store,
                by=studio.by,
                at=studio.clock(),
            )
        except InputError as error:
            return _edit_page(studio, reviewed, data.text, problem=str(error))
    if scenario.id != reviewed.current.scenario.id:
        studio.desk.run(scenario)
        studio.say(f"Saved: {scenario.title}. It is being run.")
    return _go(f"/review?card={scenario_id}")


@post("/review/{scenario_id:str}/run", sync_to_thread=True)
def run(studio: InStudio, scenario_id: FromPath[str]) -> Redirect:
    """Run it once more."""
    reviewed = studio.rooms().find(scenario_id)
    studio.desk.run(reviewed.current.scenario)
    studio.say("It is being run.")
    return _go(f"/review?card={scenario_id}")


@get("/approved", sync_to_thread=True)
def approved(studio: InStudio) -> Response[str]:
    """Approved Scenarios: those that wait for a commit, and those that are in one."""
    return studio.page("approved.html", at="approved")


@post("/approved/commit", sync_to_thread=True)
def commit(studio: InStudio) -> Redirect:
    """All that wait, as one commit."""
    with studio.lock:
        waiting = reviewing.rooms(studio.store).approved
        delivered = deliver(
            waiting,
            config=studio.config,
            store=studio.store,
            by=studio.by,
            at=studio.clock(),
        )
    studio.desk.see(waiting)
    where = f"Commit {delivered.name} has" if delivered.name else "The files already had"
    return _written(studio, where, delivered)


@post("/approved/patch", sync_to_thread=True)
def patch(studio: InStudio) -> Redirect:
    """All that wait, as one patch."""
    with studio.lock:
        delivered = deliver_patch(
            reviewing.rooms(studio.store).approved,
            config=studio.config,
            store=studio.store,
            by=studio.by,
            at=studio.clock(),
        )
    return _written(studio, f"The patch {delivered.name} has", delivered)


@get("/needs-fix", sync_to_thread=True)
def needs_fix(studio: InStudio) -> Response[str]:
    """Rejected or Needs Fix."""
    return studio.page("needs_fix.html", at="needs-fix")


@get("/audit", sync_to_thread=True)
def audit(studio: InStudio) -> Response[str]:
    """Audit Logs: who decided what, when and why."""
    rooms = studio.rooms()
    known = {reviewed.proposed.scenario.id: reviewed for reviewed in rooms.all}
    return studio.page("audit.html", at="audit", rooms=rooms, log=studio.log(), known=known)


@get("/events")
async def events(studio: InStudio) -> ServerSentEvent:
    """A word whenever something changed; what it is, pages ask for themselves."""
    return ServerSentEvent(news_of(studio))


async def news_of(studio: Studio) -> AsyncGenerator[ServerSentEventMessage, None]:
    """A message whenever something changed, and a sign of life in between."""
    with studio.desk.listening() as news:
        while True:
            try:
                word = await asyncio.wait_for(news.get(), PING_S)
            except TimeoutError:
                yield ServerSentEventMessage(comment="still here", data=None)
            else:
                if word == END:
                    return
                # Browsers drop an event without data.
                yield ServerSentEventMessage(event=EVENT, data="1")


HANDLERS = (
    *(entrance, console, asked, ask, explore, rooms_bar),
    *(review, evidence, trace, accept, retry, reject, undo, edit, check, save, run),
    *(approved, commit, patch, needs_fix, audit, events),
)
"""All of them."""


def _console_page(studio: Studio, asked: Question, *, problem: str = "") -> Response[str]:
    rooms = studio.rooms()
    return studio.page(
        "console.html",
        at="console",
        status=422 if problem else 200,
        rooms=rooms,
        asked=asked,
        problem=problem,
        askings=studio.desk.askings,
        waiting=_waiting(rooms),
        prompts=prompts(rooms),
        roles=tuple(studio.config.roles),
        operations=studio.operations(),
    )


def _waiting(rooms: Rooms) -> frozenset[str]:
    return frozenset(reviewed.proposed.scenario.id for reviewed in rooms.suggested)


def _go(path: str) -> Redirect:
    return Redirect(path, status_code=303)


def _next(studio: Studio, said: str) -> Redirect:
    left = len(studio.rooms().suggested)
    studio.say(f"{said} {left} left.")
    studio.desk.tell()
    return _go("/review")


def _written(studio: Studio, where: str, delivered: Delivered) -> Redirect:
    count = len(delivered.titles)
    studio.say(f"{where} {'1 scenario' if count == 1 else f'{count} scenarios'}.")
    studio.desk.tell()
    return _go("/approved")


def _undecided(studio: Studio, scenario_id: str) -> Reviewed:
    rooms = reviewing.rooms(studio.store)
    reviewed = rooms.find(scenario_id)
    if reviewed not in (*rooms.suggested, *rooms.kept_out):
        raise InputError(
            f"{reviewed.current.scenario.title!r} was decided already; undo that first"
        )
    return reviewed


def _refuse(
    studio: Studio,
    scenario_id: str,
    decision: Literal["needs_correction", "not_relevant"],
    reason: str,
) -> Reviewed:
    with studio.lock:
        reviewed = _undecided(studio, scenario_id)
        refuse(
            reviewed,
            decision,
            reason=reason,
            store=studio.store,
            by=studio.by,
            at=studio.clock(),
        )
    return reviewed


def _card_page(studio: Studio, rooms: Rooms, reviewed: Reviewed) -> Response[str]:
    waiting = [r.proposed.scenario.id for r in rooms.suggested]
    id_ = reviewed.proposed.scenario.id
    place = waiting.index(id_) if id_ in waiting else -1
    return studio.page(
        "review.html",
        at="review",
        rooms=rooms,
        place=place,
        before=waiting[place - 1] if place > 0 else "",
        after=waiting[place + 1] if 0 <= place < len(waiting) - 1 else "",
        **_shown(studio, reviewed),
    )


def _shown(studio: Studio, reviewed: Reviewed) -> dict[str, Any]:
    return {
        "reviewed": reviewed,
        "id": reviewed.proposed.scenario.id,
        "card": studio.card(reviewed),
        "roles": tuple(studio.config.roles),
        "running": studio.desk.running(reviewed.current.scenario.id),
    }


def _edit_page(
    studio: Studio, reviewed: Reviewed, text: str, *, problem: str = ""
) -> Response[str]:
    original = reviewed.proposed.scenario
    return studio.page(
        "edit.html",
        at="review",
        status=422 if problem else 200,
        id=original.id,
        title=reviewed.current.scenario.title,
        text=text,
        problem=problem,
        checked=check_edit(text, original=original, config=studio.config),
        catalogue=known_steps(studio.config),
    )
