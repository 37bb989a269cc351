"""The cookies that answers set (RFC 6265, 5): which are kept, and which go out where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.traffic import Response
from premortem.send.cookies import COOKIE_CHARS_MAX, COOKIES_MAX, Jar, joined
from premortem.send.origin import address

NOW = 1_600_000_000.0


def jar(url: str = "https://shop.example.com") -> Jar:
    return Jar(address(url, key="test"))


def after(*lines: str, url: str = "https://shop.example.com", path: str = "/a/b", sent_to="/a/b"):
    """The `cookie` header for SENT_TO after an answer to PATH with LINES as `set-cookie`."""
    made = jar(url)
    made.take(
        Response(status=200, headers=tuple(("set-cookie", line) for line in lines)),
        path=path,
        now=NOW,
    )
    return made.header(sent_to, now=NOW)


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("sid=1", "sid=1"),
        ("  sid = 1 ; HttpOnly; SameSite=Lax", "sid=1"),
        ("sid=a=b", "sid=a=b"),
        ('sid="a b"', 'sid="a b"'),
        ("sid=", "sid="),
        ("sid", ""),
        ("=1", ""),
        ("sid=1; Domain=shop.example.com", "sid=1"),
        ("sid=1; Domain=.Example.com", "sid=1"),
        ("sid=1; Domain=other.com", ""),
        ("sid=1; Domain=hop.example.com", ""),
        ("sid=1; Domain=sub.shop.example.com", ""),
        ("sid=1; Domain=", "sid=1"),
        ("sid=1; Max-Age=10", "sid=1"),
        ("sid=1; Max-Age=0", ""),
        ("sid=1; Max-Age=-5", ""),
        ("sid=1; Max-Age=soon", "sid=1"),
        ("sid=1; Expires=Wed, 09 Jun 2010 10:18:14 GMT", ""),
        ("sid=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", ""),
        ("sid=1; Expires=Wed, 09-Jun-2038 10:18:14 GMT", "sid=1"),
        ("sid=1; Expires=never", "sid=1"),
        ("sid=1; Max-Age=10; Expires=Wed, 09 Jun 2010 10:18:14 GMT", "sid=1"),
        ("sid=1; Max-Age=0; Expires=Wed, 09 Jun 2038 10:18:14 GMT", ""),
        ("sid=" + "x" * COOKIE_CHARS_MAX, ""),
    ],
)
def test_what_a_line_sets(line, header):
    assert after(line) == header


@pytest.mark.parametrize(
    ("line", "path", "sent_to", "goes"),
    [
        ("sid=1", "/a/b", "/a/c", True),
        ("sid=1", "/a/b", "/a", True),
        ("sid=1", "/a/b", "/x", False),
        ("sid=1", "/login", "/x", True),
        ("sid=1; Path=/", "/a/b", "/x", True),
        ("sid=1; Path=/a", "/x", "/a/c", True),
        ("sid=1; Path=/a", "/x", "/ab", False),
        ("sid=1; Path=/a/", "/x", "/a", False),
        ("sid=1; Path=a", "/x/y", "/x/z", True),
    ],
)
def test_a_cookie_goes_to_the_paths_below_its_own(line, path, sent_to, goes):
    # The default path of /a/b is /a (5.1.4).
    assert bool(after(line, path=path, sent_to=sent_to)) is goes


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("https://shop.example.com", True),
        ("http://shop.example.com", False),
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://10.0.0.1", False),
    ],
)
def test_a_secure_cookie_goes_over_tls_and_the_loopback_only(url, goes):
    assert bool(after("sid=1; Secure", url=url)) is goes


def test_an_address_has_no_parent_domain():
    assert after("sid=1; Domain=0.0.1", url="http://127.0.0.1") == ""


def test_a_cookie_set_anew_is_replaced_deleted_or_stands_beside_one_of_another_path():
    assert after("a=1", "b=2", "a=3") == "a=3; b=2"
    assert after("a=1", "a=gone; Max-Age=0") == ""
    assert after("a=1; Path=/", "a=2; Path=/a") == "a=2; a=1"


def test_a_cookie_ends_with_its_time():
    made = jar()
    made.take(Response(status=200, headers=(("set-cookie", "a=1; Max-Age=10"),)), path="/", now=NOW)
    assert made.header("/", now=NOW + 9) == "a=1"
    assert made.header("/", now=NOW + 10) == ""


def test_a_copy_goes_its_own_way():
    made = jar()
    made.take(Response(status=200, headers=(("set-cookie", "a=1"),)), path="/", now=NOW)
    other = made.copy()
    other.take(Response(status=200, headers=(("set-cookie", "a=2"),)), path="/", now=NOW)
    assert made.header("/", now=NOW) == "a=1"
    assert other.header("/", now=NOW) == "a=2"


def test_a_jar_holds_so_many_cookies_and_no_more():
    header = after(*(f"c{n}=1" for n in range(COOKIES_MAX + 5)))
    names = [pair.partition("=")[0] for pair in header.split("; ")]
    assert names == [f"c{n}" for n in range(5, COOKIES_MAX + 5)]


@pytest.mark.parametrize(
    ("headers", "one"),
    [
        (("a=1", "sid=2"), "a=1; sid=2"),
        (("sid=old; theme=dark", "sid=new"), "sid=new; theme=dark"),
        (("sid=old", "sid=new; sid=other"), "sid=new; sid=other"),
        (("loose; a=1", "a=2"), "a=2; loose"),
        (("a=1", ""), "a=1"),
    ],
)
def test_cookies_of_several_headers_are_not_doubled(headers, one):
    assert joined(*headers) == one


@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=10))
def test_any_line_is_kept_or_left_and_what_is_kept_goes_back_as_pairs(lines, path):
    header = after(*lines, path="/" + path, sent_to="/" + path)
    assert all("=" in pair for pair in header.split("; ") if header)
