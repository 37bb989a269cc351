"""A bank and its traffic, in memory: accounts, deposits and transfers of several visitors, so that
mostly several things happen between two readings of the same."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from premortem.domain.traffic import Exchange
from tests.learn.services import call, hexes


class Bank:
    """Answers as a correct bank would. NUMBERED: accounts are called 1, 2, 3."""

    def __init__(self, seed: int, *, numbered: bool = False) -> None:
        self.rng = Random(seed)
        self.now = 1_700_000_000.0
        self.accounts: dict[str | int, dict] = {}
        self.numbered = numbered
        self.transfers = 0

    def opened(self) -> Exchange:
        name = len(self.accounts) + 1 if self.numbered else f"acc_{hexes(self.rng)}"
        account = {"id": name, "balance": 0.0, "moves": 0, "grade": 1}
        account["limit"] = float(self.rng.randrange(1, 9) * 100)
        self.accounts[account["id"]] = account
        return self.call("POST", "/accounts", status=201, answer=dict(account))

    def deposit(self, id_: str | int, amount: float) -> Exchange:
        account = self.accounts[id_]
        body = {"amount": amount, "coins": 1}
        if amount > 5_000:
            refusal = {"error": "TooMuch"}
            return self.call(
                "POST", f"/accounts/{id_}/deposits", status=422, body=body, answer=refusal
            )
        self.book(account, amount)
        answer = {"id": f"dep_{hexes(self.rng)}", "account_id": id_, "amount": amount}
        return self.call("POST", f"/accounts/{id_}/deposits", status=201, body=body, answer=answer)

    def transfer(self, source: str | int, target: str | int, amount: float) -> Exchange:
        body = {"source": source, "target": target, "amount": amount}
        if self.accounts[source]["balance"] < amount:
            refusal = {"error": "TooLittle"}
            return self.call("POST", "/transfers", status=409, body=body, answer=refusal)
        self.book(self.accounts[source], -amount)
        self.book(self.accounts[target], amount)
        self.transfers += 1
        answer = {"id": f"trf_{hexes(self.rng)}", "amount": amount, "state": "done"}
        return self.call("POST", "/transfers", status=201, body=body, answer=answer)

    def book(self, account: dict, amount: float) -> None:
        account["balance"] = round(account["balance"] + amount, 2)
        account["moves"] += 1

    def read(self, id_: str | int) -> Exchange:
        return self.call("GET", f"/accounts/{id_}", answer=dict(self.accounts[id_]))

    def listed(self) -> Exchange:
        items = [dict(account) for account in self.accounts.values()]
        return self.call("GET", "/accounts", answer={"items": items, "uptime": self.now % 1000})

    def books(self) -> Exchange:
        total = round(sum(a["balance"] for a in self.accounts.values()), 2)
        return self.call("GET", "/books", answer={"total": total, "transfers": self.transfers})

    def call(self, method: str, path: str, **more) -> Exchange:
        self.now += self.rng.uniform(0.5, 3.0)
        return call(method, path, at=self.now, session=f"s{self.rng.randrange(12)}", **more)

    def traffic(self, count: int, *, accounts: int = 12) -> Iterator[Exchange]:
        """About COUNT exchanges."""
        for _ in range(accounts):
            yield self.opened()
        for _ in range(count):
            one, other = self.rng.sample(list(self.accounts), 2)
            amount = round(self.rng.uniform(1, 90), 2)
            yield self._visit(self.rng.randrange(10), one, other, amount)

    def _visit(self, what: int, one: str | int, other: str | int, amount: float) -> Exchange:
        if what < 2:
            return self.deposit(one, amount if what else 9_999.0)
        if what < 5:
            return self.transfer(one, other, 8_000.0 if what == 2 else amount)
        if what < 8:
            return self.read(one)
        return self.listed() if what == 8 else self.books()
