from __future__ import annotations

import json
import time

import msgspec
import pytest

from premortem.domain.traffic import Exchange, Profile
from premortem.learn import Spec, learn_profile, load_spec
from tests.learn.recordings import recording
from tests.learn.services import call, traffic
from tests.learn.test_openapi import SPEC, written
from tests.shared import shared


def learn(exchanges: list[Exchange], spec: Spec | None = None, **kwargs) -> Profile:
    return learn_profile(lambda: iter(exchanges), spec=spec, **{"now": 1.0, **kwargs})


def test_the_version_names_the_content_and_not_the_moment():
    exchanges = [exchange for exchange, _ in traffic("shop", 1)]
    one = learn(exchanges)
    assert learn(exchanges, now=2.0, parent="abc").version == one.version
    assert learn(exchanges[:-1]).version != one.version
    assert len(one.version) == 12


def test_a_profile_survives_its_own_json():
    profile = learn([exchange for exchange, _ in traffic("forge", 1)])
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


def test_no_traffic_and_no_specification_give_an_empty_profile():
    profile = learn([])
    assert (profile.exchanges, profile.operations, profile.flows) == (0, (), ())


def test_a_specification_alone_gives_operations_that_were_never_used(tmp_path):
    profile = learn([], load_spec(written(tmp_path, SPEC)))
    post = profile.operation("POST /v2/trees/{tree_id}/nodes")
    assert profile.spec_title == "Trees"
    assert (post.count, post.in_spec, post.declared) == (0, True, (-4, 0, 201))
    assert post.request_source == "spec"
    assert post.required == ("path:tree_id", "body:")
    assert post.allowed_roles == ("Gardener", "Owner")
    assert post.secured
    assert set(post.parameter_schemas) == {"path:tree_id", "query:limit"}


def test_traffic_falls_into_declared_operations_first(tmp_path):
    exchanges = [
        call("POST", f"/v2/trees/{n}/nodes/", status=201, body={"name": "a"}, answer={"id": "x"})
        for n in range(3)
    ] + [call("POST", "/v2/trees/1/nodes", status=418, answer={"why": "tea"})]
    exchanges.append(call("GET", "/v2/health", answer={"ok": True}))
    profile = learn(exchanges, load_spec(written(tmp_path, SPEC)))
    post = profile.operation("POST /v2/trees/{tree_id}/nodes")
    assert post.count == 4
    sources = {answer.status: (answer.source, answer.count) for answer in post.answers}
    assert sources[201] == ("spec", 3)
    assert sources[418] == ("learned", 1)
    assert not profile.operation("GET /v2/health").in_spec


def test_roles_statuses_and_timing_are_counted():
    exchanges = [
        call("POST", "/pay", status=s, role=r, at=3600.0 * n, body={"amount": n})
        for n, (r, s) in enumerate([("clerk", 200), ("clerk", 200), ("guest", 403)])
    ]
    profile = learn(exchanges)
    pay = profile.operation("POST /pay")
    assert pay.roles == {"clerk": {"200": 2}, "guest": {"403": 1}}
    assert pay.secured
    assert pay.duration_ms == (5.0, 5.0, 5.0, 5.0)
    assert profile.timing.hours[:3] == (1, 1, 1)
    assert profile.timing.rate_per_second == pytest.approx(2 / 7200)
    assert profile.sessions == 1


def test_what_succeeds_without_credentials_is_not_secured():
    assert not learn([call("GET", "/open", role="")]).operations[0].secured


def test_exemplars_are_distinct_requests_answered_ones_first():
    exchanges = [
        call("POST", "/pay", status=s, body={"amount": n % 5}, at=n)
        for n, s in enumerate([422] * 10 + [201] * 10)
    ]
    pay = learn(exchanges).operations[0]
    by_id = {exchange.id: exchange.response.status for exchange in exchanges}
    assert [by_id[i] for i in pay.exemplars] == [201] * 5 + [422] * 5


def test_query_parameters_have_fields_with_their_presence():
    exchanges = [
        call("GET", "/rows", query=(("limit", str(n)),) * (n % 2), at=n) for n in range(10)
    ]
    fields = {str(field.place): field for field in learn(exchanges).operations[0].fields}
    assert fields["query:limit"].presence == 0.5
    assert fields["query:limit"].types == {"integer": 5}
    assert fields["query:limit"].numbers.quantiles[0] == 1


def test_two_readings_are_all_that_is_asked_for():
    exchanges = [exchange for exchange, _ in traffic("media", 1)]
    readings = []

    def read():
        readings.append(1)
        return iter(exchanges)

    learn_profile(read, spec=None, now=0.0)
    assert len(readings) == 2


@pytest.mark.parametrize("name", ["kinto", "phoenix", "directus"])
def test_a_recording_and_its_specification_merge(name):
    exchanges = recording(shared(f"targets/{name}/production.har.gz"))
    spec = load_spec(shared(f"targets/{name}/openapi.json.gz"))
    profile = learn(list(exchanges), spec)
    declared = {o.operation.id for o in spec.operations}
    assert declared <= {o.id for o in profile.operations}
    assert sum(o.count for o in profile.operations) == len(exchanges) == profile.exchanges
    assert sum(len(flow.exchange_ids) for flow in profile.flows) == len(exchanges)
    assert all(json.loads(o.request_schema) for o in profile.operations if o.request_schema)


def test_two_thousand_real_exchanges_are_learned_in_seconds():
    exchanges = recording(shared("traffic/reddit.har.gz"))
    started = time.process_time()
    profile = learn(list(exchanges))
    assert time.process_time() - started < 10
    assert profile.exchanges == 2423
