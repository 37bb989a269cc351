"""Values that stand in several exchanges: created in one, used in the next."""

from __future__ import annotations

import json
from urllib.parse import quote

from premortem.domain.traffic import Exchange
from tests.quality.redaction.made_up import supply
from tests.quality.redaction.places import Place, read
from tests.quality.redaction.scenes import Join, Make, Scene, b64

Used = tuple[Scene, Place]
HOST = "https://api.saltmarsh.example"

FIELDS = (
    ("email", "email"),
    ("phone", "phone"),
    ("iban", "iban"),
    ("card", "card_number"),
    ("token", "access_token"),
    ("jwt", "id_token"),
    ("name", "full_name"),
    ("ssn", "ssn"),
    ("device", "device_id"),
    ("provider", "api_key"),
)


def _created(field: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/people", 201)
    s.json("response", {"id": 71, "person": {field: value, "plan": "team"}})
    return s, ("response.body", f"json:/person/{field}")


def _in_query(field: str, value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/search?limit=5")
    s.query += ((field, value),)
    return s, (f"request.query:{field}",)


def _in_path(value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/lookup/x/history")
    s.path = f"/v1/lookup/{quote(value, safe='')}/history"
    return s, ("request.path", "segment:2")


def _in_body(field: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/notices", 202)
    s.json("request", {"notices": [{"template": "welcome", field: value}]})
    return s, ("request.body", f"json:/notices/0/{field}")


def _in_form(field: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/verify")
    s.form("request", {field: value, "step": "2"})
    return s, ("request.body", f"form:{field}")


def _in_string(field: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/publish", 202)
    s.json("request", {"topic": "people", "payload": json.dumps({field: value})})
    return s, ("request.body", "json:/payload", f"json:/{field}")


def _in_base64(field: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/queue", 202)
    s.json("request", {"kind": "person", "data": b64({field: value})})
    return s, ("request.body", "json:/data", "base64", f"json:/{field}")


def _in_bearer(value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/me")
    s.header("request", "authorization", f"Bearer {value}")
    return s, ("request.header:authorization", "after:Bearer ")


def _in_cookie(name: str, value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/cart")
    s.header("request", "cookie", f"theme=dark; {name}={value}")
    return s, ("request.header:cookie", f"cookie:{name}")


def _in_set_cookie(name: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/session", 201)
    s.header("response", "set-cookie", f"{name}={value}; Path=/; HttpOnly")
    return s, ("response.header:set-cookie", f"after:{name}=", "until:;")


def _in_header(name: str, value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/plans")
    s.header("request", name, value)
    return s, (f"request.header:{name}",)


def _in_xml(field: str, value: str) -> Used:
    s = Scene("join", f"POST {HOST}/v1/legacy")
    s.raw(
        "request",
        f"<person><{field}>{value}</{field}><plan>team</plan></person>",
        "application/xml",
    )
    return s, ("request.body", f"xml:{field}")


def _in_location(field: str, value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/go", 302)
    s.header("response", "location", f"/v1/next?{field}={quote(value, safe='')}&lang=de")
    return s, ("response.header:location", f"url:{field}")


def _in_csv(field: str, value: str) -> Used:
    s = Scene("join", f"GET {HOST}/v1/export.csv")
    s.raw("response", f"plan,{field}\r\nteam,{value}\r\n", "text/csv")
    return s, ("response.body", f"csv:0:{field}")


def _cases(kind: str, field: str, value: str) -> list[list[Used]]:
    """The roads of VALUE from one exchange to the next."""
    roads = [
        [_created(field, value), _in_body(field, value)],
        [_created(field, value), _in_query(field, value), _in_form(field, value)],
        [_in_body(field, value), _in_string(field, value)],
    ]
    if kind in ("email", "phone", "iban", "ssn"):
        roads.append([_created(field, value), _in_path(value)])
        roads.append([_in_body(field, value), _in_csv(field, value), _in_xml(field, value)])
    if kind in ("token", "jwt"):
        roads.append([_created(field, value), _in_bearer(value)])
        roads.append([_in_set_cookie("sid", value), _in_cookie("sid", value)])
        roads.append([_created(field, value), _in_path(value)])
    if kind == "provider":
        roads.append([_created(field, value), _in_header("x-api-key", value)])
    if kind in ("email", "token", "phone"):
        roads.append([_in_location(field, value), _in_query(field, value)])
        roads.append([_created(field, value), _in_base64(field, value)])
    return roads


def _exchange(scene: Scene, at: float) -> Exchange:
    return scene.exchange(1_731_000_000.0 + at)


def joins() -> tuple[Join, ...]:
    """All cases; raises AssertionError where a value does not stand where it should."""
    give: Make = supply("joins")
    made = []
    for kind, field in FIELDS:
        for road in range(len(_cases(kind, field, "x"))):
            value, different = give(kind), give(kind)
            used = [*_cases(kind, field, value)[road], _created(field, different)]
            exchanges = tuple(_exchange(scene, i) for i, (scene, _) in enumerate(used))
            places = tuple((i, place) for i, (_, place) in enumerate(used))
            for index, place in places[:-1]:
                assert read(exchanges[index], place) == value, (kind, place)
            made.append(
                Join(
                    id=f"{kind}-{road}",
                    kind=kind,
                    exchanges=exchanges,
                    places=places[:-1],
                    other=places[-1],
                )
            )
    return tuple(made)
