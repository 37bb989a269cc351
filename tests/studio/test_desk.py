"""The thread that works, and who is told."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack

import pytest

from premortem.domain.proposal import Signal
from premortem.errors import InputError
from premortem.studio.desk import ASKINGS_KEPT_MAX, LISTENERS_MAX, WAITING_MAX, Desk
from premortem.studio.handlers import EVENT, news_of
from tests.studio.conftest import a_proposal


def asks(text: str) -> Signal:
    return Signal(kind="prompt", text=text)


@pytest.fixture
def stuck(config):
    """A desk whose thread gets no store before the test is over."""
    over = threading.Event()

    class Never:
        def __enter__(self):
            over.wait()

        def __exit__(self, *error):
            return None

    desk = Desk(config=config, open_store=Never, clock=lambda: 1.0)
    yield desk
    desk.close(wait_s=0)
    over.set()
    desk.close()


def test_questions_wait_their_turn_and_one_too_many_is_refused(stuck):
    for number in range(WAITING_MAX):
        stuck.ask(asks(f"question {number}"))
    with pytest.raises(InputError, match=f"{WAITING_MAX} things wait already"):
        stuck.ask(asks("one too many"))
    askings = stuck.askings
    assert [asking.question for asking in askings][:2] == ["question 19", "question 18"]
    assert {asking.state for asking in askings} == {"waiting"}


def test_a_run_is_refused_as_well(stuck):
    for number in range(WAITING_MAX):
        stuck.ask(asks(f"question {number}"))
    scenario = a_proposal()
    with pytest.raises(InputError, match="wait already"):
        stuck.run(scenario)
    assert stuck.running(scenario.id) is None


def test_of_old_questions_the_latest_are_kept(studio):
    async def ask_many() -> None:
        with studio.desk.listening() as news:
            asked = 0
            while asked < ASKINGS_KEPT_MAX + 5:
                try:
                    studio.desk.ask(asks(f"question {asked}"))
                    asked += 1
                except InputError:
                    await news.get()

    asyncio.run(ask_many())
    kept = [asking.question for asking in studio.desk.askings]
    assert kept == [f"question {n}" for n in reversed(range(5, ASKINGS_KEPT_MAX + 5))]


def test_a_run_that_cannot_be_says_why(browser, studio, proposed):
    browser.post(f"/review/{proposed.id}/run")
    studio.desk.close()
    said = browser.get(f"/review/{proposed.id}/evidence")
    assert "could not be run: there is no profile in the store yet" in said


def test_whoever_listens_gets_a_word_and_after_leaving_none(studio):
    async def listen() -> list[str]:
        news = news_of(studio)
        waiting = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)
        studio.desk.tell()
        message = await waiting
        await news.aclose()
        studio.desk.tell()
        return message.encode().decode().split()

    assert asyncio.run(listen()) == ["event:", EVENT, "data:", "1"]


def test_streams_end_when_the_studio_does_however_much_there_was_to_say(studio):
    async def listen() -> int:
        news = news_of(studio)
        waiting = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)
        for _ in range(200):
            studio.desk.tell()
        studio.desk.dismiss()
        await waiting
        return len([message async for message in news])

    assert asyncio.run(listen()) < 200


def test_more_pages_than_are_told_do_no_harm(studio):
    async def listen() -> int:
        with ExitStack() as stack:
            pages = [stack.enter_context(studio.desk.listening()) for _ in range(LISTENERS_MAX + 3)]
            for _ in range(200):
                studio.desk.tell()
            await asyncio.sleep(0)
            return sum(not page.empty() for page in pages)

    assert asyncio.run(listen()) == LISTENERS_MAX
