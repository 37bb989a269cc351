"""`python -m ledger`: serves the ledger on one address."""

from __future__ import annotations

import argparse
import os
import sys

import uvicorn

from ledger.defects import Defects
from ledger.web.app import create_app


def main() -> int:
    """Serve until interrupted. Exit 2 if the environment asks for what there is not."""
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8700)
    arguments = parser.parse_args()
    try:
        defects = Defects.parse(os.environ.get("LEDGER_DEFECTS", ""))
    except ValueError as error:
        print(f"LEDGER_DEFECTS: {error}", file=sys.stderr)
        return 2
    try:
        app = create_app(defects=defects, environment=os.environ)
    except (ValueError, OSError, ImportError) as error:
        print(f"the ledger cannot start: {error}", file=sys.stderr)
        return 2
    uvicorn.run(
        app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
