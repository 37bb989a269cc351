from __future__ import annotations

import json

from benches.defects.counting_proxy import Seen
from benches.defects.operations import tried_of

PATHS = {
    "/users/me": {"get": {}, "delete": {}},
    "/users/{id}": {"get": {}, "parameters": []},
    "/orders": {"get": {}, "post": {}},
}


def seen(line: str, status: int) -> Seen:
    return Seen(number=1, log_from=0, head=f"{line} HTTP/1.1\r\n".encode(), status=status)


def test_operations_count_as_tried_and_as_passed(tmp_path):
    spec = tmp_path / "openapi.json"
    spec.write_text(json.dumps({"paths": PATHS}))
    requests = [
        seen("GET /v1/users/me", 200),
        seen("GET /v1/orders?limit=3", 400),
        seen("GET /v1/orders", 500),
        seen("PUT /v1/orders", 200),
    ]
    found = tried_of(spec, "/v1", ["DELETE /users/me"], requests)
    assert (found.known, found.tried, found.passed) == (4, 2, 1)
    assert found.untried == ("GET /users/{id}", "POST /orders")
    assert found.never_passed == ("GET /orders",)
