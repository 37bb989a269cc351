"""Reports of code coverage, the real ones of coverage.py among them."""

import subprocess
import sys
from pathlib import Path

import pytest

from premortem.domain.coverage import CodeTotal
from premortem.errors import InputError
from premortem.observe.code_coverage import read_code_coverage

PROGRAM = """\
def sign(number):
    if number < 0:
        return "minus"
    if number > 0:
        return "plus"
    return "none"


print(sign(1))
"""
LCOV = """\
TN:
SF:src/items.ts
FN:1,get
BRDA:2,0,0,1
BRDA:2,0,1,-
DA:1,3
DA:2,3
DA:3,0
end_of_record
TN:second
SF:src/items.ts
BRDA:2,0,0,0
BRDA:2,0,1,4
DA:3,2
DA:4,0
end_of_record
SF:src/empty.ts
end_of_record
"""
COBERTURA = """\
<?xml version="1.0"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.5" branch-rate="0.5" version="1.9" timestamp="1">
  <packages><package name="billing" line-rate="0.5" branch-rate="0.5" complexity="1"><classes>
    <class name="Invoice" filename="billing/Invoice.cs" line-rate="0.5" branch-rate="0.5"
           complexity="1">
      <methods><method name="Pay" signature="()V" line-rate="1" branch-rate="1">
        <lines><line number="3" hits="1" branch="false"/></lines></method></methods>
      <lines>
        <line number="3" hits="1" branch="true" condition-coverage="50% (1/2)"/>
        <line number="4" hits="0" branch="false"/>
      </lines>
    </class>
    <class name="Invoice/Line" filename="billing/Invoice.cs" line-rate="1" branch-rate="1"
           complexity="1">
      <methods/><lines><line number="9" hits="2" branch="false"/></lines>
    </class>
  </classes></package></packages>
</coverage>
"""
JACOCO = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd">
<report name="billing">
  <sessioninfo id="host-1" start="1" dump="2"/>
  <package name="com/acme">
    <class name="com/acme/Pay" sourcefilename="Pay.java">
      <counter type="LINE" missed="9" covered="9"/>
    </class>
    <sourcefile name="Pay.java">
      <line nr="3" mi="0" ci="2" mb="1" cb="1"/>
      <counter type="INSTRUCTION" missed="4" covered="20"/>
      <counter type="BRANCH" missed="1" covered="3"/>
      <counter type="LINE" missed="2" covered="8"/>
    </sourcefile>
    <counter type="LINE" missed="2" covered="8"/>
  </package>
</report>
"""


def measured(directory: Path, *options: str) -> Path:
    """A folder with a program that ran under coverage.py."""
    (directory / "sign.py").write_text(PROGRAM)
    coverage(directory, "run", *options, "sign.py")
    return directory


def coverage(directory: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "coverage", *arguments]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def branches(tmp_path_factory) -> Path:
    return measured(tmp_path_factory.mktemp("branches"), "--branch")


@pytest.mark.parametrize(
    ("report", "file"),
    [("json", "coverage.json"), ("lcov", "coverage.lcov"), ("xml", "coverage.xml")],
)
def test_the_reports_of_coverage_py_are_read_alike(branches, report, file):
    coverage(branches, report, "-o", file)

    (total,) = read_code_coverage(branches / file)

    assert total == CodeTotal(
        file="sign.py", lines=7, lines_covered=5, branches=4, branches_covered=2
    )


@pytest.mark.parametrize("options", [(), ("--branch",)], ids=["lines", "branches"])
def test_the_data_of_coverage_py_tells_the_lines_that_ran(tmp_path, options):
    (total,) = read_code_coverage(measured(tmp_path, *options) / ".coverage")

    assert total.file.endswith("sign.py")
    assert (total.lines_covered, total.lines) == (5, 5)


@pytest.mark.parametrize(
    ("text", "totals"),
    [
        (
            LCOV,
            [
                CodeTotal(file="src/empty.ts", lines=0, lines_covered=0),
                CodeTotal(
                    file="src/items.ts",
                    lines=4,
                    lines_covered=3,
                    branches=2,
                    branches_covered=2,
                ),
            ],
        ),
        (
            COBERTURA,
            [
                CodeTotal(
                    file="billing/Invoice.cs",
                    lines=3,
                    lines_covered=2,
                    branches=2,
                    branches_covered=1,
                )
            ],
        ),
        (
            JACOCO,
            [
                CodeTotal(
                    file="com/acme/Pay.java",
                    lines=10,
                    lines_covered=8,
                    branches=4,
                    branches_covered=3,
                )
            ],
        ),
    ],
    ids=["lcov", "cobertura", "jacoco"],
)
def test_reports_of_other_tools_are_read(tmp_path, text, totals):
    path = tmp_path / "report"
    path.write_text(text)

    assert list(read_code_coverage(path)) == totals


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"{}",
        b"<html/>",
        b"<coverage",
        b"SQLite format 3\0 but no database",
        b"SF:a\nDA:x,y\n",
        b'<!DOCTYPE coverage [<!ENTITY a "aaaa">]><coverage>&a;</coverage>',
    ],
)
def test_what_is_no_report_is_said_to_be_none(tmp_path, data):
    path = tmp_path / "report"
    path.write_bytes(data)

    with pytest.raises(InputError, match=r"report .*give a|no code coverage"):
        read_code_coverage(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.xml"):
        read_code_coverage(tmp_path / "nowhere.xml")
