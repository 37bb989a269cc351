"""`premortem train llm` without what it needs, and trained models as a user sees them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from msgspec.structs import replace

from premortem.config import load
from premortem.domain.trained import Guard
from premortem.store import open_store
from tests.cli.conftest import Project
from tests.cli.console import premortem
from tests.contract.test_trained_models import CARD

OWN = '[models.own]\nengine = "llamacpp"\npath = "base.gguf"\n'


def keep(project: Project, *cards) -> None:
    with open_store(load(project.config).store, project.folder) as store:
        version = store.profile().version
        store.registry.save(*(replace(card, profile_version=version) for card in cards))


def test_trained_models_are_listed_promoted_shown_and_rolled_back(project: Project):
    told = Guard(name="copies", found=1, limit=0, passed=False, says="half of it is copied")
    keep(project, replace(CARD, id="a1"), replace(CARD, id="b2", privacy=(*CARD.privacy, told)))
    listed = {model["name"]: model for model in premortem("models", "list", "--json").json}
    assert (listed["a1"]["engine"], listed["a1"]["used"]) == ("trained", False)
    assert "half of it is copied" in listed["b2"]["trouble"]
    refused = premortem("models", "promote", "b2")
    assert refused.code == 2
    assert "copies: half of it is copied" in refused.err
    assert premortem("models", "promote", "a", "--as", "ada").code == 0
    shown = premortem("models", "show", "a1")
    assert "promoted by ada" in shown.out
    assert "30 different" in shown.out
    assert premortem("models", "show", "a1", "--json").json["state"] == "promoted"
    assert "llamacpp base 1" in premortem("models", "rollback").out
    assert premortem("models", "rollback").code == 2


def test_the_traffic_model_is_listed_and_shown_with_what_it_gives_away(project: Project):
    assert "train traffic" in premortem("models", "show", "traffic").err
    assert premortem("train", "traffic").code == 0
    assert "traffic" in {m["name"] for m in premortem("models", "list", "--json").json}
    shown = premortem("models", "show", "traffic", "--json").json
    assert {guard["name"] for guard in shown["privacy"]} >= {"copies", "overlap"}


@pytest.mark.skipif(find_spec("torch") is not None, reason="the extra `train` is installed")
def test_without_the_extra_training_says_what_to_install(project: Project):
    (project.folder / "base.gguf").write_bytes(b"GGUF and so on")
    project.config.write_text(f"{project.config.read_text()}\n{OWN}")
    refused = premortem("train", "llm")
    assert refused.code == 2
    assert "pip install 'premortem[train,llm]'" in refused.err
    assert "trained" not in {m["engine"] for m in premortem("models", "list", "--json").json}
