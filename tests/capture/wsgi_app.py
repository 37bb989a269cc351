"""A WSGI service for the middleware's tests: `python -m tests.capture.wsgi_app PORT SPOOL`."""

from __future__ import annotations

import signal
import sys
from base64 import b64encode
from wsgiref.simple_server import make_server

from premortem.capture.middleware import record

KEY = b"k" * 32


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/broken":
        raise RuntimeError("a fault of the app")
    start_response("200 OK", [("Content-Type", "application/json")])
    if path == "/stream":
        return (b"%d\n" % number for number in range(3))
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return [b'{"got":', body or b"null", b"}"]


def main() -> None:
    port, spool = int(sys.argv[1]), sys.argv[2]
    environment = {"PREMORTEM_SPOOL_KEY": b64encode(KEY).decode()}
    recorded = record(app, directory=spool, environment=environment)
    with make_server("127.0.0.1", port, recorded) as server:
        # As servers do: what they run ends in order.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        server.serve_forever()


if __name__ == "__main__":
    main()
