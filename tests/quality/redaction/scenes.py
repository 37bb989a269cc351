"""The types of the corpus, and the builder with which its exchanges are written down."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from msgspec import Struct

from premortem.domain.traffic import Exchange, Request, Response
from tests.quality.redaction.made_up import class_of
from tests.quality.redaction.places import Place, decodings, views

Half = Literal["open", "sealed"]
TAIL_CHARS = 16
"""Of a secret of 24 characters or more the last 16 must be gone too: half a key is a key."""


class Planted(Struct, frozen=True, kw_only=True):
    """One secret or personal value that must not reach the disk."""

    id: str
    format: str
    kind: str
    cls: str
    """`secret`, `credential` or `personal`."""
    side: str
    """`request` or `response`."""
    exchange: int
    """Index into `Corpus.exchanges`."""
    texts: tuple[str, ...]
    """None of these may remain, plain or in any encoding."""

    @property
    def half(self) -> Half:
        """`sealed` ones are not to be looked at by those who write the rules."""
        return "sealed" if sha256(self.id.encode()).digest()[0] & 1 else "open"


class Ordinary(Struct, frozen=True, kw_only=True):
    """One value that has to stay as it is."""

    exchange: int
    place: Place
    value: str


class Join(Struct, frozen=True, kw_only=True):
    """One value in several exchanges: replaced alike everywhere, and unlike another value."""

    id: str
    kind: str
    exchanges: tuple[Exchange, ...]
    places: tuple[tuple[int, Place], ...]
    """(index into `exchanges`, place), two or more; the same value stands at each."""
    other: tuple[int, Place]
    """Where another value of the kind stands."""


class Corpus(Struct, frozen=True, kw_only=True):
    """Everything redaction is judged by."""

    exchanges: tuple[Exchange, ...]
    planted: tuple[Planted, ...]
    ordinary: tuple[Ordinary, ...]


def leaves(data: Any, pointer: str = "") -> list[tuple[str, Any]]:
    """(JSON pointer, value) of all strings and numbers in DATA; no booleans, no nulls."""
    if isinstance(data, dict):
        pairs = [(str(k).replace("~", "~0").replace("/", "~1"), v) for k, v in data.items()]
    elif isinstance(data, list):
        pairs = [(str(i), v) for i, v in enumerate(data)]
    else:
        return [] if data is None or isinstance(data, bool) else [(pointer, data)]
    return [leaf for key, value in pairs for leaf in leaves(value, f"{pointer}/{key}")]


class Scene:
    """One exchange while it is written: what is planted in it is told apart from what is not.

    Whatever is neither planted nor left out (`unjudged`) has to stay: `keep` and the methods
    that write JSON, forms and URLs note it as ordinary.
    """

    def __init__(self, form: str, line: str, status: int = 200) -> None:
        self.format = form
        self.method, url = line.split(" ", 1)
        split = urlsplit(url)
        self.origin, self.path = (
            f"https://{split.netloc}",
            quote(split.path, safe="/%:@!$&'()*+,;=~"),
        )
        self.query = tuple(parse_qsl(split.query, keep_blank_values=True))
        self.status = status
        self.headers: dict[str, list[tuple[str, str]]] = {"request": [], "response": []}
        self.bodies = {"request": b"", "response": b""}
        self.planted: list[tuple[str, tuple[str, ...]]] = []
        self.kept: list[tuple[Place, str]] = []
        self.left_out: set[str] = set()

    def plant(self, kind: str, text: str, *more: str) -> str:
        """Note TEXT (and MORE texts that tell the same) as planted; gives TEXT back."""
        if kind == "pem":
            lines = tuple(line for line in text.split("\n") if "---" not in line)
            self.planted.append((kind, lines))
            return text
        self.planted.append((kind, (text, *more)))
        return text

    def unjudged(self, value: Any) -> Any:
        """VALUE may stay or go: reasonable people differ."""
        self.left_out.add(str(value))
        return value

    def _open(self, value: Any) -> bool:
        text = str(value)
        hit = any(t in text for _, texts in self.planted for t in texts)
        return not hit and text not in self.left_out and text != ""

    def keep(self, place: Place, value: Any) -> None:
        """Note an ordinary value, unless it holds something planted."""
        if self._open(value):
            self.kept.append((place, value if isinstance(value, str) else json.dumps(value)))

    def header(self, side: str, name: str, value: str, *, keep: bool = False) -> None:
        """Add a header; with KEEP it has to stay."""
        self.headers[side].append((name, value))
        if keep:
            self.keep((f"{side}.header:{name}",), value)

    def raw(self, side: str, body: str | bytes, media_type: str) -> None:
        """Set a body whose ordinary values are noted elsewhere."""
        self.bodies[side] = body.encode() if isinstance(body, str) else body
        self.headers[side].append(("content-type", media_type))

    def inside(self, place: Place, data: Any) -> None:
        """Note the ordinary leaves of the JSON DATA that stands at PLACE."""
        for pointer, value in leaves(data):
            self.keep((*place, f"json:{pointer}"), value)

    def json(self, side: str, data: Any, *, ascii_only: bool = False, media: str = "") -> None:
        """Set a JSON body."""
        text = json.dumps(data, ensure_ascii=ascii_only, indent=None)
        self.raw(side, text, media or "application/json")
        self.inside((f"{side}.body",), data)

    def form(self, side: str, data: dict[str, str]) -> None:
        """Set a form body."""
        self.raw(side, urlencode(data), "application/x-www-form-urlencoded")
        for name, value in data.items():
            self.keep((f"{side}.body", f"form:{name}"), value)

    def text(self, side: str, body: str, media_type: str, keep: tuple[str, ...] = ()) -> None:
        """Set a body of any other kind; the words of KEEP have to remain in it."""
        self.raw(side, body, media_type)
        for word in keep:
            assert word in body, word
            self.keep((f"{side}.body", f"has:{word}"), word)

    def addressed(self) -> None:
        """Note the segments and query values that are not planted."""
        from urllib.parse import unquote

        for index, segment in enumerate(self.path.split("/")[1:]):
            self.keep(("request.path", f"segment:{index}"), unquote(segment))
        for name, value in self.query:
            if [n for n, _ in self.query].count(name) == 1:
                self.keep((f"request.query:{name}",), value)

    def exchange(self, started_at: float) -> Exchange:
        """The exchange as it is now."""
        return Exchange(
            request=Request(
                method=self.method,
                origin=self.origin,
                path=self.path,
                query=self.query,
                headers=tuple(self.headers["request"]),
                body=self.bodies["request"],
            ),
            response=Response(
                status=self.status,
                headers=tuple(self.headers["response"]),
                body=self.bodies["response"],
            ),
            started_at=started_at,
            duration_ms=12.5,
        )


def b64(data: Any) -> str:
    """DATA as JSON (a text as it is) in Base64."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()


def gather(scenes: list[Scene]) -> Corpus:
    """The scenes as one corpus; raises AssertionError where a planted text cannot be found."""
    exchanges, planted, ordinary = [], [], []
    for index, scene in enumerate(scenes):
        scene.addressed()
        exchange = scene.exchange(1_730_000_000.0 + index * 7)
        exchanges.append(exchange)
        said = {side: views(exchange, side) for side in ("request", "response")}
        for number, (kind, texts) in enumerate(scene.planted):
            sides = [s for s in said if any(texts[0] in view for view in said[s])]
            assert sides, f"{scene.format}: {kind} {texts[0]!r} is not in its exchange"
            planted.append(
                Planted(
                    id=f"{scene.format}-{index:03d}-{number}-{kind}",
                    format=scene.format,
                    kind=kind,
                    cls=class_of(kind),
                    side=sides[0],
                    exchange=index,
                    texts=_with_tail(kind, texts),
                )
            )
        hidden = {text for _, texts in scene.planted for text in texts}
        ordinary += [
            Ordinary(exchange=index, place=p, value=v)
            for p, v in scene.kept
            # A value that holds something planted in an encoded form is not ordinary.
            if not any(text in view for view in decodings([v]) for text in hidden)
        ]
    return Corpus(exchanges=tuple(exchanges), planted=tuple(planted), ordinary=tuple(ordinary))


def _with_tail(kind: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    long = class_of(kind) == "secret" and kind != "pem" and len(texts[0]) >= 24
    return (*texts, texts[0][-TAIL_CHARS:]) if long else texts


Make = Callable[[str], str]
