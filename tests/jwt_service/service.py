"""Notes of two tenants, behind tokens."""

from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tests.jwt_service.tokens import Refused, Tokens

DEFECTS = tuple(f"J{number:02}" for number in range(1, 13))
PEOPLE = {
    "ann": {"tenant": "acme", "role": "member"},
    "bob": {"tenant": "globex", "role": "member"},
    "root": {"tenant": "acme", "role": "admin"},
}
PASSWORDS = {name: f"{name}-secret" for name in PEOPLE}
_UNAUTHORISED: dict[int | str, dict[str, Any]] = {401: {}}
_DENIED: dict[int | str, dict[str, Any]] = {401: {}, 403: {}}


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid")
    username: str
    password: str


class Draft(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, Field(min_length=1, max_length=100)]


class Desk:
    """What the service has: its tokens, its notes, and the defects that are on."""

    def __init__(self, key: str) -> None:
        self.on: set[str] = set()
        self.tokens = Tokens(key, self.on)
        self.notes: dict[str, dict[str, dict[str, str]]] = {}
        self.empty()

    def empty(self) -> None:
        self.notes.clear()
        self.notes.update({"acme": {}, "globex": {}})

    def known(self, request: Request) -> dict[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401, "no token", {"WWW-Authenticate": "Bearer"})
        try:
            return self.tokens.read(token)
        except Refused as refused:
            raise HTTPException(401, str(refused), {"WWW-Authenticate": "Bearer"}) from None


def made(key: str) -> FastAPI:
    """The service; KEY signs its tokens."""
    app, desk = FastAPI(title="Notes", openapi_url="/openapi.json", docs_url=None), Desk(key)
    _hooks(app, desk)
    _people(app, desk)
    _notes(app, desk)
    return app


def _hooks(app: FastAPI, desk: Desk) -> None:
    @app.post("/_test/defects", include_in_schema=False)
    def switch(wanted: Annotated[list[str], Body(embed=True, alias="on")]) -> dict[str, list[str]]:
        desk.on.clear()
        desk.on.update(wanted)
        return {"on": sorted(desk.on)}

    @app.post("/_test/reset", include_in_schema=False, status_code=204)
    def reset() -> Response:
        desk.empty()
        return Response(status_code=204)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}


def _people(app: FastAPI, desk: Desk) -> None:
    claims_of = Annotated[dict[str, Any], Depends(desk.known)]

    @app.get("/.well-known/jwks.json")
    def keys() -> dict[str, Any]:
        return desk.tokens.key_set

    @app.post("/login", responses=_UNAUTHORISED)
    def login(asked: Credentials) -> dict[str, str]:
        if PASSWORDS.get(asked.username) != asked.password:
            raise HTTPException(401, "wrong name or password")
        token = desk.tokens.issue({"sub": asked.username, **PEOPLE[asked.username]})
        return {"access_token": token, "token_type": "Bearer"}

    @app.post("/logout", status_code=204, responses=_UNAUTHORISED)
    def logout(claims: claims_of) -> Response:
        if "J12" not in desk.on:
            desk.tokens.ended.add(claims["jti"])
        return Response(status_code=204)

    @app.get("/me", responses=_UNAUTHORISED)
    def me(claims: claims_of) -> dict[str, str]:
        return {name: str(claims.get(name)) for name in ("sub", "tenant", "role")}

    @app.get("/users", responses=_DENIED)
    def users(claims: claims_of) -> list[dict[str, str]]:
        if claims.get("role") != "admin":
            raise HTTPException(403, "not an admin")
        return [{"name": name, **person} for name, person in PEOPLE.items()]


def _notes(app: FastAPI, desk: Desk) -> None:
    claims_of = Annotated[dict[str, Any], Depends(desk.known)]

    def member(tenant: str, claims: claims_of) -> dict[str, Any]:
        if "J10" not in desk.on and claims.get("tenant") != tenant:
            raise HTTPException(403, "of another tenant")
        if tenant not in desk.notes:
            raise HTTPException(404, "no such tenant")
        return claims

    member_of = Annotated[dict[str, Any], Depends(member)]

    @app.get("/tenants/{tenant}/notes", responses={**_DENIED, 404: {}})
    def listed(tenant: str, _: member_of) -> list[dict[str, str]]:
        return list(desk.notes[tenant].values())

    @app.post("/tenants/{tenant}/notes", status_code=201, responses={**_DENIED, 404: {}})
    def make(tenant: str, draft: Draft, claims: member_of) -> dict[str, str]:
        kept = desk.notes[tenant]
        note = {"id": f"n{len(kept) + 1:04}", "title": draft.title, "by": claims["sub"]}
        kept[note["id"]] = note
        return note

    @app.get("/tenants/{tenant}/notes/{note_id}", responses={**_DENIED, 404: {}})
    def read(tenant: str, note_id: str, _: member_of) -> dict[str, str]:
        if note_id not in desk.notes[tenant]:
            raise HTTPException(404, "no such note")
        return desk.notes[tenant][note_id]
