"""The road from a schema alone, on a service that speaks GraphQL."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from premortem.config import Config, load
from premortem.domain.run import Plan
from premortem.pipeline.learning import learn
from premortem.pipeline.run import Reported, execute, prepare
from premortem.store import open_store
from tests.pipeline.graphql_service import SDL, graphql_shop

REQUESTS = 900


def project(folder: Path, base: str) -> Config:
    (folder / "schema.graphql").write_text(SDL)
    (folder / "premortem.toml").write_text(
        f'[target]\nbase_url = "{base}"\ndisposable = true\nspec = "schema.graphql"\n'
        "rate_per_second_max = 1000.0\n"
    )
    return load(folder / "premortem.toml")


def reported(folder: Path, base: str) -> Reported:
    config = project(folder, base)
    plan = Plan(
        dynamic="100%",
        sources={"schema": 60, "mutate": 40},
        rate_per_second=300.0,
        requests_max=REQUESTS,
    )
    with open_store(config.store, folder) as store:
        learn(config=config, store=store)
        prepared = prepare(plan, config=config, store=store)
        events = list(execute(prepared, config=config, store=store, stop=threading.Event()))
    assert isinstance(events[-1], Reported)
    return events[-1]


@pytest.mark.parametrize("broken", [False, True], ids=["correct", "divides by zero"])
def test_every_operation_is_asked_and_a_failure_inside_is_found(tmp_path, broken):
    with graphql_shop(broken=broken) as base:
        said = reported(tmp_path, base)
    asked = {name.rsplit(" ", 1)[0] for name in said.summary.by_operation}
    assert asked == {
        *("POST /graphql query items", "POST /graphql query item", "POST /graphql query order"),
        *("POST /graphql mutation addItem", "POST /graphql mutation placeOrder"),
    }
    inside = [f for f in said.findings if f.check == "server_error"]
    assert bool(inside) is broken
    assert all("query items" in f.operation_id for f in inside)
