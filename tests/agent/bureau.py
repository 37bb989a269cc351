"""A bureau that keeps accounts: sessions, a log, reports that are calculated, days in time zones.
A service in this process with a few ways to be wrong, its document, and its people's traffic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from premortem.agent.steps.bindings import Bindings
from premortem.agent.steps.hooks import Clock
from premortem.config import Login
from premortem.domain.run import Case, Sent
from premortem.domain.traffic import Exchange, Profile, Request, Response, Tags
from premortem.learn import learn_profile, load_spec

ROLES = ("Clerk", "Head")
JSON = (("content-type", "application/json"),)
EVENTS = ("account.opened", "account.closed", "account.frozen", "account.renamed")
BINDINGS = Bindings(
    clock=Clock(headers={"X-Now": "${value}"}),
    logins={role: Login(json={"role": role}) for role in ROLES},
)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Refused(Exception):
    """The bureau says no."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Bureau:
    """Accounts and bookings in memory. DEFECTS: what it gets wrong."""

    defects: frozenset[str] = frozenset()
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    bookings: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    made: int = 0

    def handle(self, request: Request, role: str) -> Response:
        """The answer to REQUEST of ROLE, or of who its session belongs to."""
        token = (request.header("authorization") or "").removeprefix("Bearer ")
        role = role or self.sessions.get(token, ("", ""))[0]
        try:
            status, value = self._route(request, role)
        except Refused as refusal:
            status, value = refusal.status, {"code": f"Refused{refusal.status}"}
        except ZeroDivisionError:
            status, value = 500, {"code": "Crashed"}
        body = b"" if value is None else json.dumps(value).encode()
        return Response(status=status, headers=JSON if body else (), body=body)

    def _route(self, request: Request, role: str) -> tuple[int, Any]:
        body = json.loads(request.body) if request.body else {}
        query = dict(request.query)
        parts = request.path.strip("/").split("/")
        if (request.method, parts) == ("POST", ["login"]):
            return self._login(body)
        if not role:
            raise Refused(401)
        match (request.method, *parts):
            case ("DELETE", "sessions", identity):
                return self._end(identity)
            case ("GET", "log"):
                found = (e for e in self.log if all(e[k] == v for k, v in query.items()))
                return 200, {"entries": list(found)}
            case ("GET", "reports", "vat"):
                return 200, self._vat()
            case ("GET", "reports", "day"):
                return 200, self._day(**query)
            case ("GET", "accounts"):
                return 200, {"accounts": list(self.accounts.values())}
            case ("POST", "accounts"):
                account = {"id": self._id("acc"), "name": body["name"], "open": True}
                self.accounts[account["id"]] = account
                self._note("account.opened", account)
                return 201, {**account, "by": role}
            case (_, "accounts", identity, *rest):
                if identity not in self.accounts:
                    raise Refused(404)
                return self._on(self.accounts[identity], request, rest, body)
        raise Refused(404)

    def _login(self, body: dict[str, Any]) -> tuple[int, Any]:
        token, identity = self._id("token"), self._id("ses")
        self.sessions[token] = (body["role"], identity)
        return 200, {"token": token, "session_id": identity}

    def _end(self, identity: str) -> tuple[int, Any]:
        for token, (_, known) in list(self.sessions.items()):
            if known == identity and "session" not in self.defects:
                del self.sessions[token]
        return 204, None

    def _on(
        self, account: dict[str, Any], request: Request, rest: list[str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        own = [b for b in self.bookings if b["account"] == account["id"]]
        match (request.method, *rest):
            case ("GET", "summary"):
                total = sum(b["amount"] for b in own)
                average = total / len(own) if own or "fresh" in self.defects else 0
                return 200, {"bookings": len(own), "total": total, "average": average}
            case ("POST", "bookings"):
                at = request.header("x-now") or NOW.isoformat()
                booking = {"id": self._id("boo"), "account": account["id"], "at": at, **body}
                self.bookings.append({"vat": 0, **booking})
                return 201, booking
            case ("POST", "rename" | "freeze" as action):
                word = {"rename": "account.renamed", "freeze": "account.frozen"}[action]
                self._note(word, account)
                return 200, account
            case ("POST", "close"):
                if not account["open"]:
                    raise Refused(409)
                account["open"] = False
                if "log" not in self.defects:
                    self._note("account.closed", account)
                return 200, account
        raise Refused(404)

    def _vat(self) -> dict[str, Any]:
        gross = sum(b["amount"] for b in self.bookings)
        vat = sum(b["amount"] * b["vat"] // 100 for b in self.bookings)
        return {"gross": gross, "vat": vat, "net": gross if "net" in self.defects else gross - vat}

    def _day(self, day: str, zone: str) -> dict[str, Any]:
        there = UTC if "zone" in self.defects else ZoneInfo(zone)
        days = [datetime.fromisoformat(b["at"]).astimezone(there).date() for b in self.bookings]
        return {"day": day, "bookings": sum(one.isoformat() == day for one in days)}

    def _note(self, event: str, account: dict[str, Any]) -> None:
        self.log.append({"id": self._id("log"), "event": event, "thing": account["id"]})

    def _id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{sha256(f'{kind}{self.made}'.encode()).hexdigest()[:10]}"


class Client:
    """Sends scenarios to a bureau."""

    def __init__(self, bureau: Bureau) -> None:
        self.bureau = bureau

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        await asyncio.sleep(0)
        response = self.bureau.handle(case.request, case.role)
        return Sent(request=case.request, response=response, duration_ms=1.0)


def _answer(**members: str) -> dict[str, Any]:
    properties = {name: {"type": kind} for name, kind in members.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"description": "ok", "content": {"application/json": {"schema": schema}}}


def _body(**members: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": members, "required": [next(iter(members))]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _query(**schemas: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def document() -> dict[str, Any]:
    """The bureau's OpenAPI document."""
    text, number = {"type": "string"}, {"type": "integer"}
    account = {"parameters": [{"name": "account_id", "in": "path", "required": True}]}
    named = _answer(id="string", name="string")
    vat = _answer(gross="integer", vat="integer", net="integer")
    vat["content"]["application/json"]["schema"]["description"] = "`net` = `gross` - `vat`."
    denied = {"401": {"description": "Not signed in"}, "404": {"description": "Unknown"}}
    acts = {
        f"/accounts/{{account_id}}/{name}": {
            **account,
            "post": {"responses": {"200": named, "409": {"description": "No"}, **denied}},
        }
        for name in ("close", "rename", "freeze")
    }
    zones = {"type": "string", "enum": ["UTC", "Europe/Berlin", "Asia/Tokyo"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bureau", "version": "1"},
        "paths": {
            "/login": {
                "post": {
                    "requestBody": _body(role=text),
                    "responses": {"200": _answer(token="string", session_id="string")},
                }
            },
            "/sessions/{session_id}": {
                "parameters": [{"name": "session_id", "in": "path", "required": True}],
                "delete": {"responses": {"204": {"description": "Ended"}, **denied}},
            },
            "/accounts": {
                "get": {"responses": {"200": _answer(accounts="array"), **denied}},
                "post": {"requestBody": _body(name=text), "responses": {"201": named, **denied}},
            },
            "/accounts/{account_id}/summary": {
                **account,
                "get": {"responses": {"200": _answer(total="integer", average="number"), **denied}},
            },
            "/accounts/{account_id}/bookings": {
                **account,
                "post": {
                    "requestBody": _body(amount=number, vat={**number, "enum": [0, 7, 19]}),
                    "responses": {"201": _answer(id="string"), **denied},
                },
            },
            **acts,
            "/reports/vat": {"get": {"responses": {"200": vat, **denied}}},
            "/reports/day": {
                "get": {
                    "parameters": _query(day={**text, "format": "date"}, zone=zones),
                    "responses": {"200": _answer(day="string", bookings="integer"), **denied},
                }
            },
            "/log": {
                "get": {
                    "parameters": _query(thing=text, event={**text, "enum": list(EVENTS)}),
                    "responses": {"200": _answer(entries="array"), **denied},
                }
            },
        },
    }


class People:
    """Writes down what they ask of a correct bureau."""

    def __init__(self) -> None:
        self.bureau = Bureau()
        self.exchanges: list[Exchange] = []
        self.visit = 0

    def ask(self, method: str, path: str, body: Any = None, role: str = "Clerk") -> dict[str, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        pairs = tuple((n, v) for n, _, v in (pair.partition("=") for pair in query.split("&")) if n)
        request = Request(
            method=method,
            origin="http://bureau",
            path=path,
            query=pairs,
            headers=JSON if data else (),
            body=data,
        )
        response = self.bureau.handle(request, role)
        self.exchanges.append(
            Exchange(
                request=request,
                response=response,
                started_at=NOW.timestamp() + len(self.exchanges),
                duration_ms=2.0,
                tags=Tags(role=role, session=f"visit-{self.visit}"),
            )
        )
        value: dict[str, Any] = json.loads(response.body) if response.body else {}
        return value


def production() -> dict[str, Exchange]:
    """Some days of the bureau's people; always the same."""
    people = People()
    for number, name in enumerate(("tea house", "bakery", "forge", "mill", "tailor", "printer")):
        people.visit += 1
        made = people.ask("POST", "/accounts", {"name": name})
        path = f"/accounts/{made['id']}"
        people.ask("POST", f"{path}/bookings", {"amount": 100 + number, "vat": (0, 19)[number % 2]})
        people.ask("GET", f"{path}/summary")
        for turn, action in enumerate(("rename", "freeze", "close")):
            if (number + turn) % 2 or action == "close":
                people.ask("POST", f"{path}/{action}")
        if number % 3 == 0:
            people.ask("POST", f"{path}/close")
        people.ask("GET", f"/log?thing={made['id']}", role="Head")
        people.ask("GET", "/reports/vat", role="Head")
        people.ask("GET", "/reports/day?day=2026-03-02&zone=UTC", role="Head")
        people.ask("GET", "/accounts")
        people.visit += 1
        opened = people.ask("POST", "/login", {"role": "Clerk"}, role="")
        people.ask("GET", "/accounts", role="")
        people.ask("DELETE", f"/sessions/{opened['session_id']}")
    return {exchange.id: exchange for exchange in people.exchanges}


def learned(exchanges: dict[str, Exchange], folder: Path) -> Profile:
    """What is learned of EXCHANGES and the bureau's document, which is written into FOLDER."""
    path = folder / "openapi.json"
    path.write_text(json.dumps(document()))
    return learn_profile(lambda: iter(exchanges.values()), spec=load_spec(path), now=0.0)
