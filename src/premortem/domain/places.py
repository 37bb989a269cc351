"""Places: where in a message a value stands."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Part = Literal["path", "query", "header", "body", "cookie"]


class Place(Struct, frozen=True, kw_only=True, order=True, gc=False):
    """Where a value stands in a request or a response.

    `path` parts: the parameter's name in the template. `query`, `header`, `cookie`: the name.
    `body`: a JSON pointer (RFC 6901) in which the token `*` stands for every array item; form
    bodies count as one flat object; the empty pointer is the whole body.
    """

    part: Part
    name: str

    def __str__(self) -> str:
        return f"{self.part}:{self.name}"

    @property
    def tokens(self) -> tuple[str, ...]:
        """The pointer's reference tokens, unescaped; for other parts the name alone."""
        if self.part != "body":
            return (self.name,)
        if not self.name:
            return ()
        parts = self.name[1:].split("/")
        if "~" not in self.name:
            return tuple(parts)
        return tuple(t.replace("~1", "/").replace("~0", "~") for t in parts)


def body_place(*tokens: str) -> Place:
    """The body place of a JSON pointer's unescaped tokens."""
    return Place(
        part="body",
        name="".join("/" + t.replace("~", "~0").replace("/", "~1") for t in tokens),
    )


def parse_place(text: str) -> Place:
    """The Place that `str` wrote. Raises ValueError when TEXT is none."""
    part, colon, name = text.partition(":")
    if not colon or part not in ("path", "query", "header", "body", "cookie"):
        raise ValueError(f"not a place: {text!r}; write it like body:/amount or query:limit")
    return Place(part=part, name=name)  # type: ignore[arg-type]
