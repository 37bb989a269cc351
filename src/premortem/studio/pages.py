"""One Studio: what its pages are made from, and how they are rendered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response

from premortem import pipeline
from premortem.config import Config
from premortem.domain.proposal import Judgement
from premortem.pipeline.reviewing import Card, Reviewed, Rooms
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
            return pipeline.rooms(self.store)

    def card(self, reviewed: Reviewed) -> Card:
        """All that a person needs to rule on it."""
        return pipeline.show_card(reviewed, config=self.config)

    def operations(self) -> tuple[str, ...]:
        """Ids of those that were learned; empty: nothing was."""
        with self.lock:
            latest = next((version for version, _, _ in self.store.profiles()), "")
            if latest != self._operations[0]:
                # Read once a version: a profile is large.
                learned = self.store.profile(latest)
                self._operations = (latest, tuple(o.id for o in learned.operations))
            return self._operations[1]

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
            rooms = context.pop("rooms", None) or pipeline.rooms(self.store)
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
