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
from premortem.pipeline.skills.awaited import AWAITED, Awaited
from premortem.pipeline.skills.code import CODE_SKILLS
from premortem.pipeline.skills.discovery import DISCOVERY_SKILLS
from premortem.pipeline.skills.flow import FLOW_SKILLS
from premortem.pipeline.skills.generation import GENERATION_SKILLS
from premortem.pipeline.skills.security import SECURITY_SKILLS
from premortem.pipeline.skills.skill import Room, Skill
from premortem.store import Store, open_store

__all__ = ["SKILLS", "awaited_skills", "open_room", "skill_named"]

SKILLS: tuple[Skill, ...] = (
    *FLOW_SKILLS,
    *DISCOVERY_SKILLS,
    *GENERATION_SKILLS,
    *SECURITY_SKILLS,
    *CODE_SKILLS,
    *ARTIFACT_SKILLS,
)
"""In the order of the parts."""


def awaited_skills() -> tuple[Awaited, ...]:
    """The skills that are not here yet."""
    here = {skill.name for skill in SKILLS}
    return tuple(one for one in AWAITED if one.name not in here)


def skill_named(name: str) -> Skill:
    """The skill NAME, whatever its case. Raises InputError: not here yet, or there is none."""
    by_name = {skill.name.lower(): skill for skill in SKILLS}
    wanted = name.replace("_", "").lower()
    found = by_name.get(wanted)
    if found is not None:
        return found
    awaited = next((one for one in awaited_skills() if one.name.lower() == wanted), None)
    if awaited is not None:
        raise InputError(
            f"{awaited.name} is not here yet: part of {awaited.part}; "
            f"`premortem skills` says which are here"
        )
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
