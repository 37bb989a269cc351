from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from premortem.analyse import compose_report, render_html, write_html
from premortem.analyse.report_html import FINDINGS_MAX, coded, milliseconds
from premortem.domain.access import contradictions, listed, merged
from premortem.domain.run import Fault, Sent
from premortem.domain.source_findings import source_findings
from premortem.domain.traffic import Request, Response
from premortem.errors import InputError
from tests.analyse.samples import (
    MAKE,
    finding,
    profile,
    result,
    scenario,
    sequence,
    summary,
    verdict,
)
from tests.domain.test_access import rule

VOID = {"meta", "rect", "br", "link", "img", "input"}
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'\x1b[31m\u202e"


class Page(HTMLParser):
    """Checks that tags nest, and keeps what matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, tag
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(**more) -> Page:
    values = {"findings": [finding()], "profile": profile(), "base_url": "http://127.0.0.1:8700"}
    run = more.pop("run", summary())
    return Page(render_html(compose_report(run, **{**values, **more})))


def hostile_finding():
    request = Request(
        method="POST",
        origin="",
        path="/" + HOSTILE,
        query=((HOSTILE, HOSTILE),),
        headers=((HOSTILE, HOSTILE), ("content-type", "text/plain")),
        body=HOSTILE.encode(),
    )
    response = Response(status=500, headers=(("x", HOSTILE),), body=HOSTILE.encode())
    told = verdict(title=f"`{HOSTILE}`", evidence=HOSTILE, signature=HOSTILE)
    return finding(
        title=f"`{HOSTILE}`",
        operation_id=f"POST /{HOSTILE}",
        verdict=told,
        curl=HOSTILE,
        sent=Sent(request=request, response=response),
    )


def test_captured_text_is_shown_and_never_obeyed():
    bad = hostile_finding()
    shown = page(findings=[bad], unconfirmed=[bad], base_url=HOSTILE, run=summary(stopped=HOSTILE))
    tags = {tag for tag, _ in shown.tags}
    assert not tags & {"script", "img", "iframe", "object", "link", "form", "base"}
    assert not [name for _, attrs in shown.tags for name in attrs if name.startswith("on")]
    assert "alert(1)" in shown.text
    assert "\x1b" not in shown.text
    assert "\u202e" not in shown.text


def test_the_page_needs_nothing_from_outside():
    shown = page(scenarios=[scenario()])
    links = [v for _, attrs in shown.tags for k, v in attrs.items() if k in ("src", "href")]
    assert links == []
    text = render_html(compose_report(summary(), findings=[finding()], profile=profile()))
    assert "@import" not in text
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text


def test_the_verdict_stands_on_top():
    assert "1 finding" in page().text
    assert "No finding" in page(findings=[]).text
    assert "1 known before" in page(failing=()).text
    assert "Nothing was answered" in page(findings=[], run=summary(answered=0)).text


def test_a_finding_says_what_why_and_how_to_see_it_again():
    text = " ".join(page().text.split())
    for part in (
        "fails with 500: boom",
        "answered 500, saying: boom",
        "The service failed on its side.",
        "reproduced 2 of 2 times",
        "POST /invoices/inv_1/pay",
        '"error": "boom"',
        "curl -sS -i -X POST",
        "premortem replay",
        "as clerk",
    ):
        assert part in text
    assert "secret" not in text


def test_a_missing_answer_is_told_by_its_fault():
    fault = Fault(kind="reset", detail="closed after 0 bytes", sent=True)
    bare = finding(sent=Sent(request=finding().sent.request, fault=fault))
    assert "no answer: reset" in page(findings=[bare]).text


def test_one_signature_in_many_operations_is_said():
    both = [finding(operation_id=f"GET /{name}", id=f"0000000{name}") for name in "ab"]
    assert "same signature in 2 operations" in page(findings=both).text


def test_operations_and_what_was_not_tested_are_listed():
    text = " ".join(page(run=summary(planned=700, left=104)).text.split())
    assert "declared, but never seen in production" in text
    assert "104 planned requests - the run ended early (interrupted)" in text
    assert "2 requests with unknown outcome" in text
    rows = compose_report(summary(), findings=[finding()], profile=profile()).operations
    assert {row.operation_id: row.sent for row in rows}[MAKE] == 360


def test_where_the_run_did_not_count_the_kept_results_are_counted():
    bare = summary(by_operation={})
    shown = page(run=bare, results=[result(sequence(), 0, 201)])
    assert "Counted over the results that were kept" in shown.text
    (row, *_) = compose_report(bare, findings=[], results=[result(sequence(), 0, 201)]).operations
    assert row.classes == {"2xx": 1}


def test_without_counts_nothing_is_claimed():
    text = page(run=summary(by_operation={}, left=0, unknown=0)).text
    assert "did not count its requests by operation" in text
    assert "never seen in production" not in text


def test_scenarios_show_their_steps():
    text = page(scenarios=[scenario()]).text
    assert "A refund is issued twice" in text
    assert "the response status is 201" in text


def test_an_empty_run_is_a_page_too():
    empty = summary(
        planned=0, planned_dynamic=0, answered=0, faulted=0, unknown=0, left=0, statuses={},
        by_source={}, by_operation={}, latency_ms={}, recorded_class_total=0, stopped="", setup=0,
    )  # fmt: skip
    assert "No request was sent." in page(run=empty, findings=[], profile=None).text


def test_a_page_holds_a_limited_number_of_findings():
    many = [finding(id=f"{i:08x}") for i in range(FINDINGS_MAX + 3)]
    shown = page(findings=many)
    assert len([1 for tag, a in shown.tags if tag == "details"]) == FINDINGS_MAX
    assert "3 more are not shown" in shown.text


def test_bars_fill_their_width_and_no_more():
    text = render_html(compose_report(summary(), findings=[]))
    bar = text[text.index('<svg viewBox="0 0 720') :].split("</svg>")[0]
    parts = [
        (float(x), float(w)) for x, w in re.findall(r'x="([\d.]+)" y="0" width="([\d.]+)"', bar)
    ]
    assert all(x + width <= 720.5 for x, width in parts)
    assert parts[-1][0] + parts[-1][1] == pytest.approx(720, abs=2)


def test_a_report_is_a_file(tmp_path):
    path = tmp_path / "report.html"
    write_html(path, summary=summary(), findings=[finding()], profile=profile())
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(InputError, match="nowhere"):
        write_html(tmp_path / "nowhere" / "r.html", summary=summary(), findings=[])


def test_backticks_become_code_unless_one_is_alone():
    assert coded("`/a<b>` is") == "<code>/a&lt;b&gt;</code> is"
    assert coded("a ` b <") == "a ` b &lt;"


@pytest.mark.parametrize(
    ("ms", "text"), [(0.84, "0.8 ms"), (9.96, "10.0 ms"), (48, "48 ms"), (1449, "1.4 s")]
)
def test_durations_are_short(ms, text):
    assert milliseconds(ms) == text


def test_lone_surrogates_do_not_break_the_file(tmp_path):
    bad = replace(finding(), title="a\ud800b")
    write_html(tmp_path / "r.html", summary=summary(), findings=[bad])
    assert "a\\ud800b" in (tmp_path / "r.html").read_text()


def test_contradictions_between_sources_are_told_and_no_headline_praises_them():
    rules = [
        *listed(rule("blueprint", document="b.yaml", said=HOSTILE), ["CFO"]),
        rule("traffic", role="Guest", said="7 x 200"),
    ]
    sources = source_findings(contradictions(merged(rules, roles=("Guest", "CFO"))))
    shown = page(findings=[], sources=sources)
    assert "1 contradiction between sources" in shown.text
    assert "recorded traffic lets in Guest" in shown.text
    assert not {"script", "img"} & {tag for tag, _ in shown.tags}
    assert "Contradictions" not in page(findings=[]).text
