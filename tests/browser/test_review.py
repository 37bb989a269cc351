"""The whole loop of a person in a browser, from the question to the commit that behave runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request

from playwright.sync_api import Page, expect

from tests.browser.conftest import a_repository, opened, run, window
from tests.services import PASSWORDS

QUESTION = "What if a refund is issued twice?"
BETTER = "A second refund is refused"


def test_from_a_question_to_a_commit_that_behave_runs(page: Page, room):
    expect(page.get_by_label("What could go wrong?")).to_be_visible()
    page.get_by_label("What could go wrong?").fill(QUESTION)
    page.keyboard.press("Control+Enter")
    panel = page.get_by_label("Scenario Preview Panel")
    expect(panel).to_contain_text(re.compile(r"Done: [1-9]\d* to review"))
    panel.get_by_role("link").first.click()

    heading = page.get_by_role("heading", level=1)
    expect(heading).to_be_focused()
    expect(page.locator("#question-for-person")).to_have_text(
        "Should a second refund answer 409 DuplicateRefund?"
    )
    page.keyboard.press("e")
    editor = page.get_by_label("The scenario")
    expect(editor).to_be_focused()
    good = editor.input_value()
    status = re.search(r"the response status is 4\d\d", good)
    assert status is not None
    editor.fill(good.replace(status[0], "the money is back", 1))
    said = page.locator("#binding-said")
    expect(said).to_contain_text("1 of")
    expect(page.locator(".steps .unbound")).to_contain_text("the nearest is")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not saved")
    editor.fill(good.replace(status[0], status[0].replace("status is", "code is"), 1))
    page.get_by_role("button", name=status[0], exact=True).click()
    expect(said).to_contain_text("steps bind")
    assert editor.input_value() == good
    editor.fill(re.sub(r"Scenario: .*", f"Scenario: {BETTER}", good))
    expect(said).to_contain_text("steps bind")
    page.keyboard.press("Control+Enter")

    expect(heading).to_have_text(BETTER)
    evidence = page.locator("#evidence")
    expect(evidence).to_contain_text("5 of 5 runs green")
    page.keyboard.press("a")
    expect(page.get_by_role("status").first).to_contain_text(f"Accepted: {BETTER}.")
    page.keyboard.press("3")
    expect(heading).to_have_text("Approved Scenarios")
    page.keyboard.press("c")
    expect(page.get_by_role("status").first).to_contain_text("has 1 scenario")
    expect(page.get_by_role("link", name="Test created by agent")).to_be_visible()

    assert run("git", "status", "--porcelain", cwd=room.folder) == ""
    log = run("git", "log", "-1", "--format=%an|%s", cwd=room.folder)
    assert log == f"Alex K|Add scenario: {BETTER}\n"
    told = run(sys.executable, "-m", "behave", "--no-color", "features", cwd=room.folder)
    assert "1 scenario passed, 0 failed" in told


def test_a_person_can_do_it_all_without_a_mouse_and_take_it_back(page: Page):
    page.keyboard.press("/")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status").first).to_contain_text("Asked.")
    expect(page.locator(".asking").first).to_contain_text("Done:")
    page.keyboard.press("2")
    title = page.locator("#card-title")
    expect(title).to_be_focused()
    first = title.inner_text()
    page.keyboard.press("x")
    page.keyboard.type("not ours to test")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status").first).to_contain_text(f"Rejected: {first}.")
    page.keyboard.press("u")
    expect(title).to_have_text(first)
    expect(page.get_by_role("status").first).to_contain_text("Undone: not relevant.")


def test_everything_on_a_page_has_a_name_and_both_themes_can_be_read(page: Page, room):
    for path in ("/console", "/review", "/approved", "/needs-fix", "/audit"):
        page.goto(room.address + path)
        controls = page.locator("button, a, input, select, textarea, summary")
        assert controls.evaluate_all(NAMELESS) == [], path
        assert page.locator("main h1").count() == 1
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for place in ("body", "button.main", "a", ".hint"):
            page.goto(f"{room.address}/console")
            assert page.locator(place).first.evaluate(CONTRAST) >= 4.5, (theme, place)


def test_another_browser_is_not_let_in(chromium, page: Page, room):
    other = chromium.new_context().new_page()
    for address in (room.link, room.address):
        answer = other.goto(address)
        assert answer is not None
        assert answer.status == 403
    other.context.close()


def test_a_finding_ends_in_a_scenario_that_fails_until_the_bug_is_gone(
    chromium, recorded, service, tmp_path
):
    folder = a_repository(recorded, tmp_path / "repository")
    command = [sys.executable, "-m", "behave", "--no-color", "features"]
    switch(service, "L08")
    try:
        with opened(chromium, folder) as room, window(room) as page:
            page.get_by_label("What could go wrong?").fill(QUESTION)
            page.keyboard.press("Control+Enter")
            panel = page.get_by_label("Scenario Preview Panel")
            expect(panel).to_contain_text("Done:")
            panel.locator("li", has_text="finding").get_by_role("link").first.click()
            asked = page.locator("#question-for-person")
            expect(asked).to_contain_text("The service answered 2")
            page.keyboard.press("a")
            expect(page.get_by_role("status").first).to_contain_text("Accepted")
            page.keyboard.press("3")
            expect(page.get_by_role("heading", level=1)).to_have_text("Approved Scenarios")
            page.keyboard.press("c")
            expect(page.get_by_role("status").first).to_contain_text("has 1 scenario")
        environment = {**os.environ, **PASSWORDS}
        red = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
        assert red.returncode == 1
    finally:
        switch(service)
    run(*command, cwd=folder)


def switch(service: str, *defects: str) -> None:
    request = urllib.request.Request(
        f"{service}/_test/defects",
        data=json.dumps({"on": list(defects)}).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


NAMELESS = """all => all.filter((e) => !((e.labels && e.labels.length
  ? e.labels[0].textContent : "") || e.getAttribute("aria-label") || e.textContent).trim()
).map((e) => e.outerHTML)"""
"""Those of many elements that nothing names, asked for at once: a page has hundreds."""
CONTRAST = """e => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(e);
  let place = e;
  while (place && getComputedStyle(place).backgroundColor === "rgba(0, 0, 0, 0)") {
    place = place.parentElement;
  }
  const paper = place ? getComputedStyle(place).backgroundColor : "rgb(255, 255, 255)";
  const [a, b] = [light(style.color), light(paper)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""
