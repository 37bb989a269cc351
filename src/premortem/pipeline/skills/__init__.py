"""The skills of the Test Generator Agent, each callable by its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from premortem.config import Config
from premortem.errors import InputError, NothingLearned
from premortem.pipeline.skills.artifacts import ARTIFACT_SKILLS
from premortem.pipeline.skills.code import CODE_SKILLS
from premortem.pipeline.skills.flow import FLOW_SKILLS
from premortem.pipeline.skills.generation import GENERATION_SKILLS
from premortem.pipeline.skills.skill import Room, Skill
from premortem.store import Store, open_store

__all__ = ["SKILLS", "open_room", "skill_named"]

SKILLS: tuple[Skill, ...] = (*FLOW_SKILLS, *GENERATION_SKILLS, *CODE_SKILLS, *ARTIFACT_SKILLS)
"""In the order of the parts."""


def skill_named(name: str) -> Skill:
    """The skill NAME, whatever its case. Raises InputError."""
    by_name = {skill.name.lower(): skill for skill in SKILLS}
    found = by_name.get(name.replace("_", "").lower())
    if found is not None:
        return found
    near = get_close_matches(name.lower(), by_name, n=3, cutoff=0.4)
    hint = ", ".join(by_name[n].name for n in near)
    raise InputError(
        f"there is no skill {name!r}; "
        f"{f'did you mean {hint}?' if hint else '`premortem skills` lists those there are'}"
    )


@contextmanager
def open_room(config: Config, *, root: Path | None = None) -> Iterator[Room]:
    """What skills work with, for CONFIG; the store is opened at the first need only."""
    with ExitStack() as stack:

        @cache
        def store() -> Store:
            there = config.store.url or config.path(config.store.path).exists()
            if not there:
                raise NothingLearned(missing="traffic", command="premortem capture har FILE")
            return stack.enter_context(open_store(config.store, Path(config.directory)))

        yield Room(config=config, root=root or Path(config.directory), store=store)
