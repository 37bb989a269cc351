"""The rooms: what a person reads, decides, takes back and commits."""

from __future__ import annotations

import msgspec
import pytest

from premortem.pipeline import reviewing
from premortem.pipeline.reviewing import edit_text
from tests.store.values import an_exchange
from tests.studio.conftest import QUESTION, a_proposal, a_verdict, git

UNBOUND = """Scenario: Refund is issued twice
  Given somebody did something
  When "cashier" sends "GET" to "/payments/p1"
  Then the response status is 200
"""
MENDED = """@edge
Scenario: A second refund is refused
  Given the actor "guest" has role "Guest"
  When "guest" sends "GET" to "/payments/p1"
  Then the response status is 409
"""


def test_a_card_shows_what_a_person_needs_and_asks_one_question(browser, proposed):
    page = browser.get("/review")
    assert "Should a second refund answer 409? The service answered 201." in page
    assert f"prompt “{QUESTION}”" in page
    assert "Cashier × any edition" in page
    assert "No scenario for POST /payments/{payment_id}/refunds as Cashier" in page
    assert "finding 0 of 5 runs green" in page
    assert "Then the response status is 409 binds; failed: the status is 201, not 409" in page
    assert "What accepting changes in features/refunds.feature" in page
    assert "+ Scenario: Refund is issued twice" in page
    assert "Why it matters" in page


def test_the_code_of_the_answer_is_in_the_question(browser, store):
    scenario = a_proposal()
    answer = '{"error": {"code": "DuplicateRefund", "message": "no"}}'
    store.save_scenario(scenario, a_verdict(scenario, answered=409, answer=answer), 1.0)
    assert "Should a second refund answer 409 DuplicateRefund?" in browser.get("/review")


def test_findings_come_first_and_junk_does_not_come_at_all(browser, store):
    for title, answered in (("Green one", 409), ("Red one", 201)):
        scenario = a_proposal(title)
        store.save_scenario(scenario, a_verdict(scenario, answered=answered), 1.0)
    junk = a_proposal("Junk")
    store.save_scenario(junk, reviewing.UNRUN, 1.0)
    page = browser.get("/review")
    assert "Suggested Tests: 1 of 2 Red one" in page
    assert "Junk" not in page


def test_what_is_accepted_waits_for_the_commit_and_then_stands_in_it(
    browser, proposed, folder, studio
):
    assert "Accepted: Refund is issued twice. 0 left." in browser.post(
        f"/review/{proposed.id}/accept"
    )
    assert "accepted by alex.k" in browser.get("/approved")
    page = browser.post("/approved/commit")
    commit = git(folder, "rev-parse", "--short", "HEAD").strip()
    assert f"Commit {commit} has 1 scenario." in page
    assert "Refund is issued twice: Test created by agent" in page
    assert git(folder, "status", "--porcelain") == ""
    files = git(folder, "show", "--stat", "--format=%an: %s%n%b", "HEAD")
    assert "Alex K: Add scenario: Refund is issued twice" in files
    assert "features/refunds.feature" in files
    assert "features/steps/premortem_steps.py" in files
    assert "Accepted by alex.k" in files
    assert f"@premortem_id:{proposed.id}" in (folder / "features/refunds.feature").read_text()
    metadata = (folder / "features/test-augmentation-metadata.yaml").read_text()
    for line in (
        "source: studio-prompt",
        f"prompt: {QUESTION}",
        "prompt_source: studio.prompt.alex.k",
        "review_status: accepted",
        f"premortem_id: {proposed.id}",
        "feature_file: refunds.feature",
    ):
        assert line in metadata, line
    studio.desk.close()
    assert "behave sees it" in browser.get(f"/review?card={proposed.id}")


def test_several_become_one_commit(browser, store, folder):
    for title in ("First", "Second", "Third"):
        scenario = a_proposal(title)
        store.save_scenario(scenario, a_verdict(scenario), 1.0)
        browser.post(f"/review/{scenario.id}/accept")
    before = git(folder, "rev-list", "--count", "HEAD")
    assert "has 3 scenarios" in browser.post("/approved/commit")
    assert int(git(folder, "rev-list", "--count", "HEAD")) == int(before) + 1
    assert "nothing is waiting" in browser.post("/approved/commit", status=409)


def test_a_patch_leaves_the_repository_alone_and_applies(browser, proposed, folder):
    browser.post(f"/review/{proposed.id}/accept")
    assert "The patch .premortem/patches/" in browser.post("/approved/patch")
    assert git(folder, "status", "--porcelain") == ""
    [patch] = (folder / ".premortem/patches").glob("*.diff")
    git(folder, "apply", str(patch))
    assert proposed.id in (folder / "features/refunds.feature").read_text()


def test_a_step_that_does_not_bind_is_said_while_it_is_written(browser, proposed):
    path = f"/review/{proposed.id}/check"
    said = browser.post(path, text=UNBOUND)
    assert "1 of 3 steps does not bind." in said
    assert "does not bind: no step of the catalogue reads like this; the nearest is:" in said
    assert "Did you mean" in said
    half = "Scenario: x\n  Given y\n  Nonsense"
    assert "Line 3: 'Nonsense' is no step" in browser.post(path, text=half)
    assert "All 3 steps bind." in browser.post(path, text=MENDED)


def test_what_does_not_bind_is_not_saved_and_not_lost(browser, proposed):
    page = browser.post(f"/review/{proposed.id}/save", status=422, text=UNBOUND)
    assert "Not saved: unbound" in page
    assert "somebody did something" in page
    assert "Refund is issued twice" in browser.get("/review")


def test_an_edit_takes_the_place_of_the_proposal_and_can_be_undone(
    browser, proposed, store, studio
):
    page = browser.post(f"/review/{proposed.id}/save", text=MENDED)
    assert "Saved: A second refund is refused. It is being run." in page
    assert "Suggested Tests: 1 of 1 A second refund is refused" in page
    assert "Guest × any edition" in page
    studio.desk.close()
    evidence = browser.get(f"/review/{proposed.id}/evidence")
    assert "could not be run: there is no profile in the store yet" in evidence
    assert "it was edited and has not been run since" in evidence
    browser.post(f"/review/{proposed.id}/accept")
    [edited, accepted] = store.judgements.log()
    assert (edited.decision, accepted.decision) == ("edited", "accepted_with_edits")
    assert accepted.edited_id == edited.edited_id
    assert "A second refund is refused" in browser.get("/approved")
    assert "Undone: accepted with edits." in browser.post("/undo")
    assert "A second refund is refused" in browser.get("/review")
    assert "Undone: edited." in browser.post("/undo")
    assert "1 of 1 Refund is issued twice" in browser.get("/review")
    assert "nothing to undo" in browser.post("/undo", status=409)


def test_an_edit_of_tags_alone_is_the_same_test(browser, proposed, store):
    text = edit_text(proposed).replace("@edge", "@security")
    page = browser.post(f"/review/{proposed.id}/save", text=text)
    assert "finding 0 of 5 runs green" in page
    assert "@security @prompt" in page
    browser.post(f"/review/{proposed.id}/accept")
    assert store.judgements.log()[-1].decision == "accepted_with_edits"


def test_an_edit_can_be_edited_back(browser, proposed):
    path = f"/review/{proposed.id}/save"
    browser.post(path, text=MENDED)
    page = browser.post(path, text=edit_text(proposed))
    assert "Suggested Tests: 1 of 1 Refund is issued twice" in page
    assert browser.post(path, text=edit_text(proposed)).count("Saved") == 0


def test_junk_is_never_offered_but_can_be_looked_at_and_mended(browser, store):
    scenario = a_proposal()
    junk = msgspec.structs.replace(a_verdict(scenario), outcome="junk", reason="flaky: once")
    store.save_scenario(scenario, junk, 1.0)
    assert "Nothing waits for you" in browser.get("/review")
    assert "Kept out: flaky: once." in browser.get(f"/review?card={scenario.id}")
    assert "flaky: once; edit it first" in browser.post(f"/review/{scenario.id}/accept", status=409)
    browser.post(f"/review/{scenario.id}/save", text=MENDED)
    assert "1 of 1 A second refund is refused" in browser.get("/review")


def test_a_rejection_needs_a_reason_and_is_kept(browser, proposed):
    path = f"/review/{proposed.id}/reject"
    assert "say why, in a few words" in browser.post(path, status=409, reason="  ")
    assert "Rejected: Refund is issued twice. 0 left." in browser.post(path, reason="a rumour")
    assert "Nothing waits for you" in browser.get("/review")
    assert "not relevant Refund is issued twice : a rumour alex.k" in browser.get("/needs-fix")
    assert "was decided already" in browser.post(f"/review/{proposed.id}/accept", status=409)


def test_a_retry_asks_again_with_the_reason(browser, proposed, studio):
    page = browser.post(
        f"/review/{proposed.id}/retry", reason="the wrong person", role="Guest", edition="lite"
    )
    assert "Asked again: Refund is issued twice." in page
    [asking] = studio.desk.askings
    assert asking.question == f"{QUESTION} the wrong person as Guest in lite"
    assert "needs correction" in browser.get("/needs-fix")
    assert ": the wrong person as Guest in lite alex.k" in browser.get("/needs-fix")


def test_what_came_of_a_retry_tells_of_it_in_its_file(browser, proposed, store, folder):
    browser.post(f"/review/{proposed.id}/retry", reason="unclear THEN clause")
    again = a_proposal("Refund is refused the second time")
    origin = msgspec.structs.replace(again.origin, prompt=f"{QUESTION} unclear THEN clause")
    again = msgspec.structs.replace(again, origin=origin)
    store.save_scenario(again, a_verdict(again), 2.0)
    assert "+ # Attempt #1: unclear THEN clause" in browser.get(f"/review?card={again.id}")
    browser.post(f"/review/{again.id}/accept")
    browser.post("/approved/commit")
    assert "# Attempt #1: unclear THEN clause" in (folder / "features/refunds.feature").read_text()
    metadata = (folder / "features/test-augmentation-metadata.yaml").read_text()
    assert "retry_count: 1" in metadata
    assert "retry_reason: unclear THEN clause" in metadata


def test_a_card_leads_to_the_recorded_requests_it_was_planned_from(browser, store):
    store.add_exchanges([an_exchange(1), an_exchange(2)])
    parents = tuple(exchange.id for exchange in store.exchanges())
    scenario = a_proposal()
    origin = msgspec.structs.replace(scenario.origin, parents=parents)
    scenario = msgspec.structs.replace(scenario, origin=origin)
    store.save_scenario(scenario, a_verdict(scenario), 1.0)
    page = browser.get(f"/review/{scenario.id}/trace")
    assert "POST /invoices/1/data" in page
    assert "POST /invoices/2/data" in page


def test_the_audit_log_tells_who_decided_what_and_why(browser, proposed):
    browser.post(f"/review/{proposed.id}/reject", reason="a rumour")
    browser.post("/undo")
    page = browser.get("/audit")
    assert page.index("undone") < page.index("not relevant")
    assert "alex.k" in page
    assert "GenerateFeatureScenario" in page


def test_a_question_that_nothing_can_be_made_of_says_so(browser, studio):
    browser.post("/console/ask", question=QUESTION)
    studio.desk.close()
    page = browser.get("/console")
    assert f"“{QUESTION}” Nothing came of it: there is no profile in the store yet" in page
    assert "write a question first" in browser.post("/console/ask", status=422, question=" ")


def test_a_question_comes_with_a_context(browser, studio):
    context = '{"context": {"handler": "IssueRefundHandler"}}'
    browser.post("/console/ask", question=QUESTION, role="Guest", edition="lite", context=context)
    assert "the context is no JSON" in browser.post(
        "/console/ask", status=422, question=QUESTION, context="{nope"
    )
    assert [asking.question for asking in studio.desk.askings] == [QUESTION]


def test_the_prompt_history_offers_earlier_questions(browser, proposed):
    page = browser.get("/console?question=What+if%3F")
    assert f"Prompt History {QUESTION}" in page


def test_captured_data_is_text_and_nothing_else(browser, store):
    title = "<script>alert(1)</script>{{ 7 * 7 }}"
    scenario = a_proposal(title)
    answer = '{"x": "</pre><img src=x onerror=alert(1)>"}'
    store.save_scenario(scenario, a_verdict(scenario, answer=answer), 1.0)
    html = browser.send("GET", "/review", follow_redirects=True).text
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "{{ 7 * 7 }}" in html


@pytest.mark.parametrize(
    "path", ["/review?card=nope", "/review/nope/edit", "/review/nope/evidence"]
)
def test_a_scenario_that_is_not_there_is_said(browser, path):
    answer = browser.send("GET", path)
    assert answer.status_code == 409
    assert "no proposed scenario" in answer.text
    assert "Traceback" not in answer.text


def test_a_page_that_is_not_there_leads_back(browser):
    answer = browser.send("GET", "/nothing-here")
    assert answer.status_code == 404
    assert "Back to the Studio" in answer.text
