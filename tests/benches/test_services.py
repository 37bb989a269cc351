from __future__ import annotations

import re

import pytest

from benches.defects.__main__ import main
from benches.defects.services import DIRECTUS, KINTO, PHOENIX, SERVICES


@pytest.mark.parametrize(
    ("service", "line", "refused"),
    [
        (KINTO, "DELETE /v1/accounts/alice", True),
        (KINTO, "DELETE /v1/accounts?_limit=3", True),
        (KINTO, "PUT /v1/accounts/alice", False),
        (KINTO, "DELETE /v1/buckets/b/collections/c", False),
        (PHOENIX, "POST /v1/agent_sessions/s1/chat", True),
        (PHOENIX, "POST /v1/agent_sessions/", True),
        (PHOENIX, "GET /v1/sessions/s1", False),
        (DIRECTUS, "PATCH /users/me", True),
        (DIRECTUS, "GET /users/me", False),
    ],
)
def test_what_takes_away_the_callers_access_is_refused_and_nothing_else(service, line, refused):
    assert bool(service.refused().fullmatch(line)) is refused


def test_the_help_names_every_service_and_says_what_comes_of_it(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"\b{name}\b", text) for name in SERVICES)
    assert "scores.json" in text


def test_an_unknown_service_is_named_with_those_there_are():
    with pytest.raises(SystemExit, match="no service mars; there are kinto"):
        main(["--service", "mars"])
