"""What a target is held to: its configuration, its blueprints, and what its profile suggests."""

from __future__ import annotations

import shutil

import pytest
from msgspec.structs import replace

from premortem.domain.stated import parse_stated
from premortem.errors import ConfigError
from premortem.pipeline.learning import find_profile
from premortem.pipeline.ruling import blueprint_lines, stated_rules, with_blueprints
from tests.pipeline.conftest import Project, project  # noqa: F401 - a fixture
from tests.shared import ROOT

APPROVE = "POST /refund-requests/{request_id}/approve"


def told(project: Project, *blueprints: str):  # noqa: F811
    shutil.copy(ROOT / "examples" / "ledger" / "blueprint.yaml", project.directory)
    config = project.config
    return replace(config, checks=replace(config.checks, blueprints=blueprints))


def test_every_rule_of_the_ledgers_blueprint_can_be_tried(project):  # noqa: F811
    config = told(project, "blueprint.yaml")
    (found,) = blueprint_lines(config)
    assert found.left == ()
    with project.opened() as store:
        known = {o.id for o in find_profile(store, "latest").operations}
    for line in found.lines:
        if line.kind == "rule":
            rule = parse_stated(line.text)
            assert {rule.operation, rule.other} - {""} <= known
    made = with_blueprints(config)
    assert made.checks.blueprints == ()
    assert f"{APPROVE}: once" in {parse_stated(text).text for text in made.checks.rules}
    assert "GET /invoices/{invoice_id}: amount == net + tax" in made.checks.invariants
    assert with_blueprints(made) is made


def test_what_a_profile_suggests_stands_behind_what_was_stated(project):  # noqa: F811
    config = told(project, "blueprint.yaml")
    with project.opened() as store:
        profile = find_profile(store, "latest")
    stated = stated_rules(profile, config, now=1.0)
    assert stated.clock_header == "X-Test-Now"
    texts = [rule.text for rule in stated.rules]
    assert len(set(texts)) == len(texts)
    alone = stated_rules(profile, project.config, now=1.0)
    four_eyes = [rule for rule in alone.rules if rule.kind == "never by who did"]
    assert [(rule.operation, rule.certain) for rule in four_eyes] == [(APPROVE, False)]
    checks = replace(project.config.checks, suggested=False)
    assert stated_rules(profile, replace(project.config, checks=checks), now=1.0).rules == ()


def test_a_blueprint_that_is_not_there_is_refused_with_what_to_do(project):  # noqa: F811
    with pytest.raises(ConfigError, match=r"blueprint nowhere\.yaml.*\[checks\]"):
        with_blueprints(told(project, "nowhere.yaml"))
