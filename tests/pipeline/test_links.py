"""What of an answer goes into a later request, where names alone do not tell."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path

import pytest

from premortem.config import Config, load
from premortem.domain.run import Plan
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.pipeline.run import Reported, execute, prepare
from premortem.store import open_store
from tests.pipeline.parcel_service import depot, document

REQUESTS = 400


def project(folder: Path, base: str, spec: dict[str, object] | None) -> Config:
    said = ""
    if spec is not None:
        (folder / "openapi.json").write_text(json.dumps(spec))
        said = 'spec = "openapi.json"\n'
    (folder / "premortem.toml").write_text(
        f'[target]\nbase_url = "{base}"\ndisposable = true\nrate_per_second_max = 1000.0\n{said}'
        '[capture]\nhosts = ["*"]\n'
    )
    return load(folder / "premortem.toml")


def reported(config: Config, folder: Path) -> Reported:
    plan = Plan(
        dynamic="100%",
        sources={"sample": 40, "schema": 40, "mutate": 20},
        rate_per_second=400.0,
        requests_max=REQUESTS,
    )
    with open_store(config.store, folder) as store:
        prepared = prepare(plan, config=config, store=store)
        events = list(execute(prepared, config=config, store=store, stop=threading.Event()))
    assert isinstance(events[-1], Reported)
    return events[-1]


@pytest.mark.parametrize("linked", [False, True], ids=["without links", "with links"])
def test_links_that_a_document_declares_lead_to_what_is_there(tmp_path, linked):
    with depot() as (base, state):
        config = project(tmp_path, base, document(linked=linked))
        with open_store(config.store, tmp_path) as store:
            learn(config=config, store=store)
        said = reported(config, tmp_path)
    assert bool(state.labels and state.loaded) is linked
    broken = {f.operation_id for f in said.findings if f.check == "server_error"}
    assert broken == ({"GET /parcels/{number}/label"} if linked else set())
    assert state.seen, "what is only told by its address is found with either"


def test_an_address_in_an_answer_is_learned_from_traffic_and_used_again(tmp_path):
    with depot() as (base, state):
        config = project(tmp_path, base, None)
        (tmp_path / "production.har").write_text(json.dumps(recording(base)))
        with open_store(config.store, tmp_path) as store:
            capture([tmp_path / "production.har"], config=config, store=store)
            learned = learn(config=config, store=store)
        links = {(link.producer, str(link.select), link.consumer) for link in learned.links}
        assert ("POST /vans", "header:location", "GET /vans/{van_id}") in links
        state.vans.clear()
        state.seen = 0
        said = reported(config, tmp_path)
    assert state.seen, "recorded vans are gone; those that were bought in the run are asked for"
    assert said.summary.answered


def recording(base: str) -> dict[str, object]:
    """A HAR of eight vans being bought and looked at."""
    entries = []
    for seats in range(1, 9):
        sent = json.dumps({"seats": seats})
        bought = entry("POST", f"{base}/vans", sent, second=2 * seats)
        address = next(h["value"] for h in bought["response"]["headers"] if h["name"] == "location")
        entries += [bought, entry("GET", address, "", second=2 * seats + 1)]
    return {"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": entries}}


def entry(method: str, url: str, sent: str, *, second: int) -> dict:
    """One request that is really sent, as a HAR has it."""
    headers = {"content-type": "application/json"} if sent else {}
    request = urllib.request.Request(
        url, data=sent.encode() if sent else None, headers=headers, method=method
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
        told = [{"name": name.lower(), "value": value} for name, value in answer.headers.items()]
        status = answer.status
    return {
        "startedDateTime": f"2026-11-01T10:00:{second:02d}.000Z",
        "time": 5,
        "request": {
            "method": method,
            "url": url,
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": name, "value": value} for name, value in headers.items()],
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": len(sent),
            **({"postData": {"mimeType": "application/json", "text": sent}} if sent else {}),
        },
        "response": {
            "status": status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "headers": told,
            "cookies": [],
            "content": {"size": len(text), "mimeType": "application/json", "text": text},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": len(text),
        },
        "cache": {},
        "timings": {"send": 0, "wait": 5, "receive": 0},
    }
