"""Whether behave sees a written scenario: asked of behave itself."""

import pytest

from premortem.agent.emit.feature import write_feature
from premortem.agent.emit.tags import ID_TAG
from premortem.agent.verdicts.runner import sighting
from premortem.domain.scenario import Scenario, ScenarioOrigin, Step

LINES = (
    ("Given", 'the actor "ann" has role "Packer"'),
    ("When", '"ann" sends "POST" to "/parcels"'),
    ("Then", "the response status is 409"),
)


def written(folder, *lines):
    steps = tuple(Step(keyword=keyword, text=text) for keyword, text in lines)
    scenario = Scenario(
        title="Parcel is packed twice",
        feature="Pack a parcel",
        steps=steps,
        origin=ScenarioOrigin(prompt="What if it is packed twice?", failure_mode="duplicate"),
    )
    return scenario, write_feature(scenario, folder / "features").path


def seen(path, scenario):
    return sighting(path, tag=f"{ID_TAG}:{scenario.id}", title=scenario.title)


def test_a_written_scenario_is_seen(tmp_path):
    scenario, path = written(tmp_path, *LINES)
    found = seen(path, scenario)
    assert (found.runner, found.sees, found.said) == ("behave", True, "")


def test_a_step_that_nothing_defines_is_named(tmp_path):
    scenario, path = written(tmp_path, *LINES, ("And", "the parcel is blue"))
    found = seen(path, scenario)
    assert not found.sees
    assert "'the parcel is blue'" in found.said


@pytest.mark.parametrize("left", ["", "\n  @edge\n  Szenario\n"], ids=["gone", "broken"])
def test_what_a_person_took_out_or_broke_is_not_seen(tmp_path, left):
    scenario, path = written(tmp_path, *LINES)
    path.write_text("Feature: Pack a parcel\n" + left)
    found = seen(path, scenario)
    assert not found.sees
    assert found.said
