"""`python -m tests.depot_service --port N`: the service, until it is ended."""

from __future__ import annotations

import argparse

import uvicorn

from tests.depot_service.service import made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(made(), host="127.0.0.1", port=port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
