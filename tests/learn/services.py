"""Invented services: what their traffic looks like, and which templates it really has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from uuid import UUID

from premortem.domain.traffic import Exchange, Request, Response, Tags

Body = dict | list | None
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "islet",
    "jetty",
    "knoll",
    "larch",
    "maple",
    "north",
    "ocean",
    "pearl",
    "quartz",
    "river",
    "stone",
    "tulip",
    "umber",
    "vista",
    "willow",
    "xenon",
    "yarrow",
    "zephyr",
]


def call(
    method: str,
    path: str,
    *,
    status: int = 200,
    answer: Body = None,
    body: Body = None,
    at: float = 0.0,
    session: str = "s1",
    role: str = "user",
    headers: tuple[tuple[str, str], ...] = (),
    answer_headers: tuple[tuple[str, str], ...] = (),
    query: tuple[tuple[str, str], ...] = (),
) -> Exchange:
    """One exchange with JSON bodies."""
    json_type = (("content-type", "application/json"),)
    return Exchange(
        request=Request(
            method=method,
            origin="http://service.test",
            path=path,
            query=query,
            headers=headers + (json_type if body is not None else ()),
            body=b"" if body is None else json.dumps(body).encode(),
        ),
        response=Response(
            status=status,
            headers=answer_headers + (json_type if answer is not None else ()),
            body=b"" if answer is None else json.dumps(answer).encode(),
        ),
        started_at=at,
        duration_ms=5.0,
        tags=Tags(session=session, role=role),
    )


def uuid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def hexes(rng: Random) -> str:
    return f"{rng.getrandbits(64):016x}"


def prefixed(rng: Random) -> str:
    return "ord_" + "".join(rng.choices("ABCDEFGHJKabcdefghjk0123456789", k=14))


def digits(rng: Random) -> str:
    return str(rng.randrange(1, 9000))


def name(rng: Random) -> str:
    return rng.choice(WORDS)


def slug(rng: Random) -> str:
    return "-".join(rng.choices(WORDS, k=rng.randrange(2, 5)))


def salad(rng: Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=7))


Maker = Callable[[Random], str]
Truth = list[tuple[Exchange, str]]
"""Exchange -> its operation's id, parameters written `{}`."""


def crud(rng: Random, base: str, make: Maker, *, subs: tuple[str, ...] = (), n: int = 14) -> Truth:
    """A collection with members that are created, listed, read, changed and deleted."""
    out: Truth = []
    shape = {"total": 1, "state": "open", "created_at": "2024-05-01T10:00:00Z", "note": "x y"}
    concrete = base
    template = base
    for _ in range(n):
        one = make(rng)
        made = {"id": one, **shape, "kind": base.rsplit("/", 1)[-1]}
        out.append(
            (call("POST", concrete, status=201, answer=made, body=shape), f"POST {template}")
        )
        out.append((call("GET", f"{concrete}/{one}", answer=made), f"GET {template}/{{}}"))
        out.append((call("GET", concrete, answer={"items": [made]}), f"GET {template}"))
        for sub in subs:
            path = f"{concrete}/{one}/{sub}"
            answer = {"items": [{"label": sub, f"{sub}_count": 1}]}
            out.append((call("GET", path, answer=answer), f"GET {template}/{{}}/{sub}"))
        if rng.random() < 0.4:
            out.append((call("DELETE", f"{concrete}/{one}", status=204), f"DELETE {template}/{{}}"))
    return out


def actions(base: str, *words: str) -> Truth:
    """Operations of a collection that are words, each with an answer of its own."""
    return [
        (call("GET", f"{base}/{word}", answer={word: [{"x": 1}], "took": 3}), f"GET {base}/{word}")
        for word in words
        for _ in range(3)
    ]


def shop(rng: Random) -> Truth:
    out = crud(rng, "/api/v2/orders", prefixed, subs=("lines", "events"))
    out += crud(rng, "/api/v2/customers", uuid, subs=("orders", "addresses"))
    out += crud(rng, "/api/v2/products", slug, subs=("reviews",))
    out += actions("/api/v2/orders", "search", "export", "count")
    out += actions("/api/v2/customers", "search", "export", "count", "me")
    return out + actions("/api/v2/products", "search", "export", "count")


def forge(rng: Random) -> Truth:
    """Owners and repositories are plain names, two parameters in a row."""
    out: Truth = []
    owners = {
        owner: [name(rng) for _ in range(3)] for owner in ("ada", "grace", "linus", "barbara")
    }
    for owner, repositories in owners.items():
        made = {"login": owner, "id": rng.randrange(10**6), "type": "User"}
        out.append((call("GET", f"/users/{owner}", answer=made), "GET /users/{}"))
        for repository in repositories:
            at = f"/repos/{owner}/{repository}"
            full = {"name": repository, "owner": {"login": owner}, "private": False}
            out.append((call("GET", at, answer=full), "GET /repos/{}/{}"))
            for number in range(1, 6):
                issue = {"number": number, "title": "it fails", "state": "open"}
                out += [
                    (
                        call("GET", f"{at}/issues/{number}", answer=issue),
                        "GET /repos/{}/{}/issues/{}",
                    ),
                    (call("GET", f"{at}/issues", answer=[issue]), "GET /repos/{}/{}/issues"),
                    (
                        call("GET", f"{at}/branches", answer=[{"name": "main"}]),
                        "GET /repos/{}/{}/branches",
                    ),
                ]
    return out + actions("/search", "issues", "users", "repositories")


def cluster(rng: Random) -> Truth:
    """Namespaces and pods, with names that people chose or a machine completed."""
    out: Truth = []
    for space in ("default", "billing", "search", "kube-system"):
        for kind in ("pods", "services", "configmaps"):
            base = f"/api/v1/namespaces/{space}/{kind}"
            template = f"/api/v1/namespaces/{{}}/{kind}"
            items = []
            for _ in range(4):
                one = f"{name(rng)}-{hexes(rng)[:9]}-{salad(rng)[:5]}"
                thing = {"kind": kind, "metadata": {"name": one, "namespace": space}}
                items.append(thing)
                out.append((call("GET", f"{base}/{one}", answer=thing), f"GET {template}/{{}}"))
                if kind == "pods":
                    log = (
                        call("GET", f"{base}/{one}/log", answer={"lines": []}),
                        f"GET {template}/{{}}/log",
                    )
                    out.append(log)
            out.append(
                (call("GET", base, answer={"kind": kind, "items": items}), f"GET {template}")
            )
        node = {"kind": "Namespace", "metadata": {"name": space}}
        out.append(
            (call("GET", f"/api/v1/namespaces/{space}", answer=node), "GET /api/v1/namespaces/{}")
        )
    return out


def back_office(rng: Random) -> Truth:
    """Many resources that share their actions, and reports that are words only."""
    out: Truth = []
    for resource in ("users", "roles", "teams", "devices", "tickets"):
        base = f"/admin/{resource}"
        row = {f"{resource}_a": 1, f"{resource}_b": 2, "id": 7}
        for _ in range(4):
            for word in ("search", "export", "archive"):
                answer = {"rows": [row], f"{resource}_total": 1}
                out.append((call("GET", f"{base}/{word}", answer=answer), f"GET {base}/{word}"))
        out += crud(rng, base, digits, n=8)
    for report in ("daily", "weekly", "monthly", "yearly"):
        answer = {"from": "2024-01-01", "to": "2024-02-01", "sum": 12.5}
        out += [(call("GET", f"/reports/{report}", answer=answer), f"GET /reports/{report}")] * 3
    return out


def media(rng: Random) -> Truth:
    """Files with endings, hashes, dates, currencies, and ids without a single digit."""
    out: Truth = []
    for _ in range(12):
        for shape, value in (
            ("/images/{}.png", hexes(rng)),
            ("/images/{}.json", hexes(rng)),
            ("/clips/{}", salad(rng)),
            ("/rates/{}/latest", rng.choice(["EUR", "USD", "JPY", "CHF"])),
            ("/days/{}/plays", f"2024-0{rng.randrange(1, 9)}-1{rng.randrange(9)}"),
            ("/people/{}/plays", f"{name(rng)}@example.org"),
        ):
            path = shape.replace("{}", value)
            out.append((call("GET", path, answer={"plays": 3}), f"GET {shape}"))
    return out + actions("/clips", "popular", "recent")


SERVICES = {f.__name__: f for f in (shop, forge, cluster, back_office, media)}


def traffic(service: str, seed: int) -> Iterator[tuple[Exchange, str]]:
    """The exchanges of an invented service and their operations, shuffled."""
    rng = Random(seed)
    made = SERVICES[service](rng)
    rng.shuffle(made)
    yield from made
