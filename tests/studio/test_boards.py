"""The rooms to look at: gaps, roles, Markdown."""

from __future__ import annotations

import msgspec
import pytest

from premortem.pipeline.learning import learn
from premortem.studio.markdown import rendered
from tests.studio.conftest import a_proposal, a_verdict

OPERATION = "POST /payments/{payment_id}/refunds"
DOCUMENT = """
openapi: 3.0.3
info: {title: Payments, version: "1"}
paths:
  /payments/{payment_id}/refunds:
    post:
      operationId: createRefund
      x-roles: [Cashier]
      parameters:
        - {name: payment_id, in: path, required: true, schema: {type: string}}
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [amount]
              properties: {amount: {type: number, minimum: 1, maximum: 1000}}
      responses: {"201": {description: made}, "409": {description: there already}}
"""


@pytest.fixture
def learned(config, folder, store):
    """The Studio's project with a document, learned."""
    (folder / "openapi.yaml").write_text(DOCUMENT)
    target = msgspec.structs.replace(config.target, spec="openapi.yaml")
    learn(config=msgspec.structs.replace(config, target=target), store=store, clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("path", "title"), [("/gaps", "Test Gaps Dashboard"), ("/missing-roles", "Missing Roles View")]
)
def test_while_nothing_is_learned_it_says_what_to_do(browser, path, title):
    page = browser.get(path)
    assert f"{title} Nothing to look at yet: there is no profile in the store yet" in page
    assert "premortem learn" in page


def test_a_gap_says_what_it_is_about_and_asks_for_its_test(browser, learned, studio):
    page = browser.get("/gaps")
    assert "What to close first" in page
    assert "0 of" in page
    html = browser.send("GET", "/gaps").text
    assert "POST /payments/{payment_id}/refunds, duplicate: untested" in html
    assert "/console?question=What+if+a+refund+is+created+twice" in html
    said = browser.post(
        "/console/ask",
        question="What if a refund is created twice?",
        context='{"operation": "POST /payments/{payment_id}/refunds"}',
    )
    assert "Asked." in said
    assert studio.desk.askings[0].question == "What if a refund is created twice?"


def test_what_waits_is_accepted_and_is_set_aside_shows_in_its_field(browser, learned, store):
    scenario = a_proposal()
    store.save_scenario(scenario, a_verdict(scenario, answered=409), 1.0)
    field = "POST /payments/{payment_id}/refunds, duplicate: "
    assert f"{field}waits for you" in browser.send("GET", "/gaps").text
    browser.post(f"/review/{scenario.id}/accept")
    html = browser.send("GET", "/gaps").text
    assert f"{field}has an accepted test" in html
    assert f"/review?card={scenario.id}" in html
    assert "1 of 1 questions led to an accepted test" in browser.get("/gaps")
    browser.post("/undo")
    browser.post(f"/review/{scenario.id}/reject", reason="a rumour")
    assert f"{field}was set aside" in browser.send("GET", "/gaps").text


def test_missing_roles_tells_tested_untested_and_refused(browser, learned, store):
    html = browser.send("GET", "/missing-roles").text
    assert f"{OPERATION}, Cashier: untested" in html
    assert f"{OPERATION}, Guest: untested" in html
    assert f"{OPERATION}, nobody signed in: untested" in html
    assert "role=Guest" in html
    scenario = a_proposal()
    store.save_scenario(scenario, a_verdict(scenario, answered=409), 1.0)
    assert f"{OPERATION}, Cashier: waiting" in browser.send("GET", "/missing-roles").text
    browser.post(f"/review/{scenario.id}/accept")
    assert f"{OPERATION}, Cashier: tested" in browser.send("GET", "/missing-roles").text


def test_an_edition_that_nobody_declares_is_said(browser, learned):
    answer = browser.send("GET", "/missing-roles?edition=gold")
    assert answer.status_code == 409
    assert "there is no edition" in answer.text


def test_the_console_is_filled_in_with_what_a_field_leads_to(browser):
    html = browser.send(
        "GET", "/console?question=What+if%3F&role=Guest&edition=lite&context=%7B%7D"
    ).text
    assert ">What if?</textarea>" in html
    assert "<option selected>Guest</option>" in html
    assert 'value="lite"' in html


def test_the_markdown_viewer_shows_stories_and_reports(browser, proposed, folder):
    page = browser.get("/markdown")
    assert "Choose a report or a story. " in page + " "
    story = browser.get(f"/markdown?story={proposed.id}")
    assert "Scenario: Refund is issued twice" in story
    assert "Why it matters:" in story
    assert "Status: Awaiting review" in story
    (folder / "Tests").mkdir()
    (folder / "Tests" / "qa-report.md").write_text(
        "# QA report\n\n- [ ] Role: CFO\n\n<!-- premortem 0a1b2c -->\n"
    )
    assert "Tests/qa-report.md" in browser.get("/markdown")
    html = browser.send("GET", "/markdown?file=Tests/qa-report.md").text
    assert "<h2>QA report</h2>" in html
    assert "☐ Role: CFO" in html
    assert "0a1b2c" not in html


def test_without_any_markdown_it_says_where_it_comes_from(browser):
    assert "Nothing was written yet." in browser.get("/markdown")


@pytest.mark.parametrize("path", ["premortem.toml", "../premortem.toml", "/etc/passwd"])
def test_no_other_file_is_shown(browser, path):
    answer = browser.send("GET", f"/markdown?file={path}")
    assert answer.status_code == 409
    assert "is no report about tests" in answer.text


def test_markdown_of_captured_text_is_text_and_nothing_else():
    html = rendered(
        "# <script>alert(1)</script>\n\n[a](javascript:alert(1)) ![b](http://x/y.png) <b>c</b>\n"
    )
    assert "<script" not in html
    assert "<a " not in html
    assert "<img" not in html
    assert "&lt;b&gt;c&lt;/b&gt;" in html


def test_empty_rooms_say_what_to_do(browser):
    assert "Ask what could go wrong" in browser.get("/approved")
    assert "asks again" in browser.get("/needs-fix")
    assert "origin, version and rationale" in browser.get("/audit")
