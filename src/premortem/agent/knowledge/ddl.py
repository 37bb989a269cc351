"""SQL's CREATE TABLE -> data transfer objects: one for each table.

Source: sqlglot's parser (the extra `sql`). Of CHECK constraints only comparisons of one column
with a literal are understood; others are kept as `custom`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from premortem.domain.proposal import Dto, DtoField, DtoRule
from premortem.errors import InputError

if TYPE_CHECKING:
    from sqlglot import exp

DDL_BYTES_MAX = 5 * 1024 * 1024
_INTEGERS = re.compile(r"(?:TINY|SMALL|BIG|MEDIUM)?INT|SERIAL|INTEGER", re.IGNORECASE)
_NUMBERS = re.compile(r"DECIMAL|NUMERIC|FLOAT|DOUBLE|REAL|MONEY", re.IGNORECASE)
_COMPARED = {
    "GT": ("greater_than", "less_than"),
    "GTE": ("minimum", "maximum"),
    "LT": ("less_than", "greater_than"),
    "LTE": ("maximum", "minimum"),
}


def dtos_in_ddl(source: bytes, *, origin: str, dialect: str = "") -> tuple[Dto, ...]:
    """The tables that SOURCE creates, with what their columns must hold.

    DIALECT: one that sqlglot knows (`postgres`, `tsql`); empty: any. Raises InputError when it
    cannot be parsed, or sqlglot is not installed.
    """
    if len(source) > DDL_BYTES_MAX:
        raise InputError(f"{origin} has {len(source)} bytes; at most {DDL_BYTES_MAX} are read")
    try:
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import SqlglotError
    except ImportError:
        raise InputError(
            "SQL cannot be read without sqlglot; install it: pip install 'premortem[sql]'"
        ) from None
    # What it does not know it keeps as a command; nobody has to hear of that.
    logging.getLogger("sqlglot").addHandler(logging.NullHandler())
    try:
        statements = sqlglot.parse(source.decode("utf-8-sig"), dialect=dialect or None)
    except (SqlglotError, UnicodeDecodeError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{origin} cannot be read as SQL: {first}; name its dialect") from None
    created = [s for s in statements if isinstance(s, exp.Create) and s.kind == "TABLE"]
    return tuple(dto for s in created if (dto := _table(s, origin)) is not None)


def _table(statement: exp.Create, origin: str) -> Dto | None:
    from sqlglot import exp

    if not isinstance(statement.this, exp.Schema):
        return None
    name = statement.this.this.name
    checks = [
        found
        for part in statement.this.expressions
        if not isinstance(part, exp.ColumnDef)
        for found in (
            [part]
            if isinstance(part, exp.CheckColumnConstraint)
            else part.find_all(exp.CheckColumnConstraint)
        )
    ]
    keys = {
        column.name
        for part in statement.this.expressions
        if isinstance(part, exp.PrimaryKey)
        for column in part.find_all(exp.Identifier)
    }
    fields = tuple(
        _column(part, f"{origin} {name}.{part.name}", checks, key=part.name in keys)
        for part in statement.this.expressions
        if isinstance(part, exp.ColumnDef)
    )
    return Dto(name=name, fields=fields, language="sql", origin=origin)


def _column(column: exp.ColumnDef, place: str, table_checks: list[Any], *, key: bool) -> DtoField:
    from sqlglot import exp

    kinds = [c.kind for c in column.constraints]
    declared = column.kind.sql() if column.kind is not None else ""
    primary = key or any(isinstance(k, exp.PrimaryKeyColumnConstraint) for k in kinds)
    must = primary or any(
        isinstance(k, exp.NotNullColumnConstraint) and not k.args.get("allow_null") for k in kinds
    )
    filled = any(
        isinstance(k, exp.DefaultColumnConstraint | exp.GeneratedAsIdentityColumnConstraint)
        for k in kinds
    )
    rules = [DtoRule(kind="required", source=f"{place} NOT NULL")] if must and not filled else []
    rules += _sized(declared, place)
    for check in [*(k for k in kinds if isinstance(k, exp.CheckColumnConstraint)), *table_checks]:
        rules += _checked(check.this, column.name, place)
    return DtoField(
        name=column.name,
        type=_json_type(declared),
        declared_type=declared,
        nullable=not must,
        rules=tuple(rules),
    )


def _json_type(declared: str) -> str:
    bare = declared.split("(")[0]
    if _INTEGERS.fullmatch(bare):
        return "integer"
    if _NUMBERS.match(bare):
        return "number"
    if re.match(r"BOOL|BIT$", bare, re.IGNORECASE):
        return "boolean"
    if re.match(r"JSON|STRUCT|OBJECT", bare, re.IGNORECASE):
        return "object"
    return "array" if declared.endswith("[]") else "string"


def _sized(declared: str, place: str) -> list[DtoRule]:
    found = re.match(r"(\w+)\((\d+)(?:,\s*(\d+))?\)", declared)
    bare = declared.split("(")[0].upper()
    if bare in ("UUID", "DATE"):
        return [DtoRule(kind="format", value=bare.lower(), source=f"{place} {declared}")]
    if found is None:
        return []
    if _NUMBERS.match(bare):
        value = f"{found[2]},{found[3] or 0}"
        return [DtoRule(kind="precision", value=value, source=f"{place} {declared}")]
    if "CHAR" in bare:
        return [DtoRule(kind="max_length", value=found[2], source=f"{place} {declared}")]
    return []


def _checked(condition: Any, column: str, place: str) -> Iterator[DtoRule]:
    """The rules of a CHECK about COLUMN; AND is taken apart, OR is not."""
    from sqlglot import exp

    if isinstance(condition, exp.And | exp.Paren):
        for part in condition.iter_expressions():
            yield from _checked(part, column, place)
        return
    named = {c.name for c in condition.find_all(exp.Column)}
    if named != {column}:
        return
    source = f"{place} CHECK"
    kind = type(condition).__name__
    if isinstance(condition, exp.Between):
        yield from _bounds(condition, source)
    elif isinstance(condition, exp.In) and all(
        isinstance(v, exp.Literal) for v in condition.expressions
    ):
        values = "|".join(v.name for v in condition.expressions)
        yield DtoRule(kind="one_of", value=values, source=source)
    elif kind in _COMPARED and isinstance(condition, exp.Binary):
        left, right = condition.left, condition.right
        direct = isinstance(left, exp.Column)
        bound = _literal(right if direct else left)
        plain = isinstance(left, exp.Column) or isinstance(right, exp.Column)
        if plain and bound is not None:
            which = _COMPARED[kind][0 if direct else 1]
            yield DtoRule(kind=which, value=bound, source=source)  # type: ignore[arg-type]
        else:
            yield DtoRule(kind="custom", value=condition.sql()[:200], source=source)
    else:
        yield DtoRule(kind="custom", value=condition.sql()[:200], source=source)


def _bounds(condition: Any, source: str) -> Iterator[DtoRule]:
    low, high = _literal(condition.args.get("low")), _literal(condition.args.get("high"))
    if low is not None:
        yield DtoRule(kind="minimum", value=low, source=source)
    if high is not None:
        yield DtoRule(kind="maximum", value=high, source=source)


def _literal(node: Any) -> str | None:
    from sqlglot import exp

    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{node.this.name}"
    return node.name if isinstance(node, exp.Literal) and not node.is_string else None
