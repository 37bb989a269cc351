"""Operators about texts that are code: stored, then read; true and false, held side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from premortem.domain.injected import ARITHMETIC, FALSE, INJECTION, MARKUP, TRUE
from premortem.domain.run import SAFE_METHODS, Sequence
from premortem.generate.injections import put, texts_of
from premortem.generate.order_kit import Kit, loose
from premortem.generate.starts import Start
from premortem.generate.steps import Row, tried

TEXTS_MAX = 4
"""Texts of one request that are stored, and parameters that are compared."""
CHANGES_MAX = 4
"""Operations that store what one reading shows."""


def stored(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """What was made with a payload in it is read by who looks at it later, in other places."""
    if start.final.request.method != "GET" or not start.final.bindings:
        return
    made = sorted({b.step for b in start.final.bindings}, reverse=True)[:CHANGES_MAX]
    for step in made:
        maker = start.setup[step]
        operation = kit.operations.get(maker.operation_id)
        if operation is None or maker.request.method in SAFE_METHODS:
            continue
        texts = [
            text
            for text in texts_of(operation, maker)
            if text.place.part == "body" and not text.closed
        ]
        for text in texts[:TEXTS_MAX]:
            for payload in (ARITHMETIC, MARKUP):
                case = put(maker, text=text, payload=payload)
                if case is None:
                    continue
                row = Row(kit.starts, start.setup)
                row.cases[step] = replace(case, setup=True)
                yield row.ending(
                    tried(
                        start.final,
                        kit.origin,
                        operator="stored injection",
                        breaks=f"{INJECTION}{payload.kind} at {text.place}",
                        if_passed=step,
                    )
                )


def compared(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A search as it is, with a condition added that is true, and with one that is false: only SQL
    tells the two apart."""
    if start.final.request.method not in SAFE_METHODS:
        return
    texts = [t for t in texts_of(start.operation, start.final) if t.place.part in ("query", "path")]
    for text in islice(texts, TEXTS_MAX):
        true, false = (put(start.final, text=text, payload=p) for p in (TRUE, FALSE))
        if true is None or false is None:
            continue
        row = kit.row(start)
        plain = row.add(loose(start.final))
        with_true = row.add(loose(true))
        yield row.ending(
            tried(
                false,
                kit.origin,
                operator="true and false",
                breaks=f"{INJECTION}true and false at {text.place}",
                against=plain,
                if_passed=with_true,
            )
        )
