"""A small service with what the steps about its surroundings need: a database, events, editions, a
clock, a service behind it, signed tokens. Real enough to be wrong about."""

from __future__ import annotations

import base64
import hmac
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = b"a key for tests"
NOW = "2026-06-01T12:00:00Z"

SCHEMA = """
create table sales (id integer primary key, amount numeric(10, 2), currency varchar(3),
                    state text, made timestamp, gift boolean);
create table outbox (number integer primary key, type text);
"""

CONFIG = """
[target]
base_url = "{base}"
disposable = true
edition_header = "x-edition"
[target.reset]
request = "POST /_test/reset"
[roles.Cashier]
bearer = "${{TILL_CASHIER}}"
[roles.Auditor]
bearer = "${{TILL_AUDITOR}}"
"""

BINDINGS = """
[roles]
"the cashier" = "Cashier"

[clock]
headers = { X-Test-Now = "${value}" }

[services.bank]
requests = ["POST /_test/bank/${value}"]
restore = ["POST /_test/bank/200"]

[tokens]
key = "${TILL_KEY}"

[states.sale.refunded]
sql = ["update sales set state = 'refunded' where id = :id"]
read_sql = "select state from sales where id = :id"

[states.sale.open]
role = "Cashier"
read = "GET /sales/${id}"
field = "/state"

[database]
url = "sqlite:///till.db"

[tables]
sales = "sales"
outbox = "outbox"

[events."*"]
read = "GET /_test/events"
list = "/events"
name = "/type"

[events.SaleMade]
table = "outbox"
name = "type"

[events.SaleRefunded]
file = "events.jsonl"
name = "type"
within_ms = 2000

[phrases."a sale of {string} was made"]
accepted = "the tests"
steps = [
    'the actor "ann" has role "Cashier"',
    '"ann" sends "POST" to "/sales" with:',
    '{"amount": ${1}, "currency": "EUR"}',
    'the response field "/id" is saved as "sale_id"',
]

[phrases."{string} refunds the sale {int} times at once"]
accepted = "the tests"
steps = ['"${1}" sends "POST" to "/sales/${sale_id}/refund" ${2} times at once']

[phrases."the till is opened"]
steps = ['the actor "ann" has role "Cashier"']
"""


def token(role: str, **claims: Any) -> str:
    """A JSON Web Token of the till's."""
    parts = [{"alg": "HS256"}, {"role": role, **claims}]
    body = ".".join(_text(json.dumps(part).encode()) for part in parts)
    return f"{body}.{_text(hmac.digest(KEY, body.encode(), 'sha256'))}"


def environment() -> dict[str, str]:
    """What the configuration of a folder with a till takes from the environment."""
    return {
        "TILL_KEY": KEY.decode(),
        "TILL_CASHIER": token("Cashier", exp=4_000_000_000),
        "TILL_AUDITOR": token("Auditor"),
    }


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Till(BaseHTTPRequestHandler):
    """Sales, and one refund of each."""

    protocol_version = "HTTP/1.1"
    folder: Path
    bank = 200
    seen: list[dict[str, str]]
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append({k.lower(): v for k, v in self.headers.items()})
        parts = self.path.strip("/").split("/")
        with self.lock:
            if parts[0] == "_test":
                return self.switch(parts[1:])
            if self.role() != "Cashier":
                return self.reply(403 if self.role() else 401, {"code": "Denied"})
            if parts == ["sales"]:
                return self.sell(json.loads(body))
            return self.refund(int(parts[1]))

    def do_GET(self) -> None:
        self.seen.append({k.lower(): v for k, v in self.headers.items()})
        if self.path.startswith("/_test/events"):
            found = self.rows("select type from outbox")
            return self.reply(200, {"events": [{"type": row[0]} for row in found]})
        if not self.role():
            return self.reply(401, {"code": "Denied"})
        found = self.rows("select id, state from sales where id = ?", int(self.path.split("/")[2]))
        sale = dict(zip(("id", "state"), found[0], strict=True)) if found else {}
        return self.reply(200 if found else 404, sale, etag='"1"')

    def sell(self, sale: dict[str, Any]) -> None:
        if self.headers.get("x-edition") == "lite" and sale["currency"] != "EUR":
            return self.reply(403, {"code": "EditionFeatureMissing"})
        if Till.bank != 200:
            return self.reply(502, {"code": "BankDown", "said": Till.bank})
        if not isinstance(sale["amount"], int | float) or sale["amount"] <= 0:
            return self.reply(422, {"code": "Amount"})
        made = self.headers.get("x-test-now", NOW)
        number = self.rows(
            "insert into sales (amount, currency, state, made, gift) values (?, ?, 'open', ?, 0) "
            "returning id",
            sale["amount"],
            sale["currency"],
            made,
        )[0][0]
        self.tell("SaleMade")
        return self.reply(201, {"id": number, "state": "open", "made": made}, etag='"1"')

    def refund(self, number: int) -> None:
        if not self.rows("select 1 from sales where id = ? and state = 'open'", number):
            return self.reply(409, {"code": "NotOpen"})
        self.rows("update sales set state = 'refunded' where id = ?", number)
        self.tell("SaleRefunded")
        return self.reply(201, {"id": number})

    def switch(self, parts: list[str]) -> None:
        if parts[0] == "bank":
            Till.bank = int(parts[1])
        else:
            self.rows("delete from sales")
            self.rows("delete from outbox")
            (self.folder / "events.jsonl").unlink(missing_ok=True)
        return self.reply(200, {})

    def role(self) -> str:
        """Empty: the token is missing, broken or expired."""
        parts = self.headers.get("authorization", "").removeprefix("Bearer ").split(".")
        if len(parts) != 3 or token_of(parts) is None:
            return ""
        claims = token_of(parts) or {}
        now = datetime.fromisoformat(NOW).timestamp()
        return str(claims["role"]) if claims.get("exp", now + 1) > now else ""

    def tell(self, event: str) -> None:
        self.rows("insert into outbox (type) values (?)", event)
        with (self.folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({"type": event}) + "\n")

    def rows(self, statement: str, *values: Any) -> list[Any]:
        with sqlite3.connect(self.folder / "till.db") as connection:
            return connection.execute(statement, values).fetchall()

    def reply(self, status: int, value: Any, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def token_of(parts: list[str]) -> dict[str, Any] | None:
    """The claims of a token in three PARTS, or None when its signature is wrong."""
    if _text(hmac.digest(KEY, ".".join(parts[:2]).encode(), "sha256")) != parts[2]:
        return None
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    )
    return claims


@contextmanager
def till(folder: Path) -> Iterator[str]:
    """A till that keeps its data in FOLDER, where its configuration is written, too."""
    with sqlite3.connect(folder / "till.db") as connection:
        connection.executescript(SCHEMA)
    handler = type("HereTill", (Till,), {"folder": folder, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    (folder / "premortem.toml").write_text(CONFIG.format(base=base))
    (folder / "premortem.bindings.toml").write_text(BINDINGS)
    try:
        yield base
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
