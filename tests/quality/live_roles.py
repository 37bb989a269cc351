"""Two services that nobody here wrote, with three roles each, and what their makers document of
them: who may do what."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from premortem.domain.access import NOBODY, AccessRule
from tests.services import directus, phoenix
from tests.shared import ROOT, shared


class Service(Struct, frozen=True, kw_only=True):
    """One that runs, with its roles made."""

    config: str
    """Text of premortem.toml."""
    recording: Path
    documented: tuple[AccessRule, ...]


def asked(
    base: str, method: str, path: str, body: Any = None, *, token: str = "", cookie: str = ""
) -> tuple[Any, list[str]]:
    """The JSON of the answer and the cookies that it sets. Raises HTTPError."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if cookie:
        headers["Cookie"] = cookie
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        kept = answer.read()
        cookies = answer.headers.get_all("set-cookie") or []
    return (json.loads(kept) if kept else None), [one.partition(";")[0] for one in cookies]


def operations(spec: Path) -> tuple[str, ...]:
    """`METHOD /path` of all that the document SPEC has."""
    return _named(json.loads(gzip.decompress(spec.read_bytes())))


def _named(document: Any) -> tuple[str, ...]:
    verbs = ("get", "put", "post", "patch", "delete", "head")
    return tuple(
        f"{verb.upper()} {path}"
        for path, item in document["paths"].items()
        for verb in item
        if verb in verbs
    )


def _kept(database: Path, snapshot: Path) -> None:
    """DATABASE as it is now is what a reset restores."""
    with sqlite3.connect(database, timeout=20) as live, sqlite3.connect(snapshot) as copy:
        live.backup(copy)


CONFIG = """
[target]
base_url = "{base}"
disposable = true
ready = "{ready}"
spec = "{spec}"
[target.reset]
command = "{reset}"
[capture]
hosts = ["*"]
"""


def _config(name: str, base: str, ready: str, reset: str, roles: dict[str, str]) -> str:
    """ROLES: each with the variable that holds its token."""
    spec = shared(f"targets/{name}/openapi.json.gz")
    text = CONFIG.format(base=base, ready=ready, spec=spec, reset=reset)
    return text + "".join(f'[roles.{r}]\nbearer = "${{{v}}}"\n' for r, v in roles.items())


# Phoenix: the page "Access Control (RBAC)" of its documentation, the page "API Keys", and what the
# OpenAPI document says beside an operation.

RBAC = "arize.com/docs/phoenix/settings/access-control-rbac"
API_KEYS = "arize.com/docs/phoenix/settings/api-keys"
ADMIN, MEMBER, VIEWER, SYSTEM = "Admin", "Member", "Viewer", "System"
ADMINS_ALONE = {
    "GET /v1/users": "List All Users: admin",
    "POST /v1/users": "Create User: admin",
    "DELETE /v1/users/{user_id}": "Delete User: admin",
    "GET /v1/users/api_keys": "List All User API Keys: admin",
    "GET /v1/system/api_keys": "List All System API Keys: admin",
    "POST /v1/system/api_keys": "Create System API Keys: admin",
    "DELETE /v1/system/api_keys/{api_key_id}": "Delete System API Keys: admin",
}
RESTRICTED = {
    "GET /v1/users/api_keys": "Restricted to admins",
    "GET /v1/system/api_keys": "this endpoint is restricted to admins",
    "POST /v1/system/api_keys": "API keys cannot mint keys",
}
"""As the OpenAPI document has it: a system key is no admin."""
OWN_KEYS = ("GET /v1/user/api_keys", "DELETE /v1/user/api_keys/{api_key_id}")
KEY_MINTING = "POST /v1/user/api_keys"


@contextmanager
def phoenix_with_roles(directory: Path) -> Iterator[Service]:
    """Admin by the admin secret, Member and Viewer by API keys of their own, System by a system
    key: each made once, so that nobody has to sign in."""
    place = ROOT / ".build" / "phoenix"
    if place.exists():
        os.environ.setdefault("PHOENIX_VENV", str(place))
    with phoenix(directory) as (base, reset):
        admin = os.environ["PHOENIX_ADMIN_SECRET"]
        tokens = {"PHOENIX_SYSTEM_KEY": _system_key(base, admin)}
        for role in (MEMBER, VIEWER):
            tokens[f"PHOENIX_{role.upper()}_KEY"] = _user_key(base, admin, role)
        os.environ.update(tokens)
        _kept(directory / "phoenix.db", directory / "snapshot.db")
        roles = {
            ADMIN: "PHOENIX_ADMIN_SECRET",
            MEMBER: "PHOENIX_MEMBER_KEY",
            VIEWER: "PHOENIX_VIEWER_KEY",
            SYSTEM: "PHOENIX_SYSTEM_KEY",
        }
        yield Service(
            config=_config("phoenix", base, "/healthz", reset, roles),
            recording=shared("targets/phoenix/production.har.gz"),
            documented=tuple(_phoenix_documents()),
        )


def _system_key(base: str, admin: str) -> str:
    body = {"data": {"name": "matrix", "description": "of the matrix"}}
    made, _ = asked(base, "POST", "/v1/system/api_keys", body, token=admin)
    return str(made["data"]["key"])


def _user_key(base: str, admin: str, role: str) -> str:
    email, password = f"{role.lower()}-of-matrix@example.com", f"{role}-Passw0rd-of-matrix"
    user = {"email": email, "username": f"matrix {role}", "role": role.upper()}
    user |= {"auth_method": "LOCAL", "password": password}
    asked(base, "POST", "/v1/users", {"user": user, "send_welcome_email": False}, token=admin)
    _, cookies = asked(base, "POST", "/auth/login", {"email": email, "password": password})
    made, _ = asked(
        base, "POST", KEY_MINTING.split()[1], {"data": {"name": role}}, cookie="; ".join(cookies)
    )
    return str(made["data"]["key"])


def _phoenix_documents() -> Iterator[AccessRule]:
    for operation in operations(shared("targets/phoenix/openapi.json.gz")):
        for role in (ADMIN, MEMBER, VIEWER, SYSTEM):
            let, document, said = _phoenix_says(operation, role)
            yield AccessRule(
                operation_id=operation,
                role=role,
                grant="allowed" if let else "denied",
                source="authorization_map",
                document=document,
                said=said,
            )


def _phoenix_says(operation: str, role: str) -> tuple[bool, str, str]:
    """Whether ROLE may do OPERATION, where that stands, and in which words."""
    if operation == KEY_MINTING:
        return False, "openapi.json", "API keys cannot mint replacement keys"
    if operation in OWN_KEYS:
        return True, RBAC, "own user API keys: all roles"
    if role == SYSTEM:
        if operation in RESTRICTED:
            return False, "openapi.json", RESTRICTED[operation]
        return True, API_KEYS, "authenticate actions on behalf of the entire system"
    if role == ADMIN:
        return True, RBAC, "full control to the system"
    if operation in ADMINS_ALONE:
        return False, RBAC, ADMINS_ALONE[operation]
    if role == MEMBER:
        return True, RBAC, "a developer that can add traces, experiments, datasets, etc."
    reads = operation.startswith("GET ")
    return reads, RBAC, "read-only access; cannot create, update, or delete most entities"


# Directus: the policies that are set, and the OpenAPI document that it gives each role.

POLICIES: dict[str, dict[str, tuple[str, ...]]] = {
    "editor": {
        "articles": ("create", "read", "update"),
        "comments": ("create", "read", "update", "delete"),
        "authors": ("read",),
    },
    "reader": {"articles": ("read",), "comments": ("read",), "authors": ("read",)},
}
APP_ACCESS = {"editor": True, "reader": False}
BLOG: dict[str, list[dict[str, Any]]] = {
    "authors": [{"name": f"Author {n}", "email": f"kept{n}@example.com"} for n in range(1, 21)],
    "articles": [{"title": f"Article {n}", "author": n % 20 + 1} for n in range(1, 101)],
    "comments": [{"text": f"comment {n}", "article": n % 100 + 1} for n in range(1, 101)],
}
"""What the recorded requests name by number has to be there: production had it, too."""
ACTIONS = {"POST": "create", "GET": "read", "PATCH": "update", "DELETE": "delete"}


@contextmanager
def directus_with_roles(directory: Path) -> Iterator[Service]:
    """admin by the token of the set-up; editor (with access to the app) and reader (without) by
    policies and static tokens of users that have them."""
    with directus(directory) as (base, reset):
        admin = os.environ["DIRECTUS_ADMIN_TOKEN"]
        roles = {"admin": "DIRECTUS_ADMIN_TOKEN"}
        for role in POLICIES:
            variable = f"DIRECTUS_{role.upper()}_TOKEN"
            os.environ[variable] = f"{role}-token-of-the-matrix"
            roles[role] = variable
            _make_role(base, admin, role, os.environ[variable])
        for collection, items in BLOG.items():
            asked(base, "POST", f"/items/{collection}", items, token=admin)
        _kept(directory / "db.sqlite", directory / "snapshot.db")
        yield Service(
            config=_config("directus", base, "/server/ping", reset, roles),
            recording=shared("targets/directus/production.har.gz"),
            documented=tuple(_directus_documents(base, roles)),
        )


def _make_role(base: str, admin: str, name: str, token: str) -> None:
    def made(path: str, body: dict[str, Any]) -> str:
        return str(asked(base, "POST", path, body, token=admin)[0]["data"]["id"])

    role = made("/roles", {"name": f"matrix {name}"})
    attached = {"create": [{"role": role}], "update": [], "delete": []}
    policy = {"name": f"matrix {name}", "app_access": APP_ACCESS[name], "admin_access": False}
    policy_id = made("/policies", {**policy, "roles": attached})
    for collection, actions in POLICIES[name].items():
        for action in actions:
            permission = {"policy": policy_id, "collection": collection, "action": action}
            made("/permissions", {**permission, "fields": ["*"], "permissions": {}})
    user = {"email": f"{name}-of-matrix@example.com", "password": f"{name}-of-the-matrix"}
    made("/users", {**user, "role": role, "token": token, "status": "active"})


def _directus_documents(base: str, roles: dict[str, str]) -> Iterator[AccessRule]:
    whole = operations(shared("targets/directus/openapi.json.gz"))
    for role, variable in (*roles.items(), (NOBODY, "")):
        token = os.environ[variable] if variable else ""
        try:
            document, _ = asked(base, "GET", "/server/specs/oas", token=token)
        except urllib.error.HTTPError:
            continue  # it says nothing to this one
        there = set(_named(document))
        for operation in whole:
            yield AccessRule(
                operation_id=operation,
                role=role,
                grant="allowed" if operation in there else "denied",
                source="blueprint",
                document=f"/server/specs/oas for {role}",
                said="is in it" if operation in there else "is not in it",
            )
        yield from _set(role, whole)


def _set(role: str, whole: tuple[str, ...]) -> Iterator[AccessRule]:
    """What the policy of ROLE lets it do to the blog's collections."""
    for operation in whole:
        method, _, path = operation.partition(" ")
        if not path.startswith("/items/"):
            continue
        action = ACTIONS[method]
        let = role == "admin" or action in POLICIES.get(role, {}).get(path.split("/")[2], ())
        yield AccessRule(
            operation_id=operation,
            role=role,
            grant="allowed" if let else "denied",
            source="authorization_map",
            document=f"policy of {role}",
            said=f"{action} {path.split('/')[2]}",
        )
