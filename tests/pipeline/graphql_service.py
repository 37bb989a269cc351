"""A small shop that speaks GraphQL over HTTP, executed by graphql-core."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from graphql import GraphQLError, GraphQLSchema, build_schema, graphql_sync

SDL = """
enum Size { SMALL LARGE }
type Item { id: ID!  name: String!  price: Float!  size: Size }
type Order { id: ID!  items: [Item!]!  note: String }
input NewItem { name: String!  price: Float!  size: Size }
type Query {
  items(size: Size, first: Int): [Item!]!
  item(id: ID!): Item
  order(id: ID!): Order
}
type Mutation {
  addItem(item: NewItem!): Item!
  placeOrder(itemIds: [ID!]!, note: String): Order!
}
"""


class Shop:
    """Items and orders by id."""

    def __init__(self, *, broken: bool) -> None:
        self._broken = broken
        self.items: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, Any]] = {}

    def item(self, _: Any, _info: Any, id: str) -> Any:  # noqa: A002 - the schema's name
        return self.items.get(id)

    def order(self, _: Any, _info: Any, id: str) -> Any:  # noqa: A002
        return self.orders.get(id)

    def items_(self, _: Any, _info: Any, size: str | None = None, first: int | None = None) -> Any:
        found = [i for i in self.items.values() if size in (None, i["size"])]
        if self._broken and first == 0:
            raise ZeroDivisionError("division by zero")
        return found if first is None else found[: max(0, first)]

    def addItem(self, _: Any, _info: Any, item: dict[str, Any]) -> Any:  # noqa: N802
        made = {"size": None, **item, "id": f"item-{len(self.items) + 1}"}
        self.items[made["id"]] = made
        return made

    def placeOrder(  # noqa: N802
        self,
        _: Any,
        _info: Any,
        itemIds: list[str],  # noqa: N803
        note: str | None = None,
    ) -> Any:
        found = [self.items[i] for i in itemIds if i in self.items]
        made = {"id": f"order-{len(self.orders) + 1}", "items": found, "note": note}
        self.orders[made["id"]] = made
        return made


def _schema(shop: Shop) -> GraphQLSchema:
    schema = build_schema(SDL)
    resolvers = {
        "Query": {"item": shop.item, "order": shop.order, "items": shop.items_},
        "Mutation": {"addItem": shop.addItem, "placeOrder": shop.placeOrder},
    }
    for type_name, fields in resolvers.items():
        for name, resolve in fields.items():
            schema.type_map[type_name].fields[name].resolve = resolve  # type: ignore[attr-defined]
    return schema


@contextmanager
def graphql_shop(*, broken: bool = False) -> Iterator[str]:
    """Its base URL; it answers `POST /graphql`. BROKEN: `items(first: 0)` divides by zero."""
    schema = _schema(Shop(broken=broken))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            self._answer(200, {"ok": True})

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                body = json.loads(data)
                with lock:
                    done = graphql_sync(
                        schema, body["query"], variable_values=body.get("variables") or {}
                    )
            except (ValueError, TypeError, KeyError, AttributeError):
                self._answer(400, {"errors": [{"message": "no GraphQL request"}]})
                return
            said: dict[str, Any] = {"data": done.data}
            if done.errors:
                said["errors"] = [
                    {"message": e.message, "extensions": {"code": _code(e.original_error)}}
                    for e in done.errors
                ]
            self._answer(200, said)

        def _answer(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _code(error: BaseException | None) -> str:
    mine = error is not None and not isinstance(error, GraphQLError)
    return "INTERNAL_SERVER_ERROR" if mine else "BAD_USER_INPUT"
