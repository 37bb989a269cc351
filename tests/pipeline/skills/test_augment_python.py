"""Questions about Python handlers become pytest functions, beside the tests that stand there."""

import os
import subprocess
import sys

import pytest

from premortem import config as configuration
from premortem.domain.proposal import Signal
from premortem.errors import InputError
from premortem.pipeline.augmenting import Recipe, augment
from premortem.pipeline.skills import open_room
from tests.agent.code.test_pytest_functions import MODULE

STOOD = '''"""Ours."""

from shop.refunds import IssueRefundHandler, RefundRequest


def test_a_refund_is_issued() -> None:
    done = IssueRefundHandler().handle(RefundRequest(order_id="o", refund_amount=1))
    assert done == "refund-1"
'''
ASYNC = b"""
from pydantic import BaseModel, Field


class Booking(BaseModel):
    seats: int = Field(ge=1)


class DuplicateBooking(Exception):
    pass


SEEN: set[int] = set()


async def book_seat(booking: Booking) -> int:
    if booking.seats in SEEN:
        raise DuplicateBooking(booking.seats)
    SEEN.add(booking.seats)
    return booking.seats


async def cancel_booking(booking: Booking, session: object) -> int:
    return booking.seats
"""


@pytest.fixture
def shop(tmp_path):
    """A project with handlers in a package below `src`, a test of one, and nothing learned."""
    package = tmp_path / "src" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "refunds.py").write_bytes(MODULE)
    (package / "seats.py").write_bytes(ASYNC)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_refunds.py").write_text(STOOD)
    (tmp_path / "premortem.toml").write_text('[target]\nbase_url = "http://127.0.0.1:9"\n')
    return tmp_path


def augmented(shop, text, **said):
    with open_room(configuration.load(shop / "premortem.toml")) as room:
        signal = Signal(kind="prompt" if text else "self", text=text, **said)
        *_, end = augment(signal, room=room, recipe=Recipe(write=True))
    return end


def ran(shop):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=shop,
        env={**os.environ, "PYTHONPATH": str(shop / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_a_question_becomes_a_function_in_the_file_that_tests_the_handler(shop):
    end = augmented(shop, "What if a refund is issued twice?", trace_id="refund-7", edition="lite")
    assert end.context.language == "python"
    [placed] = end.generated.functions
    assert placed.path == "tests/test_refunds.py"
    assert placed.function.name == "test_issue_refund_is_refused_when_refund_is_duplicate"
    text = (shop / "tests/test_refunds.py").read_text()
    assert "@trace_id:refund-7 @edition:lite @augmented_by:test-generator-agent" in text
    assert "2 passed" in ran(shop)
    assert end.report.unit_tests_appended == 1
    assert end.augmentation.methods == (placed.function.name,)
    assert any("premortem capture har FILE" in why for why in end.generated.left_out)
    metadata = (shop / "Tests/test-augmentation-metadata.yaml").read_text()
    assert "test_type: unit" in metadata
    assert "- test_refunds.py" in metadata


def test_the_same_again_changes_nothing(shop):
    question = "What if a refund is issued twice?"
    augmented(shop, question)
    before = {p: p.read_bytes() for p in shop.rglob("*") if p.is_file()}
    assert augmented(shop, question).artifacts == ()
    assert {p: p.read_bytes() for p in shop.rglob("*") if p.is_file()} == before


def test_a_handler_alone_gets_what_its_object_and_its_code_refuse(shop):
    end = augmented(shop, "", handler="issueRefundHandler")
    made = {placed.function.name for placed in end.generated.functions}
    assert "test_issue_refund_is_refused_when_refund_amount_is_zero" in made
    assert end.coverage_delta > 0
    rows = {(row.by, row.name): (row.before, row.after) for row in end.augmentation.coverage_rows}
    assert rows["handler", "IssueRefundHandler"] == (1, 1 + len(made))
    assert f"{1 + len(made)} passed" in ran(shop)


def test_a_coroutine_is_run_and_a_new_file_goes_beside_the_others(shop):
    end = augmented(shop, "What if a seat is booked twice?", handler="book_seat")
    [placed] = end.generated.functions
    assert placed.path == "tests/test_seats.py"
    text = (shop / placed.path).read_text()
    assert "from shop.seats import Booking, DuplicateBooking, book_seat" in text
    assert "asyncio.run(book_seat(request))" in text
    assert "2 passed" in ran(shop)


def test_what_a_handler_needs_besides_is_said_and_no_test_is_made_up(shop):
    with pytest.raises(InputError, match="cancel_booking needs session besides"):
        augmented(shop, "What if a booking is cancelled twice?", handler="cancel_booking")


def test_an_unknown_handler_is_said_with_near_ones(shop):
    with pytest.raises(InputError, match=r"no handler 'book_seats' .*did you mean book_seat"):
        augmented(shop, "What if it is sent twice?", handler="book_seats")
