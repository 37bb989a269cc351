"""Overrides by edition, region, locale and tenant, as designers write them down.

overrides: ["enterprise -> emit InvoiceAuditLogged", "lite -> skip tax validation"]
editions: {lite: {skip: [tax validation]}, enterprise: {emit: InvoiceAuditLogged}}
handlers: {CreateInvoice: {edition_overrides: "lite -> skip tax validation"}}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from premortem.agent.knowledge.documents import Part, read_parts
from premortem.domain.access import folded
from premortem.domain.variants import Dimension, VariantRule

_ARROW = re.compile(r"\s*([\w.\- ]+?)\s*(?:->|=>|→|:)\s*(emits?|skips?)\s+([^,;]+)", re.IGNORECASE)
_LISTS = frozenset(
    map(folded, ("overrides", "edition_overrides", "edition_specific_overrides", "variants"))
)
_BLOCKS: Mapping[str, Dimension] = {
    "editions": "edition",
    "overrides": "edition",
    "editionoverrides": "edition",
    "peredition": "edition",
    "regions": "region",
    "regionoverrides": "region",
    "locales": "locale",
    "localeoverrides": "locale",
    "tenants": "tenant",
    "tenantoverrides": "tenant",
}
_HANDLERS = frozenset(map(folded, ("handlers", "operations", "use_cases")))
_EMIT = ("emit", "emits", "emitted_events", "events")
_SKIP = ("skip", "skips", "without", "disabled")


def variant_rules(source: bytes, *, origin: str) -> tuple[VariantRule, ...]:
    """The overrides in SOURCE, which ORIGIN names. Raises InputError when it cannot be read."""
    parts = read_parts(source, origin=origin)
    found = [rule for part in parts for rule in _walk(part, origin, part.said("handler"))]
    return tuple(dict.fromkeys(found))


def _walk(part: Part, origin: str, handler: str) -> Iterator[VariantRule]:
    lines = part.key_lines or (part.line,) * len(part.fields)
    for (key, value), line in zip(part.fields, lines, strict=True):
        fold = folded(key)
        if fold in _LISTS:
            yield from _arrows(value, origin, handler, line)
        if fold in _BLOCKS and value.fields:
            for name, inside in value.fields:
                yield from _block(_BLOCKS[fold], name, inside, origin, handler)
        if fold in _HANDLERS:
            for name, inside in value.fields:
                yield from _walk(inside, origin, name)
            for item in value.items:
                yield from _walk(item, origin, item.said("handler", "name") or handler)


def _arrows(value: Part, origin: str, handler: str, line: int) -> Iterator[VariantRule]:
    """The rules of texts like `lite -> skip tax validation`."""
    texts = [(value.text, line)] if value.text else [(i.text, i.line) for i in value.items]
    for text, at in texts:
        for name, action, what in _ARROW.findall(text or ""):
            yield VariantRule(
                dimension="edition",
                value=name.strip(),
                action="emit" if action.lower().startswith("emit") else "skip",
                what=what.strip(),
                handler=handler,
                document=origin,
                line=at,
                said=f"{name.strip()} -> {action} {what.strip()}",
            )


def _block(
    dimension: Dimension, name: str, inside: Part, origin: str, handler: str
) -> Iterator[VariantRule]:
    """The rules of `lite: {skip: [tax validation]}`, and of handlers inside."""
    for action, keys in (("emit", _EMIT), ("skip", _SKIP)):
        said = inside.get(*keys)
        for what in said.names if said is not None and not said.is_false else ():
            yield VariantRule(
                dimension=dimension,
                value=name,
                action=action,  # type: ignore[arg-type]
                what=what,
                handler=handler,
                document=origin,
                line=said.line if said is not None else inside.line,
                said=f"{name} -> {action} {what}",
            )
    own = inside.get("handlers", "operations")
    for called, deeper in own.fields if own is not None else ():
        yield from _block(dimension, name, deeper, origin, called)
