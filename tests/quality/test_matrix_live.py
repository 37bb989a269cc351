"""The matrix of roles on services that nobody here wrote, held against what their makers say.

Each is started fresh, its roles are made through its own API and get tokens once; then `observe`
asks for every operation as every role and as nobody. What differs from what is documented has to
stand in `JUDGED`, with why; docs/access-matrices.md tells of it.

    MATRIX_OPERATIONS="GET *,POST /v1/users" pytest tests/quality/test_matrix_live.py -s
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from msgspec import Struct

from premortem.config import load
from premortem.domain.access import NOBODY, Contradiction
from premortem.pipeline.access import Access, access_of
from premortem.pipeline.capturing import capture
from premortem.pipeline.learning import learn
from premortem.pipeline.observing import observe
from premortem.pipeline.observing_looks import Observed
from premortem.store import open_store
from tests.quality.live_roles import (
    MEMBER,
    SYSTEM,
    Service,
    directus_with_roles,
    phoenix_with_roles,
)

pytestmark = pytest.mark.quality

SIGNS = {"allowed": "yes", "denied": "no", "contradiction": "!", "untested": "?"}


class Target(Struct, frozen=True, kw_only=True):
    """One service and what is known of it."""

    started: Callable[[Path], AbstractContextManager[Service]]
    excluded: Mapping[str, str]
    """Operation, or how it begins -> why nobody asks for it."""
    judged: Mapping[tuple[str, str], str]
    """(operation, role) -> what the difference is, and why."""
    known_min: float
    """The least share of cells that has to be known at the end."""


UNSAID = (
    "documentation gap: the code lets admins alone do it (`require_admin`); neither the page on "
    "roles nor the operation's description says so"
)
NO_ADMIN = (
    "defect: the refusal says `Only admin or system users can perform this action`, to a system "
    "key; `PhoenixUser.is_admin` looks for the role ADMIN alone"
)
NOBODY_ASKS = (
    "documentation gap: its OpenAPI document tags it `x-authentication: user`, the code asks nobody"
)
ITS_OWN = (
    "documented, finer than a matrix is: with access to the app a role may read or change what is "
    "its own, and this is somebody else's"
)
NO_USER = (
    "documented, finer than a matrix is: of presets whose user one is; the one it made has none"
)
PHOENIX = Target(
    started=phoenix_with_roles,
    excluded={
        "POST /v1/chat/": "looks up hosts outside",
        "POST /v1/agent_sessions": "looks up hosts outside",
        "GET /v1/agent_sessions": "looks up hosts outside",
        "PATCH /v1/agent_sessions": "looks up hosts outside",
        "DELETE /v1/user/api_keys/": "ends the caller's own access",
        "DELETE /v1/system/api_keys/": "ends the caller's own access",
    },
    judged={
        ("PUT /v1/projects/{project_identifier}", MEMBER): UNSAID,
        ("DELETE /v1/projects/{project_identifier}", MEMBER): UNSAID,
        ("PATCH /v1/projects/{project_identifier}/retention", MEMBER): UNSAID,
        ("PUT /v1/secrets", MEMBER): UNSAID,
        ("GET /v1/users", SYSTEM): NO_ADMIN,
        ("POST /v1/users", SYSTEM): NO_ADMIN,
        ("DELETE /v1/users/{user_id}", SYSTEM): NO_ADMIN,
        ("PUT /v1/projects/{project_identifier}", SYSTEM): NO_ADMIN,
        ("DELETE /v1/projects/{project_identifier}", SYSTEM): NO_ADMIN,
        ("PATCH /v1/projects/{project_identifier}/retention", SYSTEM): NO_ADMIN,
        ("PUT /v1/secrets", SYSTEM): NO_ADMIN,
    },
    known_min=0.85,
)
DIRECTUS = Target(
    started=directus_with_roles,
    excluded={
        **{
            f"{method} {path}": "changes or ends the caller's own access"
            for path in ("/users", "/roles", "/permissions")
            for method in ("PATCH", "DELETE")
        },
        "POST /users/me/tfa/": "changes the caller's own access",
        "POST /auth/logout": "ends the caller's own access",
        "POST /schema/apply": "replaces what all other operations stand on",
        "POST /utils/import/": "its body is a file that nobody recorded",
    },
    judged={
        ("GET /utils/random/string", NOBODY): NOBODY_ASKS,
        ("POST /utils/hash/generate", NOBODY): "defect: a stranger makes it compute Argon2 hashes",
        ("POST /utils/export/{collection}", NOBODY): "defect: it answers 204 before it looks",
        ("POST /utils/cache/clear", "editor"): "documentation gap: for admins alone",
        ("POST /utils/cache/clear", "reader"): "documentation gap: for admins alone",
        ("GET /users/me", "reader"): "documentation gap: its own id is shown to everybody",
        ("GET /permissions/me", "editor"): "documentation gap: one's own are shown to everybody",
        ("GET /permissions/me", "reader"): "documentation gap: one's own are shown to everybody",
        **dict.fromkeys(
            (
                ("GET /users/{id}", "editor"),
                ("GET /roles/{id}", "editor"),
                ("GET /activity/{id}", "editor"),
                ("GET /collections/{id}", "editor"),
                ("GET /fields/{collection}", "editor"),
                ("GET /fields/{collection}/{id}", "editor"),
            ),
            ITS_OWN,
        ),
        ("PATCH /comments/{id}", "editor"): "documented, finer than a matrix is: its text alone",
        ("PATCH /presets/{id}", "editor"): NO_USER,
        ("DELETE /presets/{id}", "editor"): NO_USER,
    },
    known_min=0.6,
)
TARGETS = {"phoenix": PHOENIX, "directus": DIRECTUS}


@pytest.mark.parametrize("name", TARGETS)
def test_what_roles_may_do_is_documented_or_judged(name, tmp_path):
    target = TARGETS[name]
    with target.started(tmp_path) as service:
        (tmp_path / "premortem.toml").write_text(service.config)
        (tmp_path / "sources").mkdir()
        config = load(tmp_path / "premortem.toml")
        with open_store(config.store, tmp_path) as store:
            capture([service.recording], config=config, store=store)
            learn(config=config, store=store)
            known = [operation.id for operation in store.profile().operations]
            left_out = [o for o in known if o.startswith(tuple(target.excluded))]
            wanted = [o for o in known if o not in left_out]
            named = os.environ.get("MATRIX_OPERATIONS", "*").split(",")
            chosen = [o for o in wanted if any(fnmatchcase(o, glob) for glob in named)]

            def access() -> Access:
                return access_of(
                    config, store, folder=tmp_path / "sources", further=service.documented
                )

            began = time.monotonic()
            seen = list(observe(access().table, config=config, store=store, operations=chosen))
            seconds = time.monotonic() - began
            found = access()
    differences = [c for c in found.contradictions if c.operation_id in chosen]
    show(found, chosen)
    tell(seen, differences, target.judged, left_out, seconds)
    new = [c for c in differences if (c.operation_id, c.role) not in target.judged]
    assert not new
    assert sum(bool(one.grant) for one in seen) >= target.known_min * len(seen)


def show(found: Access, chosen: Iterable[str]) -> None:
    """The matrix, a line for each operation."""
    print(f"\n{'':64}" + "".join(f"{role[:9]:>10}" for role in found.matrix.roles))
    rows = dict(found.matrix.by_row(""))
    for operation in chosen:
        cells = rows.get(operation, ())
        signs = (f"{SIGNS[cell.standing]:>10}" for cell in cells)
        print(f"{operation[:63]:64}" + "".join(signs))


def _by_role(seen: Iterable[Observed]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for one in seen:
        counts.setdefault(one.role, Counter())[one.grant or "not known"] += 1
    return counts


def tell(
    seen: list[Observed],
    differences: list[Contradiction],
    judged: Mapping[tuple[str, str], str],
    left_out: list[str],
    seconds: float,
) -> None:
    """What came of it, in numbers and in words."""
    requests = sum(one.requests for one in seen)
    print(f"\n{len(seen)} cells in {requests} requests and {seconds:.0f} s", end=": ")
    print(dict(Counter(one.grant or ("not told" if one.status else "not asked") for one in seen)))
    for role, grants in _by_role(seen).items():
        print(f"  {role}: {dict(grants)}")
    statuses = sorted(Counter((o.role, o.status) for o in seen).items())
    print("answers:", ", ".join(f"{role} {status}: {n}" for (role, status), n in statuses))
    for one in seen:
        if not one.grant:
            print(f"  ? {one.operation_id} as {one.role}: {one.status} {one.why_not[:150]}")
    print(f"left out: {', '.join(left_out)}")
    print(f"{len(differences)} differences")
    for found in differences:
        why = judged.get((found.operation_id, found.role), "NOT JUDGED")
        print(f"  {found.kind} {found.operation_id} as {found.role}: {why}")
        print(f"     {found.trusted.grant} by {found.trusted.words}")
        print(f"     {found.against.grant} by {found.against.words}")
