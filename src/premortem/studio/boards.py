"""Rooms to look at: what is untested, who is untested, and what was written about tests."""

from __future__ import annotations

import json

from litestar import Response, get
from litestar.params import FromQuery

from premortem.errors import NothingLearned
from premortem.pipeline import reviewing
from premortem.pipeline.surveying import board, markdown_files, markdown_text, role_board
from premortem.pipeline.telling import scenario_story
from premortem.studio.handlers import InStudio
from premortem.studio.markdown import rendered
from premortem.studio.pages import Studio

STORIES_MAX = 200
"""That are listed, the newest."""


@get("/gaps", sync_to_thread=True)
def gaps(studio: InStudio) -> Response[str]:
    """Test Gaps Dashboard: operations by the ways in which they may go wrong."""
    with studio.lock:
        rooms = reviewing.rooms(studio.store)
        try:
            found = board(studio.profile(), studio.ways(), rooms, studio.store)
        except NothingLearned as error:
            return _nothing(studio, "gaps", "Test Gaps Dashboard", str(error))
    return studio.page("gaps.html", at="gaps", rooms=rooms, board=found, asking=_asking)


@get("/missing-roles", sync_to_thread=True)
def missing_roles(studio: InStudio, edition: FromQuery[str] = "") -> Response[str]:
    """Missing Roles View: who was let in, who was kept out, and who was never tried."""
    title = "Missing Roles View"
    with studio.lock:
        rooms = reviewing.rooms(studio.store)
        try:
            studio.profile()
            found = role_board(studio.access(), rooms, edition=edition)
        except NothingLearned as error:
            return _nothing(studio, "missing-roles", title, str(error))
    return studio.page(
        "missing_roles.html", at="missing-roles", rooms=rooms, board=found, asking=_asking
    )


@get("/markdown", sync_to_thread=True)
def markdown(
    studio: InStudio, file: FromQuery[str] = "", story: FromQuery[str] = ""
) -> Response[str]:
    """Markdown Viewer: the stories of scenarios, and the reports beside the tests."""
    with studio.lock:
        rooms = reviewing.rooms(studio.store)
        files = markdown_files(studio.config)
        newest = sorted(rooms.all, key=lambda reviewed: -reviewed.proposed.at)[:STORIES_MAX]
        if story:
            reviewed = rooms.find(story)
            title, text = reviewed.current.scenario.title, scenario_story(reviewed, by=studio.by)
        elif file:
            title, text = file, markdown_text(studio.config, file)
        else:
            title, text = "", ""
    return studio.page(
        "markdown.html",
        at="markdown",
        rooms=rooms,
        title=title,
        chosen=file or story,
        html=rendered(text),
        files=files,
        stories=newest,
    )


BOARDS = (gaps, missing_roles, markdown)
"""All of them."""


def _asking(operation_id: str) -> str:
    """The context of a question about one operation, as the Prompt Console takes it."""
    return json.dumps({"operation": operation_id})


def _nothing(studio: Studio, at: str, title: str, why: str) -> Response[str]:
    """The room AT while nothing was learned: WHY, and what to do."""
    return studio.page("unlearned.html", at=at, title=title, why=why)
