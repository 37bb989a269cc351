"""The ledger with one fault in it, running."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benches.mutants.mutating import Mutant
from tests.services import PASSWORDS, running
from tests.shared import ROOT

PROGRAM = ROOT / "examples" / "ledger" / "ledger"
FILES = (
    *(f"books/{name}.py" for name in ("book", "customers", "invoices", "payments", "refunds")),
    *("books/records.py", "books/reports.py"),
    *(f"web/{name}.py" for name in ("access", "customers", "invoices", "payments", "reports")),
    *("web/requests.py", "web/service.py", "web/sessions.py"),
    *("roles.py", "fields.py", "schema.py", "money.py", "editions.py"),
)
"""What answers requests: no client, no tracing, no test hooks."""


def journal_of(folder: Path) -> Path:
    """What the ledger writes, a line for each request."""
    return folder / "journal.log"


def asked(folder: Path) -> int:
    """Requests that the ledger took since it was started."""
    journal = journal_of(folder)
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@contextlib.contextmanager
def mutated(mutant: Mutant | None, *, folder: Path, port: int, defects: str = "") -> Iterator[str]:
    """The base URL of the ledger with MUTANT in it, as a process until the block ends; None: as
    it is, with its own DEFECTS on. FOLDER takes the copy. Raises OSError when it does not start.
    """
    copy = folder / "mutant"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(PROGRAM, copy / "ledger", ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        (copy / "ledger" / mutant.file).write_text(mutant.text)
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "ledger", "--port", str(port)]
    journal = journal_of(folder)
    journal.unlink(missing_ok=True)
    settings = {
        "LEDGER_TEST_HOOKS": "1",
        "LEDGER_DEFECTS": defects,
        "LEDGER_LOG": str(journal),
        **PASSWORDS,
    }
    with running(command, cwd=copy, ready=f"{base}/health", **settings):
        yield base
