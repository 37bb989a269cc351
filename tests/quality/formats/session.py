"""One visit to the ledger by requests, under vcrpy or Betamax.

Run by `record.py` with the Python that has those three: session.py BASE FOLDER vcrpy|betamax.
Writes the cassettes and `sent.json` (`sent-betamax.json`): what was sent and what came back, as
the client saw it.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from pathlib import Path

import requests
import vcr
from betamax import Betamax


def steps(client: Client, *, head: bool) -> None:
    """Every kind of message that the formats may treat differently."""
    client.send("GET", "/health")
    client.send("GET", "/invoices")  # nobody is signed in
    for user in ("guest", "cashier", "finance", "support"):
        client.sign_in(user)
    body = {
        "customer": "Zoë & Söhne <Straße>",
        "amount": 120.5,
        "currency": "EUR",
        "due_date": "2026-12-01",
        "description": 'a "quoted" \\ line\nand another, 東京 ✓',
    }
    made = client.send("POST", "/invoices", user="cashier", json=body)
    invoice = made.json().get("id", "none")
    client.send("POST", "/invoices", user="cashier", json={"customer": "", "amount": -1})
    client.send("POST", "/invoices", user="guest", json=body)
    client.send("GET", f"/invoices/{invoice}", user="guest")
    client.send("GET", "/invoices", user="finance", params={"status": "draft", "page": "1"})
    client.send("GET", "/invoices", user="finance", params={"q": "a b+c%&=é", "status": ["x", "y"]})
    client.send("PATCH", f"/invoices/{invoice}", user="cashier", json={"description": "new"})
    client.send("POST", f"/invoices/{invoice}/approve", user="finance")
    payment = client.send(
        "POST",
        f"/invoices/{invoice}/payments",
        user="cashier",
        json={"amount": 20, "method": "card"},
    )
    number = payment.json().get("id", "none")
    client.send("GET", f"/payments/{number}", user="support")
    client.send("GET", "/invoices/no%20such%2Fone?x=1;2", user="guest")
    packed = gzip.compress(json.dumps(body).encode(), mtime=0)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    client.send("POST", "/invoices", user="cashier", data=packed, headers=headers)
    client.send("POST", "/login", data={"username": "a b", "password": "c&d=é"})
    client.send("POST", "/invoices", user="cashier", files={"file": ("a.bin", bytes(range(256)))})
    client.send("POST", "/invoices", user="cashier", data=bytes(range(255, -1, -1)))
    client.send("DELETE", f"/invoices/{invoice}", user="cashier")
    client.send("GET", "/health", auth=("anna", "anna-secret"))
    if head:
        client.send("HEAD", "/health")
    client.send("OPTIONS", "/invoices", headers={"X-Request-Id": "r-1"})
    for _ in range(3):  # equal requests within one second
        client.send("GET", f"/invoices/{invoice}", user="guest")


SAME = ["method", "uri", "body"]
"""Betamax keeps the last of the requests that are the same in these."""


class Client:
    """Sends, and keeps what was sent and what came back."""

    def __init__(self, base: str, session: requests.Session) -> None:
        self._base, self._session = base, session
        self._tokens: dict[str, str] = {}
        self.sent: list[dict[str, object]] = []

    def sign_in(self, user: str) -> None:
        """Get a token for USER."""
        given = {"username": user, "password": f"{user}-secret"}
        self._tokens[user] = self.send("POST", "/login", json=given).json().get("token", "")

    def send(self, method: str, path: str, *, user: str = "", **told: object) -> requests.Response:
        """One request."""
        headers = dict(told.pop("headers", {}) or {})
        if user:
            headers["Authorization"] = f"Bearer {self._tokens[user]}"
        answer = self._session.request(
            method, self._base + path, headers=headers, timeout=10, allow_redirects=False, **told
        )
        body = answer.request.body or b""
        body = body.encode() if isinstance(body, str) else body
        self.sent.append(
            {
                "method": answer.request.method,
                "target": answer.request.path_url,
                "headers": {k.lower(): v for k, v in answer.request.headers.items()},
                "body": base64.b64encode(body).decode(),
                "status": answer.status_code,
                "answer_type": answer.headers.get("content-type", ""),
                "answer_body": base64.b64encode(answer.content).decode(),
            }
        )
        return answer


def main() -> None:
    base, folder, tool = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    session = requests.Session()
    client = Client(base, session)
    if tool == "vcrpy":
        recorder = vcr.VCR(cassette_library_dir=str(folder), record_mode="all")
        with recorder.use_cassette("vcrpy.yaml", serializer="yaml"):
            steps(client, head=True)
        name = "sent.json"
    else:
        # Betamax 0.9 cannot hand gzip answers, nor those to HEAD, to urllib3 2 while it records.
        session.headers["Accept-Encoding"] = "identity"
        betamax = Betamax(session, cassette_library_dir=str(folder))
        with betamax.use_cassette("betamax", record="all", match_requests_on=SAME):
            steps(client, head=False)
        name = "sent-betamax.json"
    sent = "[\n" + ",\n".join(map(json.dumps, client.sent)) + "\n]\n"
    (folder / name).write_text(sent)


if __name__ == "__main__":
    main()
