"""The depot."""

import itertools
import threading
import time
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

DEFECTS = tuple(f"D{number}" for number in range(1, 9))
_GONE: dict[int | str, dict[str, Any]] = {404: {}}
_NOT_NOW: dict[int | str, dict[str, Any]] = {404: {}, 409: {}}
Amount = Annotated[float, Field(gt=0, le=10_000)]
Quantity = Annotated[int, Field(ge=1, le=1_000)]


class NewWallet(BaseModel):
    owner: Annotated[str, Field(min_length=1, max_length=40)]


class TopUp(BaseModel):
    amount: Amount


class Move(BaseModel):
    source_wallet: str
    target_wallet: str
    amount: Amount


class NewArticle(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=40)]


class Goods(BaseModel):
    quantity: Quantity


class Depot:
    """Everything that is kept; amounts in cents."""

    def __init__(self) -> None:
        self.on: set[str] = set()
        self.lock = threading.Lock()
        self.empty()

    def empty(self) -> None:
        self.numbers = itertools.count(1)
        self.wallets: dict[str, dict[str, Any]] = {}
        self.articles: dict[str, dict[str, Any]] = {}
        self.topped: dict[str, int] = {}
        self.total, self.moves = 0, 0

    def name(self, kind: str) -> str:
        return f"{kind}_{sha256(str(next(self.numbers)).encode()).hexdigest()[:14]}"

    def wallet(self, id_: str) -> dict[str, Any]:
        if id_ not in self.wallets:
            raise HTTPException(404, "no such wallet")
        return self.wallets[id_]

    def article(self, id_: str) -> dict[str, Any]:
        if id_ not in self.articles:
            raise HTTPException(404, "no such article")
        return self.articles[id_]

    def top_up(self, wallet: dict[str, Any], cents: int) -> None:
        if "D2" in self.on:
            was = wallet["cents"]
            time.sleep(0.03)  # the defect is that another request comes in between
            wallet["cents"] = was + cents
        else:
            with self.lock:
                wallet["cents"] += cents
        if "D8" in self.on and cents > 150_00:
            wallet["cents"] += cents
        count = self.topped[wallet["id"]] = self.topped.get(wallet["id"], 0) + 1
        if not ("D5" in self.on and count == 2):
            with self.lock:
                self.total += cents

    def move(self, move: Move, cents: int) -> None:
        source, target = self.wallet(move.source_wallet), self.wallet(move.target_wallet)
        with self.lock:
            if source["cents"] < cents:
                if "D3" in self.on:
                    source["cents"] = max(0, source["cents"] - 10)
                raise HTTPException(409, "too little money")
            source["cents"] -= cents
            if not ("D1" in self.on and cents < 100):
                target["cents"] += cents
            if not ("D7" in self.on and cents < 100):
                self.moves += 1


def _shown(wallet: dict[str, Any]) -> dict[str, Any]:
    return {"id": wallet["id"], "owner": wallet["owner"], "balance": wallet["cents"] / 100}


def made() -> FastAPI:
    """The service with nothing switched on."""
    app, depot = FastAPI(title="Depot"), Depot()
    _wallets(app, depot)
    _articles(app, depot)

    @app.get("/totals")
    def totals() -> dict[str, Any]:
        return {"money": depot.total / 100, "moves": depot.moves, "wallets": len(depot.wallets)}

    @app.post("/_test/defects", include_in_schema=False)
    def switch(wanted: Annotated[list[str], Body(embed=True, alias="on")]) -> dict[str, list[str]]:
        depot.on = set(wanted)
        return {"on": sorted(depot.on)}

    @app.post("/_test/reset", include_in_schema=False, status_code=204)
    def reset() -> Response:
        depot.empty()
        return Response(status_code=204)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _wallets(app: FastAPI, depot: Depot) -> None:
    @app.post("/wallets", status_code=201)
    def make(new: NewWallet) -> dict[str, Any]:
        wallet = {"id": depot.name("wal"), "owner": new.owner, "cents": 0}
        depot.wallets[wallet["id"]] = wallet
        return _shown(wallet)

    @app.get("/wallets/{wallet_id}", responses=_GONE)
    def read(wallet_id: str) -> dict[str, Any]:
        return _shown(depot.wallet(wallet_id))

    @app.post("/wallets/{wallet_id}/top-ups", status_code=201, responses=_GONE)
    def top_up(wallet_id: str, new: TopUp) -> dict[str, Any]:
        depot.top_up(depot.wallet(wallet_id), round(new.amount * 100))
        return {"id": depot.name("top"), "amount": new.amount}

    @app.post("/moves", status_code=201, responses=_NOT_NOW)
    def move(new: Move) -> dict[str, Any]:
        depot.move(new, round(new.amount * 100))
        return {"id": depot.name("mov"), **new.model_dump()}


def _articles(app: FastAPI, depot: Depot) -> None:
    @app.post("/articles", status_code=201)
    def make(new: NewArticle) -> dict[str, Any]:
        article = {"id": depot.name("art"), "title": new.title, "free": 0, "reserved": 0}
        depot.articles[article["id"]] = article
        return article

    @app.get("/articles/{article_id}", responses=_GONE)
    def read(article_id: str) -> dict[str, Any]:
        return depot.article(article_id)

    @app.post("/articles/{article_id}/deliveries", responses=_GONE)
    def deliver(article_id: str, goods: Goods) -> dict[str, Any]:
        article = depot.article(article_id)
        with depot.lock:
            article["free"] += min(goods.quantity, 50) if "D6" in depot.on else goods.quantity
            return dict(article)

    @app.post("/articles/{article_id}/reservations", status_code=201, responses=_NOT_NOW)
    def reserve(article_id: str, goods: Goods) -> dict[str, Any]:
        article = depot.article(article_id)
        with depot.lock:
            if article["free"] < goods.quantity:
                raise HTTPException(409, "not so many are free")
            article["free"] -= goods.quantity
            twice = "D4" in depot.on and goods.quantity > 20
            article["reserved"] += goods.quantity * (2 if twice else 1)
        return {"id": depot.name("res"), "article_id": article_id, "quantity": goods.quantity}
