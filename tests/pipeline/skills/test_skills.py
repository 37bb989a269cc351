"""What all skills have in common: names, schemas, spans, tries."""

import importlib
import re

import msgspec
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from premortem.config import ModelConfig
from premortem.errors import InputError
from premortem.pipeline.skills import SKILLS, awaited_skills, skill_named
from premortem.pipeline.skills.skill import (
    INPUT_BYTES_MAX,
    RETRIES_MAX,
    Skill,
    Unfit,
    perform,
    schema,
)
from tests.models.endpoint import refusal, serving
from tests.shared import ROOT, shared

HERE = ("pipeline", "discovery", "generation", "artifacts", "security")
"""The parts whose skills are all here."""


def listed():
    """Part -> the skills that the checklist names for it."""
    text = shared("seeds/CHECKLIST.md").read_text()
    table = text.split("## The 56 skills")[1].split("##")[0]
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", table, re.MULTILINE)
    return {part: re.findall(r"\b[A-Z][a-z]\w*[A-Z]\w*", names) for part, names in rows}


def test_every_skill_is_here_or_awaited_under_its_name_and_part():
    here = {skill.name: skill.part for skill in SKILLS}
    awaited = {one.name: one.part for one in awaited_skills()}
    assert not set(here) & set(awaited)
    assert here | awaited == {name: part for part, names in listed().items() for name in names}
    assert not set(awaited.values()) & set(HERE)
    assert len(SKILLS) == len(here)


def test_a_skill_that_is_not_here_yet_says_which_part_brings_it():
    with pytest.raises(InputError, match="FindSimilarScenarios is not here yet: part of memory;"):
        skill_named("find_similar_scenarios")


def page():
    """Skill -> its row in the documentation."""
    text = (ROOT / "docs" / "skills.md").read_text()
    rows = re.findall(r"^\| `([A-Z]\w+)` \| (.+) \|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def test_the_page_lists_all_fifty_six():
    wanted = {name: part for part, names in listed().items() for name in names}
    assert len(wanted) == 56
    assert {name: row[0] for name, row in page().items()} == wanted


def test_the_page_says_what_is_here_where_it_lies_and_what_it_takes():
    here = {name: row for name, row in page().items() if row[3] == "here"}
    assert set(here) == {skill.name for skill in SKILLS}
    for skill in SKILLS:
        _, where, takes, _ = here[skill.name]
        module, _, function = where.strip("`").rpartition(".")
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", skill.name).lower()
        assert function == snake
        assert callable(getattr(importlib.import_module(f"premortem.{module}"), function))
        fields = [field.encode_name for field in msgspec.structs.fields(skill.asks)]
        assert takes == ", ".join(f"`{field}`" for field in fields)


@pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)
def test_a_skill_says_what_it_takes(skill):
    found = schema(skill)
    assert found["$defs"]
    with pytest.raises(InputError, match=f"{skill.name} cannot be asked for 'nobody'; it takes"):
        perform(skill, b'{"nobody": 1}', None)
    with pytest.raises(InputError, match=f"{skill.name} cannot be asked so.*--schema"):
        perform(skill, b"[]", None)


def test_a_skill_is_found_by_its_name_in_any_form():
    assert skill_named("generate_feature_scenario").name == "GenerateFeatureScenario"
    with pytest.raises(InputError, match=r"did you mean .*ExpandPromptIntoPaths.*\?$"):
        skill_named("ExpandPrompt")
    with pytest.raises(InputError, match=r"'Nope'; `premortem skills` lists those there are$"):
        skill_named("Nope")


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (b"{", "is no JSON"),
        (b'{"prompt": 5}', "Expected `str`"),
        (b" " * (INPUT_BYTES_MAX + 1), "give it at most"),
    ],
)
def test_a_request_that_is_none_is_said(request_, problem, room):
    with pytest.raises(InputError, match=problem):
        perform(skill_named("GenerateFeatureScenario"), request_, room)


@pytest.fixture
def exported(room):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traced = msgspec.structs.replace(room, tracer_provider=provider)
    return traced, exporter


def test_a_skill_is_a_span_with_its_trace_handler_edition_source_and_scenario(exported):
    room, exporter = exported
    asked = {
        "prompt": "What if refund is issued twice?",
        "context": {
            "trace_id": "refund-2025-0142",
            "handler": "IssueRefundHandler",
            "edition": "lite",
        },
    }
    perform(skill_named("GenerateFeatureScenario"), msgspec.json.encode(asked), room)
    (span,) = exporter.get_finished_spans()
    assert span.name == "testgen.GenerateFeatureScenario"
    assert dict(span.attributes) == {
        "trace_id": "refund-2025-0142",
        "handler": "IssueRefundHandler",
        "edition": "lite",
        "source": "qa_prompt",
        "scenario_title": "Refund is issued twice",
        "retry_count": 0,
    }


class Nothing(msgspec.Struct, frozen=True):
    """Asks nothing."""


def late(times):
    """A skill that is unfit so many times."""

    def attempt(room, _):
        if room.tried < times:
            raise Unfit(f"Missing Then clause {room.tried + 1}")
        return msgspec.structs.replace(room.config.target, base_url=room.retry_reason)

    return Skill(name="Late", part="pipeline", does="It.", asks=Nothing, perform=attempt)


def test_what_is_unfit_is_tried_again_and_says_why(exported):
    room, exporter = exported
    done = perform(late(2), b"", room)
    assert (done.retry_count, done.retry_reason) == (2, "Missing Then clause 2")
    assert done.result.base_url == "Missing Then clause 2"
    spans = exporter.get_finished_spans()
    assert [span.attributes["retry_count"] for span in spans] == [0, 1, 2]
    assert spans[2].attributes["retry_reason"] == "Missing Then clause 2"
    assert not spans[0].status.is_ok


def test_tries_end(room):
    with pytest.raises(InputError, match="Late gave nothing usable in 3 tries: Missing Then"):
        perform(late(RETRIES_MAX + 1), b"", room)


def test_a_larger_model_that_does_not_answer_is_asked_again_and_then_done_without(room):
    with serving(lambda _request, _number: refusal(500)) as endpoint:
        model = ModelConfig(
            engine="openai", base_url=endpoint.base_url, model="m", retries_max=0, use=True
        )
        room = msgspec.structs.replace(
            room, config=msgspec.structs.replace(room.config, models={"large": model})
        )
        request = b'{"prompt": "What if refund is issued twice?"}'
        done = perform(skill_named("GenerateFeatureScenario"), request, room)
    assert done.retry_count == RETRIES_MAX
    assert done.retry_reason
    assert len(endpoint.asked) >= RETRIES_MAX
    assert done.result.proposals[0].title == "Refund is issued twice"
