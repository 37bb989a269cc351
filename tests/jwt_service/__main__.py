"""`python -m tests.jwt_service --port N`: the service, until it is ended."""

from __future__ import annotations

import argparse
import os

import uvicorn

from tests.jwt_service.service import made
from tests.jwt_service.tokens import new_key


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    app = made(os.environ.get("JWT_SERVICE_KEY") or new_key())
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
