"""Requests of one kind are written by their form as each would be alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.domain.traffic import Request
from premortem.errors import TargetError
from premortem.send.head import Form, Unwritable, Writer
from premortem.send.origin import address

TARGET = address("http://shop.example/v1", key="base_url")
words = st.text(st.characters(codec="utf-8"), max_size=5)
pairs = st.lists(st.tuples(words, words), max_size=2).map(tuple)


@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.lists(st.tuples(words, pairs, st.binary(max_size=4)), max_size=5),
)
def test_a_form_writes_what_the_writer_writes(method, given_):
    like = Request(method=method, origin="", path="", headers=(("accept", "*/*"),))
    form = Form(Writer(TARGET, proxy_form=False), like)
    for path, query, body in given_:
        alone = Request(
            method=method, origin="", path=path, query=query, headers=like.headers, body=body
        )
        expected = Writer(TARGET, proxy_form=False).write(alone, ())
        assert form.written(path, query, body) == expected


def test_what_cannot_be_written_or_is_meant_for_others_has_no_form():
    writer = Writer(TARGET, proxy_form=False)
    with pytest.raises(TargetError):
        Form(writer, Request(method="GET", origin="http://other.example", path="/"))
    with pytest.raises(Unwritable):
        Form(writer, Request(method="GET", origin="", path="/", headers=(("a b", "c"),)))
    with pytest.raises(Unwritable):
        Form(writer, Request(method="G T", origin="", path="/")).written("/", (), b"")
