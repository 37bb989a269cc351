"""Roles asked about on a service with object-level access, wrong credentials, and a limit."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from msgspec.structs import replace

from premortem.config import RoleConfig
from premortem.domain.access import NOBODY
from premortem.pipeline.access import access_of
from premortem.pipeline.observing import observe
from tests.leaky_service.project import leaky

STRANGER = "stranger"


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What everybody was answered, a role whose key is wrong among them, and what is known then."""
    os.environ["LEAKY_KEY_STRANGER"] = "nobody-has-this-key"
    with leaky(tmp_path_factory.mktemp("leaky")) as project, project.opened() as store:
        roles = {**project.config.roles, STRANGER: RoleConfig(bearer="${LEAKY_KEY_STRANGER}")}
        config = replace(project.config, roles=roles)
        table = access_of(config, store, folder=project.directory).table
        looked = list(observe(table, config=config, store=store))
        yield (
            {(o.operation_id, o.role): o for o in looked},
            access_of(config, store, folder=project.directory),
        )


def test_what_a_role_made_itself_is_its_own_though_others_are_hidden(seen):
    for role in ("ann", "bob", "root"):
        assert seen[0]["GET /notes/{note_id}", role].grant == "allowed"
    assert seen[0]["GET /notes/{note_id}", NOBODY].grant == "denied"


def test_what_one_role_alone_may_is_denied_to_others(seen):
    granted = {role: seen[0]["POST /users", role].grant for role in ("ann", "bob", "root", NOBODY)}
    assert granted == {"ann": "denied", "bob": "denied", "root": "allowed", NOBODY: "denied"}


def test_a_role_whose_key_is_wrong_is_denied_nothing(seen):
    of_stranger = [one for (_, role), one in seen[0].items() if role == STRANGER]
    refused = [one for one in of_stranger if one.status == 401]
    assert refused
    assert all("mend [roles.stranger]" in one.why_not for one in refused)


def test_the_matrix_says_why_a_cell_is_not_known(seen):
    cells = {(c.operation_id, c.role): c for c in seen[1].matrix.cells}
    lost = cells["POST /users", STRANGER]
    assert (lost.standing, lost.observed) == ("untested", "")
    assert "mend [roles.stranger]" in lost.why_not
    known = cells["POST /users", "ann"]
    assert (known.standing, known.why_not) == ("denied", "")


def test_harmless_operations_come_first_and_those_that_take_away_last(seen):
    methods = [operation.partition(" ")[0] for operation, _ in seen[0]]
    kinds = [0 if m in ("GET", "HEAD") else 2 if m == "DELETE" else 1 for m in methods]
    # What a role was refused before its credentials were taken is told later.
    assert Counter(kinds)[0] > 0
    held = {one for (one, role) in seen[0] if role == STRANGER}
    order = [
        kind
        for kind, (operation, role) in zip(kinds, seen[0], strict=True)
        if role != STRANGER and operation in held
    ]
    assert order == sorted(order)
