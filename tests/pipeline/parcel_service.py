"""A parcel depot whose answers do not call things what its paths call them.

A parcel comes to be by an intake, whose answer calls it a receipt; the document says by a link
where that goes. A van is told of by its address alone (`Location`).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "string"}}
VAN = {"name": "van_id", "in": "path", "required": True, "schema": {"type": "string"}}
FOUND = {"200": {"description": "found"}, "404": {"description": "unknown"}}


def body(**members: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": [*members],
        "properties": members,
        "additionalProperties": False,
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def document(*, linked: bool) -> dict[str, Any]:
    """LINKED: with the links from an intake to what is done with its parcel."""
    links = {
        "label": {
            "operationId": "printLabel",
            "parameters": {"path.number": "$response.body#/receipt/code"},
        },
        "loading": {
            "operationRef": "#/paths/~1loadings/post",
            "requestBody": {"cargo": "{$response.body#/receipt/code}"},
        },
    }
    receipt = {"type": "object", "properties": {"receipt": {"type": "object"}}}
    taken = {"description": "taken in", "content": {"application/json": {"schema": receipt}}}
    refused = {"422": {"description": "refused"}}
    weight = {"type": "integer", "minimum": 1, "maximum": 30}
    copies = {"type": "integer", "minimum": 1, "maximum": 9}
    seats = {"type": "integer", "minimum": 1, "maximum": 9}
    address = {"location": {"schema": {"type": "string"}}}
    asked = [NUMBER, {"name": "copies", "in": "query", "schema": copies}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Depot", "version": "1"},
        "paths": {
            "/intakes": {
                "post": {
                    "requestBody": body(weight=weight),
                    "responses": {"201": taken | ({"links": links} if linked else {}), **refused},
                }
            },
            "/parcels/{number}/label": {
                "get": {
                    "operationId": "printLabel",
                    "parameters": asked,
                    "responses": {**FOUND, **refused},
                }
            },
            "/loadings": {
                "post": {
                    "requestBody": body(cargo={"type": "string"}),
                    "responses": {"201": {"description": "loaded"}, **refused},
                }
            },
            "/vans": {
                "post": {
                    "requestBody": body(seats=seats),
                    "responses": {"201": {"description": "bought", "headers": address}, **refused},
                }
            },
            "/vans/{van_id}": {"get": {"parameters": [VAN], "responses": FOUND}},
        },
    }


class Depot:
    """What there is, and how often somebody asked for what is there."""

    def __init__(self) -> None:
        self.parcels: dict[str, int] = {}
        self.vans: dict[str, int] = {}
        self.bought = self.labels = self.loaded = self.seen = 0

    def answer(self, method: str, target: str, sent: Any) -> tuple[int, Any, str]:
        """(status, body, address of what was made)."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        whole = sent if isinstance(sent, dict) else {}
        if (method, path) == ("POST", "/intakes"):
            if not _within(whole.get("weight"), 30):
                return 422, {}, ""
            code = f"p-{len(self.parcels) * 7919 + 104729}"
            self.parcels[code] = whole["weight"]
            return 201, {"receipt": {"code": code}}, ""
        if (method, path) == ("POST", "/vans"):
            if not _within(whole.get("seats"), 9):
                return 422, {}, ""
            self.bought += 1
            name = f"{self.bought * 31 + 1009}"
            self.vans[name] = whole["seats"]
            return 201, None, f"/vans/{name}"
        if (method, path) == ("POST", "/loadings"):
            known = str(whole.get("cargo")) in self.parcels
            self.loaded += known
            return (201 if known else 422), {}, ""
        return self._found(method, path, query.get("copies", ["1"])[0])

    def _found(self, method: str, path: str, copies: str) -> tuple[int, Any, str]:
        named = re.fullmatch(r"/(parcels|vans)/([^/]+)(/label)?", path)
        if method != "GET" or named is None:
            return 405 if named else 404, {}, ""
        if named[1] == "vans":
            known = named[2] in self.vans
            self.seen += known
            return (200 if known else 404), {}, ""
        if named[2] not in self.parcels:
            return 404, {}, ""
        self.labels += 1
        if copies == "0":
            return 500, {"error": "ZeroDivisionError: division by zero"}, ""
        return (200 if copies.isdecimal() and int(copies) < 10 else 422), {}, ""


def _within(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


@contextmanager
def depot() -> Iterator[tuple[str, Depot]]:
    """Its base URL, and what it knows of itself."""
    state, lock = Depot(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def _serve(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                sent = json.loads(data) if data else None
            except ValueError:
                sent = None
            with lock:
                status, told, address = state.answer(self.command, self.path, sent)
            answer = b"" if told is None else json.dumps(told).encode()
            self.send_response(status)
            if address:
                self.send_header("location", f"http://{self.headers['host']}{address}")
            if answer:
                self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815

        def log_message(self, *_args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", state
    finally:
        server.shutdown()
        server.server_close()
