"""Two services with pages, one of which shifts them while something is made: found out for real."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from premortem.checks import Checker
from premortem.config import Config, RoleConfig, TargetConfig
from premortem.domain.places import parse_place
from premortem.domain.run import Sequence
from premortem.generate import Mutator
from premortem.send.line import open_line
from tests.generate import small
from tests.send.server import answering, ok

LISTING, MAKE = "GET /invoices", "POST /invoices"


class Notes:
    """Newest first. A cursor names the last item that was shown, or, SHIFTING, how many were."""

    def __init__(self, *, shifting: bool) -> None:
        self.shifting = shifting
        self.names: list[str] = []

    def reply(self, request: bytes) -> bytes:
        method, target, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "POST":
            self.names.insert(0, f"inv_{len(self.names)}a7c3")
            return ok(json.dumps({"id": self.names[0]}).encode(), status="201 Created")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        start, size = self._after(asked.get("after", "")), int(asked["limit"])
        shown = self.names[start : start + size]
        cursor = str(start + len(shown)) if self.shifting else shown[-1]
        page = {"items": [{"id": name} for name in shown], "next": cursor}
        return ok(json.dumps(page).encode())

    def _after(self, cursor: str) -> int:
        if not cursor:
            return 0
        return int(cursor) if self.shifting else self.names.index(cursor) + 1


def paged() -> tuple[Sequence, Checker]:
    fields = (small.number_field("query:limit", 1, 50), small.text_field("query:after", {"c1": 2}))
    operations = [
        replace(o, fields=(*o.fields, *fields)) if o.id == LISTING else o
        for o in small.operations()
    ]
    own = replace(
        small.profile().links[0],
        producer=LISTING,
        consumer=LISTING,
        select=parse_place("body:/next"),
        place=parse_place("query:after"),
    )
    links = (*small.profile().links, own)
    profile = small.profile(operations=tuple(operations), links=links)
    made = Mutator(profile, small.recorded(), 1).sequences(LISTING, 100)
    (found,) = [s for s in made if s.cases[-1].origin.operator == "pages under writes"]
    return found, Checker(profile, off=("response_shape", "undeclared_status"))


@pytest.mark.parametrize(("shifting", "said"), [(False, []), (True, ["twice"])])
def test_a_cursor_that_counts_shows_an_item_twice_while_something_is_made(shifting, said):
    sequence, checker = paged()
    service = Notes(shifting=shifting)
    with answering(service.reply) as server:
        target = TargetConfig(base_url=server.url, disposable=True)
        config = Config(target=target, roles={"clerk": RoleConfig()})
        with open_line(config, redaction_key=b"k" * 32) as line:
            sent = line.send_sequence(sequence)
    found = checker.check(sequence.cases[-1], sent[-1], sent[:-1])
    assert [v.signature for v in found if v.check == "at_one_time"] == said
