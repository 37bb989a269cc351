"""Notes, users and a few corners."""

import itertools
import socket
import sqlite3
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import PlainTextResponse
from jinja2 import Template
from pydantic import BaseModel, ConfigDict, Field

HOLES = tuple(f"H{number:02}" for number in range(1, 14))
KEYS = {"ann-key-7c1d": "ann", "bob-key-90fe": "bob", "root-key-3ab2": "root"}
PASSWORDS = {"ann": "ann-word", "bob": "bob-word", "root": "root-word"}
KEPT = "$2b$12$" + "eImiTXuWVxfM37uY4JANjQ1234567890abcdefghijklmnopqrstu"[:53]
QUOTA = 8
GUESSES_MAX = 5
FOLDER = Path(__file__).parent / "files"
_DENIED: dict[int | str, dict[str, Any]] = {401: {}, 403: {}}
_OWN: dict[int | str, dict[str, Any]] = {401: {}, 404: {}}


class Draft(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]


class NewUser(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: Annotated[str, Field(min_length=1, max_length=80)]


class Hook(BaseModel):
    url: str


class Login(BaseModel):
    user: str
    password: str


class Shelf:
    """Everything that the service keeps, and the holes that are open."""

    def __init__(self) -> None:
        self.on: set[str] = set()
        self.empty()

    def empty(self) -> None:
        self.numbers = itertools.count(1)
        self.notes: dict[str, dict[str, str]] = {}
        self.users: dict[str, dict[str, str]] = {}
        self.wrong: dict[str, int] = {}
        self.asked = 0

    def note_of(self, note_id: str, who: str, *, anybody: bool) -> dict[str, str]:
        note = self.notes.get(note_id)
        if note is None or (note["owner"] != who and not anybody):
            raise HTTPException(404, "no such note")
        return note

    def promote(self, user_id: str) -> dict[str, str]:
        if user_id not in self.users:
            raise HTTPException(404, "no such user")
        self.users[user_id] = {**self.users[user_id], "role": "editor"}
        return self.users[user_id]


def known(authorization: Annotated[str, Header()] = "") -> str:
    who = KEYS.get(authorization.removeprefix("Bearer "))
    if who is None:
        raise HTTPException(401, "no key")
    return who


Who = Annotated[str, Depends(known)]


def made() -> FastAPI:
    """The service, no hole open."""
    app, shelf = FastAPI(title="Leaky", openapi_url="/openapi.json", docs_url=None), Shelf()
    for add in (_hooks, _notes, _texts, _users, _limits):
        add(app, shelf)
    return app


def _hooks(app: FastAPI, shelf: Shelf) -> None:
    @app.post("/_test/defects", include_in_schema=False)
    def switch(wanted: Annotated[list[str], Body(embed=True, alias="on")]) -> dict[str, list[str]]:
        shelf.on = set(wanted)
        return {"on": sorted(shelf.on)}

    @app.post("/_test/reset", include_in_schema=False, status_code=204)
    def reset() -> Response:
        shelf.empty()
        return Response(status_code=204)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}


def _notes(app: FastAPI, shelf: Shelf) -> None:
    @app.post("/notes", status_code=201, responses={401: {}})
    def make(draft: Draft, who: Who) -> dict[str, str]:
        note = {"id": f"note-{next(shelf.numbers):06}", "title": draft.title, "owner": who}
        shelf.notes[note["id"]] = note
        return note

    @app.get("/notes", responses={401: {}})
    def listed(who: Who) -> list[dict[str, str]]:
        return [note for note in shelf.notes.values() if note["owner"] == who]

    @app.get("/notes/{note_id}", responses=_OWN)
    def read(note_id: str, who: Who, request: Request) -> dict[str, str]:
        note = shelf.note_of(note_id, who, anybody="H01" in shelf.on)
        if "H09" in shelf.on and request.headers.get("x-http-method-override") == "DELETE":
            del shelf.notes[note_id]
        return note

    @app.delete("/notes/{note_id}", status_code=204, responses=_OWN)
    def remove(note_id: str, who: Who) -> Response:
        shelf.note_of(note_id, who, anybody="H02" in shelf.on)
        del shelf.notes[note_id]
        return Response(status_code=204)


def _texts(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/search", responses={401: {}, 400: {}})
    def search(who: Who, q: Annotated[str, Query(max_length=400)]) -> list[dict[str, str]]:
        base = sqlite3.connect(":memory:")
        base.execute("create table notes (id text, title text, owner text)")
        rows = [(n["id"], n["title"], n["owner"]) for n in shelf.notes.values()]
        base.executemany("insert into notes values (?, ?, ?)", rows)
        if "H11" in shelf.on:
            asked = f"select * from notes where owner = '{who}' and title = '{q}'"
            try:
                found = base.execute(asked).fetchall()
            except sqlite3.Error as error:
                raise HTTPException(400, f"sqlite3.OperationalError: {error}") from None
        else:
            asked = "select * from notes where owner = ? and title = ?"
            found = base.execute(asked, (who, q)).fetchall()
        base.close()
        return [dict(zip(("id", "title", "owner"), row, strict=True)) for row in found]

    @app.get("/greeting", responses={401: {}})
    def greeting(_: Who, name: Annotated[str, Query(max_length=400)]) -> dict[str, str]:
        if "H12" in shelf.on:
            try:
                return {"text": Template(f"Hello {name}").render()}
            except Exception:
                return {"text": "Hello"}
        return {"text": f"Hello {name}"}

    @app.get("/files/{file_name:path}", responses=_OWN, response_class=PlainTextResponse)
    def file(file_name: str, _: Who) -> Response:
        path = (FOLDER / file_name).resolve()
        allowed = path.parent == FOLDER.resolve() or "H13" in shelf.on
        if not allowed or not path.is_file():
            raise HTTPException(404, "no such file")
        return Response(path.read_bytes()[:2000], media_type="text/plain")

    @app.post("/hooks", status_code=202, responses={401: {}, 400: {}})
    def hook(asked: Hook, _: Who) -> dict[str, str]:
        if "H10" in shelf.on:
            host = asked.url.partition("://")[2].partition("/")[0]
            try:
                socket.getaddrinfo(host, 80)
            except OSError as error:
                raise HTTPException(400, f"getaddrinfo failed: {error}") from None
        return {"status": "queued"}


def _users(app: FastAPI, shelf: Shelf) -> None:
    @app.post("/users", status_code=201, responses=_DENIED)
    def user(asked: NewUser, who: Who) -> dict[str, str]:
        if who != "root":
            raise HTTPException(403, "root only")
        said = str((asked.model_extra or {}).get("role", "member"))
        role = said if "H04" in shelf.on else "member"
        made = {"id": f"user-{next(shelf.numbers):06}", "name": asked.name, "role": role}
        shelf.users[made["id"]] = made
        return made

    @app.get("/users/{user_id}", responses=_OWN)
    def profile(user_id: str, _: Who) -> dict[str, str]:
        if user_id not in shelf.users:
            raise HTTPException(404, "no such user")
        shown = shelf.users[user_id]
        return {**shown, "password_hash": KEPT} if "H05" in shelf.on else shown

    @app.post("/users/{user_id}/promote", responses={**_DENIED, 404: {}})
    def promote(user_id: str, who: Who) -> dict[str, str]:
        if "H08" in shelf.on:
            shelf.promote(user_id)
        if who != "root" and "H07" not in shelf.on:
            raise HTTPException(403, "root only")
        return shelf.promote(user_id)


def _limits(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/quota", responses={401: {}, 429: {}})
    def quota(_: Who, response: Response) -> dict[str, int]:
        shelf.asked += 1
        if shelf.asked > QUOTA and "H06" not in shelf.on:
            raise HTTPException(429, "too many", {"X-RateLimit-Remaining": "0"})
        response.headers["X-RateLimit-Remaining"] = str(max(0, QUOTA - shelf.asked))
        return {"asked": shelf.asked}

    @app.post("/login", responses={401: {}, 429: {}})
    def login(asked: Login) -> dict[str, str]:
        wrong = shelf.wrong.get(asked.user, 0)
        if wrong >= GUESSES_MAX and "H03" not in shelf.on:
            raise HTTPException(429, "wait")
        if PASSWORDS.get(asked.user) != asked.password:
            shelf.wrong[asked.user] = wrong + 1
            raise HTTPException(401, "wrong")
        return {"key": next(key for key, name in KEYS.items() if name == asked.user)}
