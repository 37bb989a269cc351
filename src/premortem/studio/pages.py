"""One Studio: what its pages are made from, and how they are rendered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response

from premortem.agent.steps.bindings import load_bindings
from premortem.config import Config
from premortem.domain.access_matrix import AccessMatrix
from premortem.domain.proposal import Judgement
from premortem.domain.traffic import Profile
from premortem.pipeline import reviewing
from premortem.pipeline.reviewing import Card, Reviewed, Rooms, show_card
from premortem.pipeline.surveying import Way, access_matrix, ways_of
from premortem.store import Store
from premortem.studio.desk import Desk
from premortem.studio.door import Keys

HERE = Path(__file__).parent
FRONT_END = ("htmx.min.js", "sse.js")
"""What `make` or the wheel's build put into `static/vendor`."""
AUDIT_ROWS_MAX = 500
PROMPTS_SHOWN_MAX = 30


class Studio:
    """Its store, its desk, its secrets, and who sits at it."""

    def __init__(
        self,
        *,
        config: Config,
        store: Store,
        desk: Desk,
        by: str,
        keys: Keys | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config, self.desk, self.by, self.clock = config, desk, by, clock
        self.keys = keys or Keys()
        self.lock = threading.RLock()
        """Held while the store is used: pages are made on several threads."""
        self.store = store
        self._said = ""
        self._operations: tuple[str, tuple[str, ...]] = ("", ())
        self._profile: Profile | None = None
        self._ways: tuple[str, tuple[Way, ...]] = ("", ())
        self._access: tuple[tuple[str, ...], AccessMatrix] | None = None
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["moment"] = _moment

    def say(self, text: str) -> None:
        """What the next page says first."""
        with self.lock:
            self._said = text

    def rooms(self) -> Rooms:
        """What became of every proposal."""
        with self.lock:
            return reviewing.rooms(self.store)

    def card(self, reviewed: Reviewed) -> Card:
        """All that a person needs to rule on it."""
        return show_card(reviewed, config=self.config)

    def operations(self) -> tuple[str, ...]:
        """Ids of those that were learned; empty: nothing was."""
        with self.lock:
            latest = next((version for version, _, _ in self.store.profiles()), "")
            if latest != self._operations[0]:
                # Read once a version: a profile is large.
                learned = self.store.profile(latest)
                self._operations = (latest, tuple(o.id for o in learned.operations))
            return self._operations[1]

    def profile(self) -> Profile:
        """The latest, read once a version. Raises NothingLearned."""
        with self.lock:
            latest = next((version for version, _, _ in self.store.profiles()), "")
            if self._profile is None or self._profile.version != latest:
                self._profile = self.store.profile()
            return self._profile

    def ways(self) -> tuple[Way, ...]:
        """What could go wrong with its operations, found once a version."""
        with self.lock:
            profile = self.profile()
            if profile.version != self._ways[0]:
                bindings = load_bindings(self.config)
                roles, services = tuple(self.config.roles), tuple(bindings.services)
                self._ways = profile.version, ways_of(profile, roles=roles, services=services)
            return self._ways[1]

    def access(self) -> AccessMatrix:
        """Who may do what and who was tried, read anew after a run."""
        with self.lock:
            state = (self.profile().version, *self.store.coverage.runs())
            if self._access is None or self._access[0] != state:
                self._access = state, access_matrix(self.config, self.store)
            return self._access[1]

    def log(self) -> list[Judgement]:
        """The latest judgements, newest first."""
        with self.lock:
            return self.store.judgements.log(limit=AUDIT_ROWS_MAX)[::-1]

    def page(
        self, template: str, *, at: str, status: int = 200, **context: object
    ) -> Response[str]:
        """A whole page of the room AT."""
        with self.lock:
            said, self._said = self._said, ""
            rooms = context.pop("rooms", None) or reviewing.rooms(self.store)
        return self.part(
            template, status=status, at=at, said=said, rooms=rooms, csrf=self.keys.csrf, **context
        )

    def part(self, template: str, *, status: int = 200, **context: object) -> Response[str]:
        """A part of a page, or all that a template makes."""
        text = self._templates.get_template(template).render(**context)
        return Response(text, media_type=MediaType.HTML, status_code=status)


def prompts(rooms: Rooms) -> list[str]:
    """The questions that led to proposals, each once, newest first."""
    newest = sorted(rooms.all, key=lambda r: -r.proposed.at)
    asked = (r.proposed.scenario.origin.prompt for r in newest)
    return [p for p in dict.fromkeys(asked) if p][:PROMPTS_SHOWN_MAX]


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
