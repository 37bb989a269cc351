"""A depot that takes orders and delivers them: a service in this process, with a few ways to be
wrong, and the traffic that its people make. No server, no ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from premortem.domain.run import Case, Sent
from premortem.domain.traffic import Exchange, Profile, Request, Response, Tags
from premortem.learn import learn_profile

ROLES = ("Clerk", "Manager", "Driver", "ann", "ben")
JSON = (("content-type", "application/json"),)


class Refused(Exception):
    """The depot says no."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Depot:
    """Orders and notes in memory. DEFECTS: what is not looked at."""

    defects: frozenset[str] = frozenset()
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    deliveries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, tuple[int, Any, tuple[tuple[str, str], ...]]] = field(default_factory=dict)
    made: int = 0

    def handle(self, request: Request, role: str) -> Response:
        """The answer to REQUEST of ROLE."""
        key = request.header("idempotency-key")
        if key and key in self.keys and "key" not in self.defects:
            return _response(*self.keys[key])
        try:
            status, value, headers = self._route(request, role)
        except Refused as refusal:
            return _response(refusal.status, {"code": refusal.code, "message": "no"}, ())
        if key:
            self.keys[key] = (status, value, headers)
        return _response(status, value, headers)

    def _route(self, request: Request, role: str) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        body = json.loads(request.body) if request.body else {}
        parts = request.path.strip("/").split("/")
        match (request.method, *parts):
            case ("POST", "notes"):
                note = {"id": self._id("note"), "text": body["text"], "owner": role}
                self.notes[note["id"]] = note
                return 201, note, ()
            case ("GET", "notes", identity):
                return self._note(identity, role)
            case ("POST", "deliveries", identity, "sign"):
                return 200, {"id": identity, "signed_by": role}, ()
            case ("POST", "orders"):
                return self._order(body)
            case (method, "orders", identity, *rest):
                order = self.orders.get(identity)
                if order is None:
                    raise Refused(404, "OrderNotFound")
                return self._on(order, method, rest, body, request, role)
        raise Refused(404, "NoSuchPath")

    def _id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{sha256(f'{kind}{self.made}'.encode()).hexdigest()[:10]}"

    def _note(self, identity: str, role: str) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        note = self.notes.get(identity)
        if note is None:
            raise Refused(404, "NoteNotFound")
        if note["owner"] != role and "owner" not in self.defects:
            raise Refused(403, "NotYours")
        return 200, note, ()

    def _order(self, body: dict[str, Any]) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        order = {"id": self._id("ord"), "status": "open", "version": 1, "confirmations": 0, **body}
        self.orders[order["id"]] = order
        self.deliveries[order["id"]] = []
        return 201, dict(order), _tag(order)

    def _on(
        self,
        order: dict[str, Any],
        method: str,
        rest: list[str],
        body: dict[str, Any],
        request: Request,
        role: str,
    ) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        sent = self.deliveries[order["id"]]
        match (method, *rest):
            case ("GET",):
                return 200, dict(order), _tag(order)
            case ("DELETE",):
                del self.orders[order["id"]]
                return 204, None, ()
            case ("GET", "deliveries"):
                return 200, {"items": sent}, ()
            case ("PATCH",):
                self._edit(order, body, request.header("if-match"))
            case ("POST", "confirm"):
                if role != "Manager":
                    raise Refused(403, "ManagersOnly")
                if order["status"] == "open" or "counted" in self.defects:
                    order["confirmations"] += 1
                if order["status"] != "open" and "confirm" not in self.defects:
                    raise Refused(409, "OrderNotOpen")
                order["status"] = "confirmed"
            case ("POST", "cancel"):
                if sent and "cancel" not in self.defects:
                    raise Refused(409, "OrderNotCancellable")
                order["status"] = "cancelled"
            case ("POST", "deliveries"):
                return self._deliver(order, sent, body)
            case _:
                raise Refused(404, "NoSuchPath")
        return 200, dict(order), _tag(order)

    def _edit(self, order: dict[str, Any], body: dict[str, Any], wanted: str | None) -> None:
        if wanted and wanted != _tag(order)[0][1] and "version" not in self.defects:
            raise Refused(412, "VersionMismatch")
        if order["status"] != "open" and "edit" not in self.defects:
            raise Refused(409, "OrderNotOpen")
        order |= {**body, "version": order["version"] + 1}

    def _deliver(
        self, order: dict[str, Any], sent: list[dict[str, Any]], body: dict[str, Any]
    ) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        if order["status"] != "confirmed" and "deliver" not in self.defects:
            raise Refused(409, "OrderNotConfirmed")
        total = sum(d["quantity"] for d in sent) + body["quantity"]
        if total > order["quantity"] and "total" not in self.defects:
            raise Refused(409, "QuantityExceeded")
        delivery = {"id": self._id("del"), "quantity": body["quantity"], "order": order["id"]}
        sent.append(delivery)
        if "twice" in self.defects:
            sent.append({**delivery, "id": self._id("del")})
        return 201, dict(delivery), ()


def _tag(order: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (("etag", f'"{order["version"]}"'),)


def _response(status: int, value: Any, headers: tuple[tuple[str, str], ...]) -> Response:
    body = b"" if value is None else json.dumps(value).encode()
    return Response(status=status, headers=(*(JSON if body else ()), *headers), body=body)


class Client:
    """Sends scenarios to a depot; what is sent at once arrives one by one."""

    def __init__(self, depot: Depot) -> None:
        self.depot = depot

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send_case(
        self, case: Case, answers: Sequence[Response | None], intended_at: float
    ) -> Sent:
        await asyncio.sleep(0)
        response = self.depot.handle(case.request, case.role)
        return Sent(request=case.request, response=response, duration_ms=1.0)


class People:
    """Writes down what they ask of a correct depot."""

    def __init__(self) -> None:
        self.depot = Depot()
        self.exchanges: list[Exchange] = []
        self.visit = 0

    def ask(
        self, role: str, method: str, path: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        request = Request(
            method=method,
            origin="http://depot",
            path=path,
            headers=(*(JSON if data else ()), *named),
            body=data,
        )
        response = self.depot.handle(request, role)
        self.exchanges.append(
            Exchange(
                request=request,
                response=response,
                started_at=1_000.0 + len(self.exchanges),
                duration_ms=2.0,
                tags=Tags(role=role, session=f"visit-{self.visit}"),
            )
        )
        value: dict[str, Any] = json.loads(response.body) if response.body else {}
        return value

    def order(self, item: str, quantity: int) -> str:
        """A new visit that begins with an order."""
        self.visit += 1
        made = self.ask("Clerk", "POST", "/orders", {"item": item, "quantity": quantity})
        return f"/orders/{made['id']}"


def production() -> dict[str, Exchange]:
    """Five days of the depot's people, honest mistakes included; always the same."""
    people = People()
    for number, item in enumerate(("tea", "rice flour", "salt", "oat bran", "corn", "wheat germ")):
        path = people.order(item, 10 + number)
        tag = f'"{1}"'
        people.ask("Clerk", "PATCH", path, {"item": f"{item} again"}, if_match=tag)
        people.ask("Clerk", "GET", path)
        people.ask("Manager", "POST", f"{path}/confirm")
        part = {"quantity": 4 + number % 3}
        delivery = people.ask("Driver", "POST", f"{path}/deliveries", part)
        people.ask("Clerk", "GET", f"{path}/deliveries")
        if number % 3 == 0:
            people.ask("Driver", "POST", f"{path}/deliveries", {"quantity": 90 + number})
            people.ask("Clerk", "POST", f"{path}/cancel")
        if number % 3 == 1:
            people.ask("Clerk", "PATCH", path, {"item": "late"})
            people.ask("Clerk", "POST", f"/deliveries/{delivery['id']}/sign")
        people.ask("Clerk", "GET", path)
    for number in range(4):
        path = people.order("sugar", 20 + number)
        people.ask("Clerk", "GET", path)
        people.ask("Clerk", "POST", f"{path}/cancel")
        people.ask("Clerk", "GET", path)
        people.ask("Driver", "POST", f"{path}/deliveries", {"quantity": 3})
    for number in range(3):
        path = people.order("honey", 30 + number)
        people.ask("Clerk", "PATCH", path, {"quantity": 31}, if_match='"7"')
        people.ask("Clerk", "DELETE", path)
        people.ask("Clerk", "GET", path)
    for owner, other in (("ann", "ben"), ("ben", "ann")):
        people.visit += 1
        note = people.ask(owner, "POST", "/notes", {"text": f"from {owner}"})
        people.ask(owner, "GET", f"/notes/{note['id']}")
        people.ask(other, "GET", f"/notes/{note['id']}")
    for _ in range(2):
        people.visit += 1
        body = {"item": "nuts", "quantity": 5}
        for _ in range(2):
            people.ask("Clerk", "POST", "/orders", body, idempotency_key=f"key-{people.visit}-77")
    return {exchange.id: exchange for exchange in people.exchanges}


def learned(exchanges: dict[str, Exchange]) -> Profile:
    """What is learned of EXCHANGES, without a specification."""
    return learn_profile(lambda: iter(exchanges.values()), spec=None, now=0.0)
