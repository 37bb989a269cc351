"""Checks of a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import premortem
from premortem.checks import Checker, open_checker
from premortem.checks.listing import list_checks, own_names
from premortem.checks.own import BROKEN, BROKEN_MAX, Failure, check, load_checks
from premortem.config import CheckConfig, Config
from premortem.domain.run import Verdict
from premortem.errors import ConfigError
from tests.checks.judging import answered, case, operation, profile

OWN = '''
from premortem import Failure, check

@check(severity="high", description="no invoice is overpaid")
def overpaid(case, sent, known, before):
    response = sent.response
    if response is not None and response.status == 200:
        yield Failure(title="paid 12 of 10", evidence="who says so")

@check()
def titled(case, sent, known, before):
    """Says it in a word."""
    return "said it"
'''


def written(folder: Path, text: str, name: str = "checks.py") -> Config:
    (folder / name).write_text(text)
    return Config(checks=CheckConfig(files=(name,)), directory=str(folder))


def told(config: Config) -> tuple[Verdict, ...]:
    of = operation()
    given = case(of)
    return open_checker(profile(of), config).check(given, answered(given, 200))


def test_a_function_in_a_named_file_is_a_check(tmp_path):
    first, second = told(written(tmp_path, OWN))
    assert (first.check, first.severity, first.signature) == ("overpaid", "high", "paid # of #")
    assert first.evidence == "who says so"
    assert (second.check, second.title, second.severity) == ("titled", "said it", "medium")


def test_own_checks_are_listed_and_switched_off_like_others(tmp_path):
    config = written(tmp_path, OWN)
    assert own_names(config) == ("overpaid", "titled")
    listed = {one.name: one for one in list_checks(config, ["titled"])}
    assert listed["overpaid"].description == "no invoice is overpaid"
    assert listed["titled"].description == "Says it in a word."
    assert (listed["overpaid"].on, listed["titled"].on) == (True, False)
    assert listed["titled"].file == "checks.py"
    of, off = operation(), ["overpaid", "titled"]
    given = case(of)
    assert not open_checker(profile(of), config, off=off).check(given, answered(given, 200))


def test_own_checks_get_what_came_before(tmp_path):
    text = "import premortem\n@premortem.check()\ndef seen(case, sent, known, before):\n"
    config = written(tmp_path, text + "    yield f'{len(before)} before {known.operation.id}'\n")
    of = operation()
    given = case(of)
    sent = answered(given, 200)
    (verdict,) = open_checker(profile(of), config).check(given, sent, (sent, sent))
    assert verdict.title == "2 before GET /invoices/{invoice_id}"


def test_an_error_in_a_check_is_said_and_ends_nothing(tmp_path):
    text = "from premortem import check\n@check()\ndef bad(case, sent, known, before):\n"
    config = written(tmp_path, text + "    yield 'first'\n    sent.response.nothing\n")
    of = operation()
    given = case(of)
    checker = open_checker(profile(of), config)
    first, broken = checker.check(given, answered(given, 200))
    assert first.title == "first"
    assert broken.signature.startswith(BROKEN + "AttributeError")
    assert broken.signature.endswith("line 5")
    for _ in range(BROKEN_MAX - 1):
        assert len(checker.check(given, answered(given, 500))) == 3
    (other,) = checker.check(given, answered(given, 500))
    assert other.check == "server_error"


def test_something_else_than_a_failure_is_an_error_of_the_check():
    @check(name="numbers")
    def numbers(case: Any, sent: Any, known: Any, before: Any) -> Any:
        yield 7

    given = case(operation())
    own = numbers.__premortem_check__
    (verdict,) = Checker(profile(operation()), checks=(own,)).check(given, answered(given, 200))
    assert "yields Failure or str, not int" in verdict.evidence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n", "line 1 cannot be run: SyntaxError"),
        ("x = 1\nraise ValueError('no')\n", "line 2 cannot be run: ValueError: no"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("x = 1\n", r"holds no check; put `@premortem\.check\(\)` before a function"),
        (OWN.replace("def titled", "def server_error"), "two checks named 'server_error'"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_before_anything_is_sent(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        open_checker(profile(operation()), written(tmp_path, text))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no file .*none\.py"):
        load_checks([tmp_path / "none.py"])


def test_the_package_offers_what_a_check_needs():
    assert premortem.check is check
    assert premortem.Failure is Failure


def test_checks_are_left_out_everywhere_or_for_some_operations():
    of, other = operation(), operation(operation=case_operation("/reports/x"))
    config = CheckConfig(off_for={"GET /reports/*": ("server_error",)})
    checker = Checker(profile(of, other), config=config)
    assert checker.check(case(of), answered(case(of), 500))
    assert not checker.check(case(other), answered(case(other), 500))
    exact = CheckConfig(off_for={of.id: ("server_error",)})
    assert not Checker(profile(of), config=exact).check(case(of), answered(case(of), 500))
    everywhere = CheckConfig(off=("server_error",))
    assert not Checker(profile(of), config=everywhere).check(case(of), answered(case(of), 500))


@pytest.mark.parametrize(
    "config", [CheckConfig(off=("spelling",)), CheckConfig(off_for={"GET /*": ("spelling",)})]
)
def test_an_unknown_name_is_refused(config):
    with pytest.raises(ConfigError, match="'spelling'"):
        Checker(profile(operation()), config=config)


def test_a_finding_is_looked_at_again_whatever_is_off():
    of = operation()
    config = Config(checks=CheckConfig(off=("server_error",)))
    given = case(of)
    assert not open_checker(profile(of), config).check(given, answered(given, 500))
    again = open_checker(profile(of), config, everything=True)
    assert again.check(given, answered(given, 500))


def case_operation(template: str) -> Any:
    from premortem.domain.traffic import Operation

    return Operation(method="GET", template=template)
