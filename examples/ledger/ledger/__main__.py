"""`python -m ledger`: serves the ledger on one address."""

from __future__ import annotations

import argparse
import os
import sys

import uvicorn

from ledger.app import create_app
from ledger.book import Book
from ledger.defects import Defects


def main() -> int:
    """Serve until interrupted. Exit 2 if the environment names an unknown defect."""
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8700)
    parser.add_argument("--db", default=":memory:", help="SQLite file; in memory unless given")
    arguments = parser.parse_args()
    try:
        defects = Defects.parse(os.environ.get("LEDGER_DEFECTS", ""))
    except ValueError as error:
        print(f"LEDGER_DEFECTS: {error}", file=sys.stderr)
        return 2
    app = create_app(
        book=Book(arguments.db, defects=defects),
        defects=defects,
        environment=os.environ,
    )
    uvicorn.run(
        app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
