"""The three services: where they are, how they start, who signs in, what nobody may call."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
TARGETS = ROOT.parent / "shared" / "targets"
ADMIN_SECRET = "ZYXWVUTSRQponmlkjihgfedcba9876543210abcd"
ADMIN_TOKEN = "admintoken1234567890"
EDITOR_TOKEN = "edtoken123456"


class Prepare(Protocol):
    """Fills a run's own folder; gives the environment."""

    def __call__(self, folder: Path, *, port: int) -> Mapping[str, str]:
        """For a service on the loopback's PORT."""


class Command(Protocol):
    """What starts the service; its program stands first."""

    def __call__(self, folder: Path, *, port: int) -> list[str]:
        """In FOLDER, on the loopback's PORT."""


class Service(Struct, frozen=True, kw_only=True):
    """One service under test and how it is measured."""

    name: str
    base_path: str = ""
    """What the specification's paths are relative to."""
    ready: str
    ready_s_max: float = 900.0
    language: Literal["python", "node"]
    """Of its log and its coverage."""
    own: str
    """A frame is the service's own where its file's path holds this."""
    covered: Path
    """The directory whose branches (lines for Node) are counted."""
    uncovered: tuple[str, ...] = ()
    """Globs below it that are not: what only tests of it bring along."""
    concurrency: str = "thread"
    excluded: tuple[str, ...] = ()
    """`METHOD /template` as in the specification: operations that destroy the caller's own access
    or look up hosts outside. Neither side sends them, and the proxy lets none through."""
    from_setup: tuple[str, ...] = ()
    """Regular expressions for errors that come from how it is set up here, not from its code."""
    prepare: Prepare
    command: Command
    peer_credentials: tuple[str, ...]
    """Arguments for Schemathesis."""
    accounts: tuple[tuple[str, str, str], ...] = ()
    """(method, path, JSON body) sent before Schemathesis begins: the accounts it signs in with."""
    probe: tuple[str, str]
    """(path, Authorization): answers 2xx as long as the caller has access."""
    roles: str
    """Tables of premortem.toml."""
    environment: Mapping[str, str]
    """What the roles' credentials are read from."""

    @property
    def spec(self) -> Path:
        """Its OpenAPI document."""
        return TARGETS / self.name / "openapi.json.gz"

    @property
    def recording(self) -> Path:
        """Its recorded session."""
        return TARGETS / self.name / "production.har.gz"

    @property
    def unit(self) -> str:
        """What is counted in its code."""
        return "branches" if self.language == "python" else "lines"

    def comes_from_setup(self, message: str) -> bool:
        """Whether an error with this MESSAGE is due to how the service is set up here."""
        return any(re.search(pattern, message) for pattern in self.from_setup)

    def refused(self) -> re.Pattern[str]:
        """Finds excluded operations in `METHOD /path` as they are sent."""
        forms = []
        for operation in self.excluded:
            method, _, path = operation.partition(" ")
            segments = re.sub(r"\\{[^}]*\\}", "[^/?]+", re.escape(self.base_path + path))
            forms.append(f"{method} {segments}/?(\\?.*)?")
        return re.compile("|".join(f"(?:{form})" for form in forms) or r"(?!)")


def _site(venv: str, *parts: str) -> Path:
    found = sorted((BUILD / venv / "lib").glob("python3*/site-packages"))
    base = found[-1] if found else BUILD / venv / "lib" / "python3" / "site-packages"
    # Resolved: coverage.py and V8 name files by where they really lie.
    return base.joinpath(*parts).resolve()


def _kinto_prepared(folder: Path, *, port: int) -> Mapping[str, str]:  # noqa: ARG001
    accounts = "                 kinto.plugins.accounts\n"
    text = (TARGETS / "kinto" / "kinto.ini").read_text()
    # The plugin that empties it: reproducing a finding needs a fresh state.
    text = text.replace(accounts, accounts + accounts.replace("accounts", "flush"))
    (folder / "kinto.ini").write_text(text)
    return {"KINTO_INI": str(folder / "kinto.ini")}


def _kinto_command(folder: Path, *, port: int) -> list[str]:
    program = str(BUILD / "kinto" / "bin" / "kinto")
    return [program, "start", "--ini", str(folder / "kinto.ini"), "--port", str(port)]


def _phoenix_prepared(folder: Path, *, port: int) -> Mapping[str, str]:
    return {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_PORT": str(port),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_GRPC_PORT": str(port + 1),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ENABLE_AUTH": "true",
        "PHOENIX_SECRET": "abcdEFGH1234567890abcdEFGH1234567890ab",
        "PHOENIX_ADMIN_SECRET": ADMIN_SECRET,
    }


def _phoenix_command(folder: Path, *, port: int) -> list[str]:  # noqa: ARG001
    return [str(BUILD / "phoenix" / "bin" / "phoenix"), "serve"]


def directus_environment(port: int) -> dict[str, str]:
    """env.example with PORT, and a log that a program can read."""
    lines = (TARGETS / "directus" / "env.example").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    return {**settings, "PORT": str(port), "LOG_STYLE": "raw"}


def _directus_prepared(folder: Path, *, port: int) -> Mapping[str, str]:
    shutil.copy(BUILD / "directus" / "seed" / "db.sqlite", folder / "db.sqlite")
    for name in ("uploads", "ext", "v8"):
        (folder / name).mkdir(exist_ok=True)
    return {**directus_environment(port), "NODE_V8_COVERAGE": str(folder / "v8")}


def directus_command(folder: Path, *, port: int) -> list[str]:  # noqa: ARG001
    """Directus without npx between, so that a signal reaches it."""
    program = BUILD / "directus" / "node_modules" / "directus" / "cli.js"
    return [shutil.which("node") or "node", str(program), "start"]


def _basic(*names: str) -> str:
    return "".join(
        f'[roles.{name}]\nbasic = "{name}:${{{name.upper()}_PASSWORD}}"\n' for name in names
    )


PEOPLE = ("alice", "bob", "carol")

KINTO = Service(
    name="kinto",
    base_path="/v1",
    ready="/v1/__heartbeat__",
    language="python",
    own="/site-packages/kinto/",
    covered=_site("kinto", "kinto"),
    uncovered=("*/kinto/plugins/flush.py",),
    excluded=(
        "DELETE /accounts",
        "DELETE /accounts/{id}",
        "PATCH /accounts/{id}",
        "DELETE /__user_data__/{principal}",
    ),
    from_setup=(r"Version file missing",),
    prepare=_kinto_prepared,
    command=_kinto_command,
    peer_credentials=("--auth", "alice:alicepw"),
    accounts=tuple(
        ("PUT", f"/v1/accounts/{name}", f'{{"data": {{"password": "{name}pw"}}}}')
        for name in PEOPLE
    ),
    probe=("/v1/buckets", "Basic YWxpY2U6YWxpY2Vwdw=="),
    roles='[target.reset]\nrequest = "POST /v1/__flush__"\n' + _basic(*PEOPLE),
    environment={f"{name.upper()}_PASSWORD": f"{name}pw" for name in PEOPLE},
)

PHOENIX = Service(
    name="phoenix",
    ready="/healthz",
    language="python",
    own="/site-packages/phoenix/",
    covered=_site("phoenix", "phoenix", "server", "api", "routers", "v1"),
    concurrency="thread,greenlet",
    excluded=(
        "POST /v1/chat/completions",
        "POST /v1/agent_sessions",
        "GET /v1/agent_sessions",
        "PATCH /v1/agent_sessions/{session_id}",
        "GET /v1/agent_sessions/{session_id}",
        "GET /v1/agent_sessions/{session_id}/messages",
        "POST /v1/agent_sessions/{session_id}/compact",
        "POST /v1/agent_sessions/{session_id}/tool_outputs",
        "POST /v1/agent_sessions/{session_id}/tool_approvals",
        "POST /v1/agent_sessions/{session_id}/chat",
    ),
    prepare=_phoenix_prepared,
    command=_phoenix_command,
    peer_credentials=("--header", f"Authorization: Bearer {ADMIN_SECRET}"),
    probe=("/v1/projects", f"Bearer {ADMIN_SECRET}"),
    roles='[roles.Admin]\nbearer = "${PHOENIX_ADMIN_SECRET}"\n',
    environment={"PHOENIX_ADMIN_SECRET": ADMIN_SECRET},
)

DIRECTUS = Service(
    name="directus",
    ready="/server/ping",
    language="node",
    own="/node_modules/@directus/",
    covered=BUILD / "directus" / "node_modules" / "@directus" / "api" / "dist",
    uncovered=("*.test.js", "*/migrations/*"),
    excluded=(
        "PATCH /users",
        "DELETE /users",
        "PATCH /users/{id}",
        "DELETE /users/{id}",
        "PATCH /users/me",
        "POST /users/me/tfa/enable",
        "PATCH /roles",
        "DELETE /roles",
        "PATCH /roles/{id}",
        "DELETE /roles/{id}",
        "POST /files/import",
    ),
    from_setup=(r"sendmail ENOENT",),
    prepare=_directus_prepared,
    command=directus_command,
    peer_credentials=("--header", f"Authorization: Bearer {ADMIN_TOKEN}"),
    probe=("/users/me", f"Bearer {ADMIN_TOKEN}"),
    roles='[roles.admin]\nbearer = "${DIRECTUS_ADMIN_TOKEN}"\n'
    '[roles.editor]\nbearer = "${DIRECTUS_EDITOR_TOKEN}"\n',
    environment={"DIRECTUS_ADMIN_TOKEN": ADMIN_TOKEN, "DIRECTUS_EDITOR_TOKEN": EDITOR_TOKEN},
)

SERVICES = {service.name: service for service in (KINTO, PHOENIX, DIRECTUS)}


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's, unbuffered, with EXTRA."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **extra}
