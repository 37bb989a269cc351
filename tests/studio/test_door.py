"""Who is let in, and what a page of another site can do: nothing."""

from __future__ import annotations

import pytest

from tests.studio.conftest import HOST, Browser

ACCEPT = "/review/{id}/accept"


@pytest.fixture
def stranger(studio) -> Browser:
    return Browser(studio)


def test_the_link_lets_one_browser_in_once(stranger, studio):
    link = f"/enter?token={studio.keys.link}"
    assert stranger.send("GET", "/console").status_code == 403
    first = stranger.send("GET", link)
    assert first.status_code == 200
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert stranger.send("GET", "/console").status_code == 200
    late = Browser(studio)
    assert late.send("GET", link).status_code == 403
    assert late.send("GET", "/console").status_code == 403


@pytest.mark.parametrize("token", ["", "x", "é", "\x00", "a" * 10_000])
def test_a_wrong_link_lets_nobody_in_and_spoils_nothing(stranger, studio, token):
    assert stranger.send("GET", "/enter", params={"token": token}).status_code == 403
    assert stranger.enter().status_code == 200


def test_asking_for_the_head_of_the_link_does_not_use_it_up(stranger, studio):
    assert stranger.send("HEAD", f"/enter?token={studio.keys.link}").status_code == 403
    assert stranger.enter().status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_name_that_was_bound_to_loopback_is_not_answered(browser, host):
    assert browser.send("GET", "/console", headers={"host": host}).status_code == 421
    assert browser.send("GET", "/static/studio.css", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{HOST}"},
        {"origin": f"http://{HOST}", "x-csrf-token": "guess"},
    ],
    ids=["nothing", "another site", "null", "no token", "wrong token"],
)
def test_a_change_needs_this_origin_and_the_pages_token(browser, proposed, store, headers):
    answer = browser.send("POST", ACCEPT.format(id=proposed.id), headers=headers)
    assert answer.status_code == 403
    assert store.judgements.log() == []


def test_with_both_it_is_made(browser, proposed, store):
    browser.post(ACCEPT.format(id=proposed.id))
    assert [judgement.decision for judgement in store.judgements.log()] == ["accepted"]


def test_a_page_may_run_only_our_scripts_and_is_kept_nowhere(browser):
    for path in ("/console", "/static/studio.css", "/nothing-here", "/enter"):
        headers = browser.send("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_have_no_script_or_style_in_them(browser, proposed):
    for path in ("/console", "/review", f"/review/{proposed.id}/edit", "/approved", "/audit"):
        html = browser.send("GET", path).text
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick=" not in html
        assert html.count("<script") == html.count("<script src=")


def test_a_file_beside_the_static_ones_is_not_given_out(stranger):
    for path in ("/static/../handlers.py", "/static/%2e%2e/handlers.py", "/static/..%2fdoor.py"):
        answer = stranger.send("GET", path)
        assert answer.status_code in (403, 404)
        assert "import" not in answer.text


def test_a_body_that_nobody_writes_is_refused(browser, proposed, studio):
    headers = {"origin": f"http://{HOST}", "x-csrf-token": studio.keys.csrf}
    answer = browser.send(
        "POST", f"/review/{proposed.id}/check", data={"text": "x" * 600_000}, headers=headers
    )
    assert answer.status_code == 413
