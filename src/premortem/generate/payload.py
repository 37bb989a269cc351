"""The body of a case as a value, and back: JSON, forms and multipart forms."""

from __future__ import annotations

from typing import Any

import msgspec

from premortem.domain.bodies import FORM, is_json, read_body, write_form
from premortem.domain.conform import typed_form
from premortem.domain.run import Binding
from premortem.domain.shape import Shape
from premortem.domain.traffic import OperationProfile, Request
from premortem.generate.filler import NOTHING
from premortem.generate.parts import MULTIPART, read_multipart, write_multipart

FORMS = frozenset({FORM, MULTIPART})
"""Bodies that are flat objects of texts."""


def media_type_for(operation: OperationProfile) -> str:
    """What to send bodies of OPERATION as: what production used most, else what is declared."""
    known = sorted(operation.media_types, key=lambda kind: -operation.media_types[kind])
    readable = (kind for kind in known if is_json(kind) or kind in FORMS)
    return next(readable, "" if known else "application/json")


def read_value(request: Request, shape: Shape | None) -> Any:
    """REQUEST's body as a value, texts of a form typed as SHAPE wants them; NOTHING: no body.

    Raises ValueError when the body is not what its media type says, or holds no values.
    """
    if not request.body:
        return NOTHING
    media_type = request.media_type
    if not is_json(media_type) and media_type not in FORMS:
        raise ValueError(f"{request.media_type or 'a body without a type'} holds no values")
    value = read_multipart(request) if media_type == MULTIPART else read_body(request)
    if isinstance(value, dict) and media_type in FORMS and shape is not None:
        return typed_form(value, shape)
    return value


def recorded_value(request: Request) -> Any:
    """REQUEST's body as a value, texts of a form as they are; None: it has none, or holds none.

    Raises ValueError when the body is not what its media type says.
    """
    return read_multipart(request) if request.media_type == MULTIPART else read_body(request)


def write_value(value: Any, media_type: str, like: Request | None = None) -> bytes | None:
    """VALUE as a body of MEDIA_TYPE; None where a form cannot say it. LIKE: a request whose
    files stay files."""
    if media_type not in FORMS:
        return msgspec.json.encode(value)
    if not isinstance(value, dict) or any(v is None or isinstance(v, dict) for v in value.values()):
        return None
    return write_multipart(value, like) if media_type == MULTIPART else write_form(value)


def bindings_outside(bindings: tuple[Binding, ...], at: tuple[str, ...]) -> tuple[Binding, ...]:
    """BINDINGS but for those of the body's value AT and what is inside it."""
    return tuple(
        b for b in bindings if not (b.place.part == "body" and b.place.tokens[: len(at)] == at)
    )
