"""The rooms to look at, as somebody without a mouse uses them."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_review import CONTRAST, NAMELESS


def test_a_gap_is_found_by_arrows_and_asked_by_enter(page: Page):
    page.keyboard.press("6")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Test Gaps Dashboard")
    expect(heading).to_be_focused()
    expect(page.locator(".tile")).to_have_count(4)
    board = page.get_by_role("grid")
    first = board.locator('a[tabindex="0"]')
    expect(first).to_have_count(1)
    first.focus()
    before = first.get_attribute("aria-label")
    told = page.locator("[data-told-here]")
    page.keyboard.press("ArrowDown")
    focused = page.locator(":focus")
    expect(focused).not_to_have_attribute("aria-label", str(before))
    said = focused.get_attribute("data-told")
    assert said is not None
    expect(told).to_have_text(said)
    expect(board.locator('a[tabindex="0"]')).to_have_count(1)
    page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("aria-label", str(before))
    page.keyboard.press("Enter")
    expect(heading).to_have_text("Prompt Console")
    expect(page.get_by_label("What could go wrong?")).to_have_value(re.compile("What if"))


def test_the_gap_that_matters_most_is_suggested_with_one_key(page: Page):
    page.keyboard.press("6")
    question = page.locator(".first strong").first.inner_text()
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prompt Console")
    asked = page.locator(".asking").first
    expect(asked.get_by_role("heading")).to_contain_text(question)
    expect(asked).to_contain_text(re.compile(r"Done: \d+ to review"), timeout=PATIENCE_MS)
    page.keyboard.press("6")
    expect(page.get_by_role("grid")).to_contain_text("◐")


def test_a_role_that_nobody_tested_is_asked_about(page: Page):
    page.keyboard.press("7")
    expect(page.get_by_role("heading", level=1)).to_have_text("Missing Roles View")
    board = page.get_by_role("grid")
    expect(board).to_contain_text("untested")
    gap = board.locator("td.untested a").first
    gap.focus()
    said = gap.get_attribute("data-told")
    assert said is not None
    expect(page.locator("[data-told-here]")).to_have_text(said)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Prompt Console")
    expect(page.get_by_label("What could go wrong?")).to_have_value(re.compile("What if .+ sends"))


def test_a_story_is_read_from_its_card(page: Page, room):
    page.goto(f"{room.address}/review")
    title = page.locator("#card-title").inner_text()
    page.get_by_role("link", name="Markdown Viewer").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Markdown Viewer")
    article = page.locator("article.read")
    expect(article).to_contain_text(f"Scenario: {title}")
    expect(article).to_contain_text("Why it matters")


def test_every_field_has_a_name_and_both_themes_can_be_read(page: Page, room):
    for path in ("/gaps", "/missing-roles", "/markdown"):
        page.goto(room.address + path)
        controls = page.locator("button, a, input:not([type=hidden]), select")
        assert controls.evaluate_all(NAMELESS) == []
        assert page.locator("main h1").count() == 1
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.goto(f"{room.address}/gaps")
        places = ["td.untested a", "td.waiting a", "td.tested a", ".tile b", ".legend", ".told"]
        for place in places:
            for one in page.locator(place).all()[:1]:
                assert one.evaluate(CONTRAST) >= 4.5, (theme, place)
        page.goto(f"{room.address}/missing-roles")
        for place in ("td.untested a", "td.tested a", "td.refused a", "td.disputed a"):
            for one in page.locator(place).all()[:1]:
                assert one.evaluate(CONTRAST) >= 4.5, (theme, place)


def test_on_a_narrow_window_nothing_but_the_maps_scrolls_sideways(page: Page, room):
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/gaps", "/missing-roles", "/markdown", "/console"):
        page.goto(room.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
