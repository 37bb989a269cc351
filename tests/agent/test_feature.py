import msgspec
import pytest
from gherkin.parser import Parser

from premortem.agent.emit.feature import render, write_feature
from premortem.agent.emit.feature_text import parse_feature
from premortem.agent.emit.tags import insert_scenario_tags, tag_lines
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step
from premortem.errors import InputError

SCENARIO = Scenario(
    title="Parcel is added twice",
    feature="Parcels & more",
    steps=(
        Step(keyword="Given", text='the actor "ann" has role "Packer"'),
        Step(keyword="When", text='"ann" sends "POST" to "/p" with:', docstring='{\n  "a": 1\n}'),
        Step(keyword="Then", text="the response status is 409"),
    ),
    origin=ScenarioOrigin(prompt="parcel twice?\n@x", expectation="the specification says so"),
    trace_id="prompt 1",
    tags=("prompt", "edge"),
)
OTHER = msgspec.structs.replace(SCENARIO, title="Parcel is lost")
OWN = "# ours\r\nFeature: Parcels\r\n\r\n  Scenario: one\r\n    Given a parcel"


def scenarios(path):
    document = Parser().parse(path.read_text())
    return [child["scenario"] for child in document["feature"]["children"]]


def test_a_new_file_holds_the_feature_its_tags_and_steps(tmp_path):
    written = write_feature(SCENARIO, tmp_path / "features", outcome="regression")
    found = scenarios(written.path)[0]
    assert (written.path.name, written.action) == ("parcels_more.feature", "created")
    assert [tag["name"] for tag in found["tags"]] == [
        *("@prompt", "@edge", "@regression", "@trace_id:prompt_1"),
        f"@premortem_id:{SCENARIO.id}",
    ]
    assert [step["text"] for step in found["steps"]] == [s.text for s in SCENARIO.steps]
    assert found["steps"][1]["docString"]["content"] == SCENARIO.steps[1].docstring


def test_a_scenario_that_is_there_is_not_added_again(tmp_path):
    path = write_feature(SCENARIO, tmp_path).path
    before = path.read_bytes()
    assert write_feature(SCENARIO, tmp_path, outcome="regression").action == "unchanged"
    assert path.read_bytes() == before


def test_the_same_question_planned_anew_is_not_added_beside_the_first(tmp_path):
    write_feature(SCENARIO, tmp_path)
    anew = msgspec.structs.replace(SCENARIO, steps=SCENARIO.steps[::2])
    assert anew.id != SCENARIO.id
    assert write_feature(anew, tmp_path).action == "unchanged"


def test_two_scenarios_of_one_title_get_names_of_their_own(tmp_path):
    # pytest-bdd keeps scenarios by their names: the first of two would never run.
    path = write_feature(SCENARIO, tmp_path).path
    another = msgspec.structs.replace(SCENARIO, trace_id="prompt 2", steps=SCENARIO.steps[1:])
    assert write_feature(another, tmp_path).action == "appended"
    assert [s["name"] for s in scenarios(path)] == [SCENARIO.title, f"{SCENARIO.title} (2)"]
    assert write_feature(another, tmp_path).action == "unchanged"


def test_a_scenario_inside_a_rule_is_seen(tmp_path):
    path = write_feature(SCENARIO, tmp_path).path
    text = path.read_text().replace("more\n", "more\n\n  Rule: weights\n", 1)
    path.write_text(text)
    assert write_feature(SCENARIO, tmp_path).action == "unchanged"


def test_a_person_s_file_keeps_every_byte_and_its_line_ends(tmp_path):
    path = tmp_path / "parcels_more.feature"
    path.write_bytes(OWN.encode())
    assert write_feature(SCENARIO, tmp_path).action == "appended"
    assert write_feature(OTHER, tmp_path).action == "appended"
    after = path.read_bytes()
    assert after.startswith(OWN.encode())
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert [s["name"] for s in scenarios(path)] == ["one", SCENARIO.title, OTHER.title]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"Feature: x\n  Scenario: y\n    Given z\n    gibberish\n", "nothing was added"),
        (b"# only a remark\n", "Feature line"),
        (b"Feature: \xff\n", "UTF-8"),
    ],
)
def test_a_file_that_is_no_gherkin_is_left_alone(tmp_path, data, said):
    path = tmp_path / "parcels_more.feature"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        write_feature(SCENARIO, tmp_path)
    assert path.read_bytes() == data
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_docstring_that_holds_quotes_reads_back(tmp_path):
    step = Step(keyword="When", text='"a" sends "POST" to "/p" with:', docstring='"""\nx\n"""')
    path = write_feature(msgspec.structs.replace(SCENARIO, steps=(step,)), tmp_path).path
    assert scenarios(path)[0]["steps"][0]["docString"]["content"] == step.docstring


def test_behave_s_files_come_along_and_are_never_overwritten(tmp_path):
    (tmp_path / "environment.py").write_text("# mine\n")
    write_feature(SCENARIO, tmp_path)
    steps = tmp_path / "steps" / "premortem_steps.py"
    assert "premortem.agent.adapters.behave" in steps.read_text()
    assert (tmp_path / "environment.py").read_text() == "# mine\n"
    steps.write_text("# mine too\n")
    write_feature(OTHER, tmp_path)
    assert steps.read_text() == "# mine too\n"


def test_a_prompt_cannot_break_out_of_its_remark():
    text = render(SCENARIO)
    assert "    # Asked: parcel twice? @x\n" in text


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot"):
        write_feature(SCENARIO, tmp_path / "file")


def test_a_file_in_another_language_gets_its_keywords(tmp_path):
    path = tmp_path / "parcels_more.feature"
    path.write_text("# language: de\nFunktionalität: Pakete\n")
    write_feature(SCENARIO, tmp_path)
    assert "  Beispiel: Parcel is added twice\n" in path.read_text()
    assert '    Wenn "ann" sends "POST" to "/p" with:\n' in path.read_text()
    assert scenarios(path)[0]["name"] == SCENARIO.title


def test_a_scenario_comes_before_the_rules_of_a_file_and_not_into_one(tmp_path):
    own = "Feature: Parcels\n\n  Scenario: one\n    Given x\n\n  # why\n  @r\n  Rule: weights\n"
    rest = "    Background:\n      Given y\n    Scenario: two\n      Given z\n"
    path = tmp_path / "parcels_more.feature"
    path.write_text(own + rest)
    write_feature(SCENARIO, tmp_path)
    write_feature(OTHER, tmp_path)
    children = Parser().parse(path.read_text())["feature"]["children"]
    assert [next(iter(child)) for child in children] == ["scenario"] * 3 + ["rule"]
    left = [line for line in path.read_text().splitlines() if line in (own + rest).splitlines()]
    assert [line for line in left if line] == [line for line in (own + rest).splitlines() if line]
    assert path.read_text().endswith("  # why\n  @r\n  Rule: weights\n" + rest)


def test_tags_with_a_space_are_read_and_stay_as_they_are(tmp_path):
    own = "@trace_id: prompt 1\n@augmented_by: test-generator-agent\nFeature: Parcels\n"
    path = tmp_path / "parcels_more.feature"
    path.write_text(own)
    assert write_feature(SCENARIO, tmp_path).action == "appended"
    text = path.read_text()
    assert text.startswith(own)
    found = parse_feature(text, path=path)
    assert found.tags == ("trace_id:prompt_1", "augmented_by:test-generator-agent")
    assert "@trace_id:prompt_1 " in text.removeprefix(own)
    assert write_feature(SCENARIO, tmp_path).action == "unchanged"


def test_a_table_reads_back(tmp_path):
    rows = (("id", "note"), ("1", "a|b\\c"), ("22", ""))
    step = Step(keyword="Given", text='the table "parcels" contains:', table=rows)
    path = write_feature(msgspec.structs.replace(SCENARIO, steps=(step,)), tmp_path).path
    found = scenarios(path)[0]["steps"][0]["dataTable"]["rows"]
    assert tuple(tuple(cell["value"] for cell in row["cells"]) for row in found) == rows


def test_tags_are_added_above_the_one_scenario_that_is_meant():
    text = OWN + "\r\n"
    after = tag_lines(text, "one", ["edition: lite", "@security"], path="it")
    assert after == text.replace("  Scenario", "  @edition:lite @security\r\n  Scenario")
    assert tag_lines(after, "one", ["security"], path="it") == after
    with pytest.raises(InputError, match="no scenario is"):
        tag_lines(text, "two", ["x"], path="it")


def test_a_scenario_s_tags_follow_from_what_it_is():
    origin = ScenarioOrigin(prompt="x?", failure_mode="forbidden_role", outcome="denied")
    denied = msgspec.structs.replace(SCENARIO, origin=origin, edition="lite", tags=())
    tags = insert_scenario_tags(denied, outcome="regression", enriches=True).tags
    assert tags == (
        *("prompt", "prompt-driven", "security", "auth", "denied", "edition:lite", "regression"),
    )


def test_a_read_only_file_is_refused_and_stays(tmp_path):
    path = tmp_path / "parcels_more.feature"
    path.write_bytes(OWN.encode())
    path.chmod(0o444)
    with pytest.raises(InputError, match="read-only"):
        write_feature(SCENARIO, tmp_path)
    assert path.read_bytes() == OWN.encode()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_byte_order_mark_stays_where_it_is(tmp_path):
    own = b"\xef\xbb\xbfFeature: Parcels\n"
    path = tmp_path / "parcels_more.feature"
    path.write_bytes(own)
    assert write_feature(SCENARIO, tmp_path).action == "appended"
    assert path.read_bytes().startswith(own)
    assert path.read_bytes().count(b"\xef\xbb\xbf") == 1
