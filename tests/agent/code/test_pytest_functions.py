"""pytest functions for Python handlers, run."""

import os
import subprocess
import sys

import pytest

from premortem.agent.code.pytest_functions import append_pytest_function, suggest_pytest_function
from premortem.errors import InputError

MODULE = b"""
from decimal import Decimal
from pydantic import BaseModel, Field


class RefundRequest(BaseModel):
    order_id: str = Field(min_length=1)
    refund_amount: Decimal = Field(gt=0)
    reason: str | None = Field(default=None, max_length=200)


class DuplicateRefund(Exception):
    pass


class IssueRefundHandler:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def handle(self, request: RefundRequest) -> str:
        if request.order_id in self.seen:
            raise DuplicateRefund(request.order_id)
        self.seen.add(request.order_id)
        return "refund-1"
"""
PLAIN = b"""
from dataclasses import dataclass


@dataclass
class Booking:
    seats: int


def book_seat(booking: Booking) -> int:
    if booking.seats < 0:
        raise ValueError("seats")
    return booking.seats
"""


def suggested(prompt, source=MODULE, module="refunds", **rest):
    return suggest_pytest_function(prompt, source, module=module, **rest)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("What if a refund is issued twice?", "refund_is_duplicate"),
        ("What if the refund amount is negative?", "refund_amount_is_negative"),
        ("What if the reason is too long?", "reason_is_too_long"),
        ("What if the order id is empty?", "order_id_is_empty"),
        ("What if the refund amount is left out?", "refund_amount_is_missing"),
    ],
)
def test_a_question_becomes_a_function_named_by_what_it_asks(prompt, name):
    assert suggested(prompt).name == f"test_issue_refund_is_refused_when_{name}"


def test_appended_functions_run_and_are_not_added_twice(tmp_path):
    (tmp_path / "refunds.py").write_bytes(MODULE)
    (tmp_path / "seats.py").write_bytes(PLAIN)
    stood = b'"""Ours."""\n\nimport pytest  # kept\n\n\ndef test_old() -> None:\n    pass\n'
    made = [
        suggested("What if a refund is issued twice?"),
        suggested("What if the refund amount is negative?"),
        suggested("What if the refund amount is left out?"),
        suggested("What if the reason is too long?"),
        suggested("What if the seats are negative?", PLAIN, "seats"),
    ]
    source = stood
    for function in (*made, *made):
        source = append_pytest_function(source, function, path="test_refunds.py").after
    assert source.count(b"def test_") == len(made) + 1
    left = stood.splitlines()
    for line in source.splitlines():
        if left and line == left[0]:
            left.pop(0)
    assert not left
    (tmp_path / "test_refunds.py").write_bytes(source)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert "6 passed" in ran.stdout, ran.stdout


def test_a_new_file_gets_its_imports_first():
    change = append_pytest_function(
        None, suggested("What if the reason is too long?"), path="test_refunds.py"
    )
    assert change.after.startswith(b"import pytest\nfrom pydantic import ValidationError\n")
    assert change.artifact.action == "created"


@pytest.mark.parametrize(
    ("source", "prompt", "said"),
    [
        (b"x = 1", "What if it is sent twice?", "has no handler"),
        (b"def f(:", "What if it is sent twice?", "cannot be read as Python"),
        (MODULE, "What if Guest issues a refund?", "does not show in one pytest function"),
        (MODULE, "hello there", "names nothing that can go wrong"),
    ],
)
def test_what_makes_no_function_is_said(source, prompt, said):
    with pytest.raises(InputError, match=said):
        suggested(prompt, source)
