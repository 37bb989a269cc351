"""The matrix of roles as comma-separated values (RFC 4180), a line for each cell."""

from __future__ import annotations

import csv
import io

from premortem.domain.access_matrix import AccessMatrix

COLUMNS = (
    "operation",
    "edition",
    "role",
    "standing",
    "declared",
    "tested",
    "observed",
    "declared_by",
    "observed_in",
    "why_not",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def access_csv(matrix: AccessMatrix) -> str:
    """MATRIX, its first line the names of columns; in the order of its cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell in matrix.cells:
        row = (
            cell.operation_id,
            cell.edition,
            cell.role,
            cell.standing,
            cell.declared,
            cell.tested,
            cell.observed,
            cell.declared_by,
            cell.observed_in,
            cell.why_not,
        )
        writer.writerow(_safe(value) for value in row)
    return text.getvalue()


def _safe(value: object) -> object:
    """VALUE so that no spreadsheet takes it for a formula (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
