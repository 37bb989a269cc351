import os

import msgspec
import pytest

from premortem.agent.steps.bindings import Bindings, load_bindings
from premortem.agent.steps.catalogue import CATALOGUE
from premortem.agent.steps.hooks import Switch
from premortem.agent.steps.lexicon import accept, explain, sayables, search
from premortem.agent.steps.phrase_proposals import propose_phrases, proposed_one
from premortem.agent.steps.phrases import Phrase, check_phrases
from premortem.config import Config, RoleConfig
from premortem.domain.traffic import Operation, OperationProfile
from premortem.errors import ConfigError, InputError
from tests.agent.small import shop
from tests.shared import ROOT

CLOSED = "the books of {string} are closed"
BINDINGS = Bindings(
    phrases={CLOSED: Phrase(steps=('the edition is "${1}"',), accepted="Ann")},
    editions={"lite": Switch(headers={"x-edition": "lite"})},
)


def said(text, **more):
    return explain(text, bindings=BINDINGS, roles=["Buyer"], **more)


def test_steps_and_phrases_are_listed_by_area():
    assert len(sayables(BINDINGS)) == len(CATALOGUE) + 1
    assert {one.area for one in sayables(BINDINGS, area="sql")} == {"SQL"}
    assert [one.text for one in sayables(BINDINGS, area="phrases")] == [CLOSED]
    with pytest.raises(InputError, match="phrases"):
        sayables(BINDINGS, area="weather")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("at once", "{string} sends {string} to {string} {int} times at once"),
        ("idempotency", "the last request is repeated with the same idempotency key"),
        ("books closed", CLOSED),
        ("etag", "the response header {string} is saved as {string}"),
    ],
)
def test_a_step_is_found_by_its_words(words, first):
    assert search(words, BINDINGS)[0].text == first


def test_what_nobody_says_is_not_found():
    assert search("the weather", BINDINGS) == ()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Then the response has status 404", "the response status is 404"),
        ("response code should be 201", "the response status is 201"),
        ('ann sends a GET request to "/orders"', '"/orders" sends "..." to "..."'),
        ('table "refunds" should have 3 rows', 'the table "refunds" has 3 rows'),
        ('the field "/id" equals "7"', 'the response field "/id" equals "7"'),
        ('event "Paid" was recorded 2 times', 'the event "Paid" is recorded 2 times'),
        ("books of 'May' closed", 'the books of "May" are closed'),
    ],
)
def test_the_nearest_is_written_with_the_values_of_the_text(text, written):
    explained = said(text)
    assert not explained.binds
    assert explained.nearest[0].written == written


def test_a_step_is_explained_with_whether_it_binds():
    explained = said('Given the actor "ann" has role "Pilot"')
    assert (explained.sayable.text, explained.arguments) == (
        "the actor {string} has role {string}",
        ("ann", "Pilot"),
    )
    assert "Buyer" in explained.problem
    assert said('the actor "ann" has role "Buyer"').binds
    assert said('"ann" sends "POST" to "/x" with:').binds
    assert "not JSON" in said("the response matches:", docstring="{").problem


def test_a_phrase_is_explained_with_the_steps_it_stands_for():
    explained = said('the books of "lite" are closed')
    assert explained.steps == ('the edition is "lite"',)
    assert explained.binds
    assert "editions.pro" in said('the books of "pro" are closed').problem


def test_phrases_are_proposed_from_operations_and_can_all_be_accepted():
    proposed = propose_phrases(shop(), Bindings())
    assert [one.text for one in proposed] == [
        "{string} creates an order with pieces {string}",
        "{string} creates a parcel for the order {string} with weight {string}",
        "{string} ships the order {string}",
    ]
    check_phrases({one.text: one.phrase for one in proposed}, "proposed")
    known = Bindings(phrases={proposed[0].text: proposed[0].phrase})
    assert propose_phrases(shop(), known) == proposed[1:]
    assert proposed_one(proposed[1].id, proposed) == proposed[1]
    with pytest.raises(InputError, match="propose"):
        proposed_one("000000", proposed)


@pytest.mark.parametrize(
    ("method", "template", "summary", "text"),
    [
        ("POST", "/a/{a_id}/late-fee", "Charge the late fee of an a", "charges the late fee of"),
        ("POST", "/a/{a_id}/fraud-check", "Look at it", "does the fraud check of the a {string}"),
        ("DELETE", "/teams/{team_id}/members", "", "deletes the members for the team {string}"),
        ("DELETE", "/teams/{t}/members/{m}", "", "deletes the member {string} for the team"),
        ("PATCH", "/teams/{team_id}", "", ""),
        ("POST", "/files/{name}.txt", "", ""),
        ("GET", "/teams", "", ""),
    ],
)
def test_what_an_operation_does_is_said_in_its_own_words(method, template, summary, text):
    operation = OperationProfile(
        operation=Operation(method=method, template=template), count=1, summary=summary
    )
    only = msgspec.structs.replace(shop(), operations=(operation,))
    proposed = propose_phrases(only, Bindings())
    assert (text in proposed[0].text) if text else not proposed


def test_a_password_is_no_part_of_a_phrase_and_nothing_is_said_twice():
    schema = '{"type": "object", "required": ["p"], "properties": {"p": {"type": "string"}}}'
    login = OperationProfile(
        operation=Operation(method="POST", template="/logins"),
        count=1,
        request_schema=schema.replace('"p"', '"Password"'),
        request_source="spec",
    )
    twice = [
        OperationProfile(operation=Operation(method="DELETE", template=f"/{a}/keys/{{k}}"), count=1)
        for a in ("user", "system")
    ]
    only = msgspec.structs.replace(shop(), operations=(login, *twice))
    [proposed] = propose_phrases(only, Bindings())
    assert proposed.operation_id == "DELETE /system/keys/{k}"


def config(folder):
    return Config(directory=str(folder), roles={"Buyer": RoleConfig()})


@pytest.mark.parametrize("before", ["", "# ours\n[roles]\nBob = 'Buyer'", "[roles]\r\n\r\n"])
def test_accepting_writes_below_what_stands_there(tmp_path, before):
    path = tmp_path / "premortem.bindings.toml"
    path.write_bytes(before.encode())
    for one in propose_phrases(shop(), Bindings()):
        accept(one.text, one.phrase, config=config(tmp_path), by='Ann "A."', day="2026-11-21")
    written = path.read_bytes()
    assert written.startswith(before.encode())
    assert b"\n" not in written.replace(b"\r\n", b"") or b"\r\n" not in before.encode()
    loaded = load_bindings(config(tmp_path)).phrases
    assert {phrase.accepted for phrase in loaded.values()} == {'Ann "A.", 2026-11-21'}
    assert propose_phrases(shop(), load_bindings(config(tmp_path))) == ()
    accept(*next(iter(loaded.items())), config=config(tmp_path), by="Bob", day="2026-11-22")
    assert path.read_bytes() == written


def test_one_that_stands_there_is_marked_in_its_place(tmp_path):
    path = tmp_path / "premortem.bindings.toml"
    path.write_text(
        """# first
[phrases."the books of {string} are closed"]  # by hand
steps = ['the edition is "${1}"']

[phrases.'the books are open']
steps = ['the edition is "x"']
"""
    )
    phrase = load_bindings(config(tmp_path)).phrases[CLOSED]
    accept(CLOSED, phrase, config=config(tmp_path), by="Ann", day="2026-11-21")
    lines = path.read_text().splitlines()
    assert lines[2] == 'accepted = "Ann, 2026-11-21"'
    assert len(lines) == 7
    loaded = load_bindings(config(tmp_path)).phrases
    assert [bool(one.accepted) for one in loaded.values()] == [True, False]


def test_one_that_does_not_fit_is_not_written(tmp_path):
    phrase = Phrase(steps=('the edition is "x"',))
    with pytest.raises(ConfigError, match="reads like"):
        accept("the edition is {string}", phrase, config=config(tmp_path), by="Ann", day="d")
    assert list(tmp_path.iterdir()) == []


def test_the_document_lists_every_step():
    text = (ROOT / "docs" / "steps.md").read_text()
    rows = []
    for area in dict.fromkeys(step.area for step in CATALOGUE):
        rows += [f"\n| {area} | |\n|---|---|"]
        rows += [
            f"| `{s.keyword} {s.expression}` | {s.means} |" for s in CATALOGUE if s.area == area
        ]
    table = "\n".join(rows)
    before, _, rest = text.partition("<!-- steps -->")
    listed, _, after = rest.partition("<!-- /steps -->")
    if os.environ.get("PREMORTEM_WRITE_HELP"):
        written = f"{before}<!-- steps -->\n{table}\n\n<!-- /steps -->{after}"
        (ROOT / "docs" / "steps.md").write_text(written)
    assert listed.strip() == table.strip()
