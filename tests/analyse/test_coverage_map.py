"""The map of what was tried, and what is said about it."""

import json
import re
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from premortem.analyse import coverage_view, render_coverage_html, untested_view
from premortem.analyse.coverage_map import coverage_map
from premortem.analyse.coverage_words import estimate_words, totals_words
from premortem.domain.coverage import Cell, CellCount, CodeTotal, RunCoverage, Seen
from premortem.domain.places import parse_place
from premortem.domain.traffic import Field, Operation, OperationProfile, Profile, Timing
from premortem.domain.value_class import Coverage

PAY, READ = "POST /payments", "GET /payments"
SCHEMA = {"properties": {"amount": {"type": "integer", "minimum": 1}}, "type": "object"}


def profile() -> Profile:
    limit = Field(place=parse_place("query:limit"), seen=9, presence=1.0, types={"integer": 9})
    operations = (
        OperationProfile(
            operation=Operation(method="POST", template="/payments"),
            count=90,
            request_schema=json.dumps(SCHEMA),
            request_source="spec",
            roles={"CFO": {"200": 80}, "Clerk": {"200": 10}},
        ),
        OperationProfile(
            operation=Operation(method="GET", template="/payments"), count=10, fields=(limit,)
        ),
    )
    return Profile(
        version="abc",
        created_at=1.0,
        exchanges=100,
        sessions=1,
        origins=(),
        operations=operations,
        timing=Timing(first_at=0.0, last_at=1.0, rate_per_second=1.0, hours=(0,) * 24),
    )


def counted(place: str = "", value_class: str = "typical", hits: int = 1, **more) -> CellCount:
    cell = Cell(
        operation_id=more.pop("operation", PAY), place=place, value_class=value_class, role="CFO"
    )
    given = {"status_class": "2xx", "last_status": 201, "last_run": "r1", "last_at": 1.0} | more
    return CellCount(cell=cell, hits=hits, **given)


def covered(*cells: CellCount, **more) -> RunCoverage:
    given = {"run_id": "r1", "cases": 100, "read": 100} | more
    return RunCoverage(profile_version="abc", at=1.0, cells=cells, **given)


TRIED = covered(
    counted(hits=60),
    counted("body:", hits=60),
    counted("body:/amount", hits=50),
    counted("body:/amount", "boundary", hits=9),
    counted("body:/amount", "out_of_range", status_class="4xx", last_status=422),
    seen=(
        Seen(kind="log", name="paid <*>", hits=3, detail="info"),
        Seen(kind="log", name="<script> failed", hits=1, detail="error KeyError at a.py:f"),
    ),
    code=(
        CodeTotal(file="a.py", lines=8, lines_covered=6, branches=4, branches_covered=1),
        CodeTotal(file="b.py", lines=2, lines_covered=0),
    ),
)


def production() -> Coverage:
    used = Coverage()
    amount = Cell(operation_id=PAY, place="body:/amount", value_class="absent", role="CFO")
    used.add([amount], 200, times=7)
    return used


def shown(view: object) -> str:
    console = Console(width=110, record=True, file=StringIO())
    console.print(view)
    return console.export_text()


def test_squares_count_the_cells_that_were_tried():
    found = coverage_map(profile(), TRIED, production())

    pay, read = found.rows
    amount = next(row for row in pay.places if row.place == "body:/amount").classes
    assert {name: square.tried for name, square in amount.items()} == {
        "typical": 1,
        "boundary": 1,
        "absent": 0,
        "null": 0,
        "out_of_range": 1,
        "wrong_type": 0,
    }
    assert (amount["out_of_range"].last_status, amount["out_of_range"].statuses) == (
        422,
        {"4xx": 1},
    )
    assert amount["absent"].production == 7
    assert (pay.hits, read.hits) == (60, 0)
    assert found.whole.tried == 4
    assert (found.code.lines, found.code.lines_covered) == (10, 6)


def test_gaps_come_in_the_order_in_which_production_uses_them():
    found = coverage_map(profile(), TRIED, production())

    first = [(gap.operation_id, gap.place, gap.what, gap.production) for gap in found.untested]
    assert first[:3] == [
        (PAY, "", "as Clerk", 10),
        (READ, "", "never sent", 10),
        (PAY, "body:/amount", "absent, null, wrong type", 7),
    ]
    assert not any(gap.operation_id == READ and gap.place for gap in found.untested)


def test_what_was_counted_only_is_of_no_role():
    unread = CellCount(cell=Cell(operation_id=PAY, role="*"), status_class="2xx", hits=40)
    found = coverage_map(profile(), covered(*TRIED.cells, unread, read=60), Coverage())

    assert found.rows[0].hits == 100
    assert all(gap.role == "" for gap in found.untested)
    assert "60 were kept in full and read" in shown(coverage_view(found))
    assert "more was tried than is shown" in shown(coverage_view(found)).replace("\n", " ")


def test_nothing_run_yet_is_said():
    found = coverage_map(profile(), None, Coverage())

    assert "nothing was run yet" in totals_words(found)
    assert [gap.what for gap in found.untested] == ["never sent", "never sent"]


def test_an_estimate_says_what_it_is_made_from():
    few = coverage_map(profile(), covered(*TRIED.cells, read=10), Coverage())
    enough = coverage_map(profile(), TRIED, Coverage())

    assert "too early to say" in estimate_words(few)
    words = estimate_words(enough)
    assert "1 of them once" in words
    assert "100 more requests like these would show about 1.0 new ones" in words


@pytest.mark.parametrize("by", ["values", "roles"])
def test_the_terminal_shows_the_map(by):
    text = shown(coverage_view(coverage_map(profile(), TRIED, production()), by=by))

    assert PAY in text
    assert ("1/1" if by == "values" else "5/") in text
    assert "6 of 10 lines (60%), 1 of 4 branches (25%)" in text
    assert "<script> failed" in text
    assert text.index("failed") < text.index("paid <*>")


def test_a_list_of_gaps_says_how_many_more_there_are():
    found = coverage_map(profile(), TRIED, production())
    text = shown(untested_view(found, limit=1))

    assert "as Clerk" in text
    assert f"and {len(found.untested) - 1} more" in text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.titles: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "i"):
            self.open.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]

    def handle_endtag(self, tag):
        if tag != "i":
            assert self.open.pop() == tag


def test_the_page_is_whole_and_alone():
    page = render_coverage_html(coverage_map(profile(), TRIED, production()))
    tags = Tags()
    tags.feed(page)

    assert tags.open == []
    assert not re.search(r"https?://|<script|src=|@import", page)
    assert "&lt;script&gt; failed" in page
    assert any("1 times: 1 x 4xx" in title and "run r1" in title for title in tags.titles)
    assert "prefers-color-scheme: dark" in page
