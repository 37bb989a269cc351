"""Plans from a document alone: values that people write, ids that somebody made, states that the
document itself speaks of."""

import json

import pytest

from premortem.agent.planning.planner import plan_scenarios
from premortem.agent.plans.references import UUID_UNKNOWN
from premortem.domain.scenario import UNCERTAIN, Understanding
from premortem.errors import InputError
from premortem.learn import learn_profile, load_spec

ROLES = ("Librarian", "Reader")
MEMBER, LOAN = "/members/{member_id}", "/members/{member_id}/loans"


def schema(required, **properties):
    return {"type": "object", "required": list(required), "properties": properties}


def content(value):
    return {"content": {"application/json": {"schema": value}}}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
READ_ONLY = {"type": "integer", "readOnly": True}
NEW = schema(
    ["given_name", "born_on", "branch_id"],
    given_name=TEXT,
    born_on={"type": "string", "format": "date"},
    branch_id=TEXT,
)
CHANGE = schema(["version"], version=NUMBER, given_name=TEXT)
SHOWN = {
    "allOf": [NEW, schema([], id=TEXT, version=READ_ONLY, fines={**READ_ONLY, "type": "number"})]
}
LENT = schema(["copies", "due_on"], copies=NUMBER, due_on={"type": "string", "format": "date"})
DENIED = {"401": {"description": "Not signed in"}, "403": {"description": "Not allowed"}}
GONE = {"404": {"description": "No such member"}}
PATH = [
    {
        "name": "member_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
]
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Library", "version": "1"},
    "paths": {
        "/members": {
            "post": {
                "x-roles": ["Librarian"],
                "requestBody": {"required": True, **content(NEW)},
                "responses": {"201": {"description": "Made", **content(SHOWN)}, **DENIED},
            }
        },
        MEMBER: {
            "parameters": PATH,
            "get": {
                "x-roles": list(ROLES),
                "description": "Readers see only their own card.",
                "responses": {"200": {"description": "Ok", **content(SHOWN)}, **DENIED, **GONE},
            },
            "patch": {
                "x-roles": ["Librarian"],
                "requestBody": {"required": True, **content(CHANGE)},
                "responses": {
                    "200": {"description": "Ok", **content(SHOWN)},
                    "409": {"description": "The version is not the current one"},
                    **DENIED,
                },
            },
            "delete": {
                "x-roles": ["Librarian"],
                "description": "Not possible while loans are open.",
                "responses": {"204": {"description": "Gone"}, "409": {"description": "No"}},
            },
        },
        LOAN: {
            "parameters": PATH,
            "post": {
                "x-roles": ["Librarian"],
                "requestBody": {"required": True, **content(LENT)},
                "responses": {
                    "201": {"description": "Lent", **content(schema(["id"], id=TEXT))},
                    **GONE,
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "openapi.json"
    path.write_text(json.dumps(DOCUMENT))
    return learn_profile(lambda: iter(()), spec=load_spec(path), now=0.0)


@pytest.fixture
def plan(profile):
    def made(mode, operation, prompt="What if something odd happens?", **said):
        understood = Understanding(
            prompt=prompt, failure_mode=mode, operation_ids=(operation,), **said
        )
        return plan_scenarios(understood, profile=profile, exchanges={}, roles=ROLES)[0]

    return made


def texts(scenario):
    return [step.text for step in scenario.steps]


def bodies(scenario):
    return [json.loads(step.docstring) for step in scenario.steps if step.docstring]


def test_bodies_hold_what_a_person_would_write(plan):
    made, lent = bodies(plan("duplicate", f"POST {LOAN}"))[:2]
    assert (made["given_name"], made["born_on"]) == ("Ann", "1990-05-17")
    assert lent == {"copies": lent["copies"], "due_on": "2030-06-07"}


def test_a_change_changes_something_and_names_the_version_that_was_read(plan):
    scenario = plan("duplicate", f"PATCH {MEMBER}")
    assert 'the response field "/version" is saved as "member_version"' in texts(scenario)
    assert bodies(scenario)[1] == {"version": "${member_version}", "given_name": "Ann"}
    assert scenario.origin.outcome == "conflict", "the first one made that version outdated"


def test_an_outdated_version_stands_where_the_operation_takes_it(plan):
    scenario = plan("stale_change", f"PATCH {MEMBER}")
    assert not any("If-Match" in text for text in texts(scenario))
    assert bodies(scenario)[-1]["version"] == "${version_before}"


def test_an_unknown_id_has_the_form_that_the_document_declares(plan):
    scenario = plan("unknown_reference", f"GET {MEMBER}")
    assert f'"librarian" sends "GET" to "/members/{UUID_UNKNOWN}"' in texts(scenario)


def test_whoever_sees_only_their_own_asks_for_what_is_not_theirs(plan):
    scenario = plan("others_data", f"GET {MEMBER}")
    assert scenario.title == "Reader reads a member made by Librarian"
    assert UNCERTAIN not in scenario.tags


def test_a_state_that_the_description_bars_is_brought_about(plan):
    scenario = plan("forbidden_transition", f"DELETE {MEMBER}")
    assert '"librarian" sends "POST" to "/members/${member_id}/loans" with:' in texts(scenario)
    assert "Not possible while loans are open" in scenario.origin.expectation
    assert scenario.origin.outcome == "conflict"


def test_where_no_step_is_known_in_between_it_comes_right_after_the_thing_was_made(plan):
    prompt = "What if a member is changed before anybody has approved her?"
    scenario = plan("wrong_order", f"PATCH {MEMBER}", prompt=prompt)
    assert '"librarian" sends "POST" to "/members" with:' in texts(scenario)
    assert scenario.origin.outcome == "conflict"
    assert UNCERTAIN in scenario.tags


def test_what_nothing_makes_is_said(plan):
    scenario = plan("duplicate", "POST /members")
    assert "nothing known makes what branch_id names" in scenario.origin.expectation


def test_what_only_one_role_may_do_is_not_asked_of_another_one_s_thing(plan):
    with pytest.raises(InputError, match="no second role is configured"):
        plan("others_data", f"DELETE {MEMBER}")


def test_nothing_that_may_be_left_out_shows_that_nothing_changed(plan):
    steps = texts(plan("forbidden_role", f"PATCH {MEMBER}", role="Reader"))
    assert 'the response field "/fines" is saved as "fines_before"' in steps
    assert not any("born_on" in text or "branch" in text for text in steps)
