from __future__ import annotations

import json
import random
import socket

import pytest

from premortem.config import ModelConfig
from premortem.errors import ConfigError, ModelError
from premortem.models import Ask, Failed, Reply
from premortem.models.openai import OpenAICompatible, is_here, plain
from tests.models.endpoint import completion, refusal, serving

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"x-note": {"type": "string", "maxLength": 9, "x-ascii": True}},
        "required": ["x-note"],
    }
)
ASK = Ask(system="You write data.", user="Write.", schema=SCHEMA, seed=7)


def engine(base_url, *, sleeps=None, **settings):
    config = ModelConfig(base_url=base_url, model="tiny", **settings)
    pauses = [] if sleeps is None else sleeps
    return OpenAICompatible(config, label="ours", sleep=pauses.append, rng=random.Random(1))


def test_it_asks_as_the_reference_says_and_reads_what_it_took(monkeypatch):
    monkeypatch.setenv("TINY_KEY", "s3cret")
    with serving(lambda *_: completion('{"x-note":"a"}')) as endpoint:
        model = engine(endpoint.base_url, key="${TINY_KEY}", price_in=2.0, price_out=10.0)
        (reply,) = model.answers(ASK)
    assert reply == Reply(text='{"x-note":"a"}', tokens_in=100, tokens_out=20, complete=True)
    (asked,) = endpoint.asked
    assert endpoint.paths == ["/v1/chat/completions"]
    assert endpoint.headers[0]["authorization"] == "Bearer s3cret"
    assert [m["role"] for m in asked["messages"]] == ["system", "user"]
    assert (asked["model"], asked["seed"], asked["max_tokens"]) == ("tiny", 7, 256)
    described = asked["response_format"]["json_schema"]["schema"]
    assert described["properties"] == {"x-note": {"type": "string", "maxLength": 9}}
    assert model.usage.cost == pytest.approx(100 * 2e-6 + 20 * 10e-6)


def test_several_answers_come_in_one_request_where_the_endpoint_knows_how():
    with serving(lambda body, _: completion(*["{}"] * body.get("n", 1))) as endpoint:
        model = engine(endpoint.base_url, concurrency_max=4)
        replies = model.answers(Ask(system="", user="", count=4))
    assert len(endpoint.asked) == 1
    assert [r.tokens_in for r in replies] == [100, 0, 0, 0]
    assert model.usage.tokens_in == 100


def test_an_endpoint_that_answers_once_is_asked_once_for_each():
    with serving(lambda *_: completion("{}")) as endpoint:
        model = engine(endpoint.base_url, concurrency_max=4)
        assert len(model.answers(Ask(system="", user="", count=3, seed=5))) == 3
        assert len(model.answers(Ask(system="", user="", count=2, seed=50))) == 2
    assert sorted(body["seed"] for body in endpoint.asked) == [5, 6, 7, 50, 51]


def test_what_an_endpoint_does_not_understand_is_left_out_step_by_step():
    def script(body, _number):
        if "n" in body:
            return refusal(400, "n is not supported")
        form = body.get("response_format", {}).get("type")
        return refusal(400, f"{form} is not supported") if form else completion("```json\n{}\n```")

    with serving(script) as endpoint:
        model = engine(endpoint.base_url, concurrency_max=2)
        replies = model.answers(Ask(system="", user="u", schema=SCHEMA, count=2))
    assert [r.text for r in replies] == ["{}", "{}"]
    assert "response_format" not in endpoint.asked[-1]
    assert "JSON Schema" in endpoint.asked[-1]["messages"][1]["content"]


def test_busy_and_broken_endpoints_are_tried_again_after_a_pause():
    script = [refusal(429, Retry_After="3"), refusal(503), completion("{}")]
    pauses: list[float] = []
    with serving(lambda _, number: script[number]) as endpoint:
        model = engine(endpoint.base_url, sleeps=pauses)
        assert isinstance(model.answers(ASK)[0], Reply)
    assert pauses[0] == 3.0
    assert 0 <= pauses[1] <= 2.0


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal(401, "bad key"), "check `key` under .models.ours."),
        (refusal(403), "refuses the credentials"),
        (refusal(404, "no such model"), "check `base_url`"),
        (refusal(429), "rate_per_minute_max"),
        (refusal(500, "boom"), "fails .500: boom"),
        (refusal(402, "pay first"), "refuses the request .402: pay first"),
        ((200, {}, b"<html>hello</html>"), "something else than a chat completion"),
        ((302, {"location": "http://elsewhere.example/"}, b""), "refuses the request .302"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(answer, says):
    with serving(lambda *_: answer) as endpoint:
        model = engine(endpoint.base_url, retries_max=1)
        with pytest.raises(ModelError, match=says):
            model.answers(ASK)


def test_nobody_there_is_said():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match="is it running"):
        engine(url, retries_max=0).answers(ASK)


def test_no_more_is_asked_once_the_cap_is_reached():
    with serving(lambda *_: completion("{}", tokens=(1_000_000, 0))) as endpoint:
        model = engine(endpoint.base_url, price_in=1.0, cost_max=1.5)
        kinds = [type(model.answers(ASK)[0]) for _ in range(4)]
    assert kinds == [Reply, Reply, Failed, Failed]
    assert len(endpoint.asked) == 2


def test_requests_are_spaced_out():
    pauses: list[float] = []
    now = iter([0.0, 0.1, 0.2])
    with serving(lambda *_: completion("{}")) as endpoint:
        config = ModelConfig(base_url=endpoint.base_url, model="m", rate_per_minute_max=60)
        model = OpenAICompatible(config, label="ours", sleep=pauses.append, clock=lambda: next(now))
        for _ in range(3):
            model.answers(ASK)
    assert pauses == pytest.approx([0.9, 1.8])


def test_a_cut_off_answer_is_known_as_one():
    with serving(lambda *_: completion('{"a', finish="length")) as endpoint:
        (reply,) = engine(endpoint.base_url).answers(ASK)
    assert not reply.complete


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"base_url": "http://models.example.com/v1"}, "remote = true"),
        ({"base_url": "http://10.0.0.7:8000/v1"}, "remote = true"),
        ({"base_url": "ftp://127.0.0.1/v1"}, "is no address"),
        ({"base_url": "http://127.0.0.1/v1", "key": "sk-abc"}, "environment variable"),
        ({"base_url": "http://127.0.0.1/v1", "model": ""}, "names no `model`"),
    ],
)
def test_an_endpoint_is_refused_before_it_sees_anything(settings, says):
    with pytest.raises(ConfigError, match=says):
        OpenAICompatible(ModelConfig(**{"model": "m", **settings}), label="ours")


def test_another_machine_is_asked_where_the_configuration_allows_it():
    config = ModelConfig(base_url="https://models.example.com/v1", model="m", remote=True)
    assert OpenAICompatible(config, label="ours").name == "openai m models.example.com"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.8.1.1", True),
        ("::1", True),
        ("localhost.evil.example", False),
        ("192.168.0.1", False),
    ],
)
def test_which_hosts_are_this_machine(host, here):
    assert is_here(host) is here


def test_our_own_keywords_are_no_business_of_an_endpoint():
    assert "x-ascii" not in json.dumps(plain(SCHEMA))
