from __future__ import annotations

import http.client
import http.server
import re
import socket
import threading

import pytest

from benches.defects.counting_proxy import CountingProxy

NOTHING = re.compile(r"(?!)")


@pytest.fixture
def service(tmp_path):
    log = (tmp_path / "service.log").open("ab", buffering=0)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            log.write(f"{self.command} {self.path} {len(body)}\n".encode())
            self.send_response(500 if self.path == "/broken" else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1], tmp_path / "service.log"
    server.shutdown()
    thread.join()
    server.server_close()
    log.close()


def proxy(service, *, limit=0, refused=NOTHING):
    port, log = service
    return CountingProxy(port, limit=limit, refused=refused, log=log)


def ask(connection, method, path, body=None):
    connection.request(method, path, body=body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_every_request_counts_on_one_connection_and_on_many(service):
    with proxy(service) as between:
        kept = http.client.HTTPConnection("127.0.0.1", between.port)
        for number in range(5):
            assert ask(kept, "POST", f"/{number}", b"x" * 10) == (200, b"x" * 10)
        kept.close()
        for _ in range(3):
            once = http.client.HTTPConnection("127.0.0.1", between.port)
            assert ask(once, "GET", "/broken")[0] == 500
            once.close()
        assert between.count == 8
        assert between.statuses == {200: 5, 500: 3}


def test_a_body_of_many_parts_is_one_request_and_arrives_whole(service):
    body = bytes(range(256)) * 4000
    with proxy(service) as between:
        connection = http.client.HTTPConnection("127.0.0.1", between.port)
        assert ask(connection, "POST", "/", body) == (200, body)
        assert ask(connection, "POST", "/", b"") == (200, b"")
        connection.close()
        assert between.count == 2


def test_the_request_after_the_last_is_not_let_through(service):
    with proxy(service, limit=3) as between:
        connection = http.client.HTTPConnection("127.0.0.1", between.port)
        for number in range(3):
            assert ask(connection, "GET", f"/{number}")[0] == 200
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(connection, "GET", "/more")
        connection.close()
        assert between.count == 3
        assert between.turned_away == 1
    assert b"/more" not in service[1].read_bytes()


def test_an_excluded_operation_is_counted_and_answered_without_the_service(service):
    with proxy(service, refused=re.compile(r"DELETE /me")) as between:
        connection = http.client.HTTPConnection("127.0.0.1", between.port)
        assert ask(connection, "DELETE", "/me")[0] == 403
        connection.close()
        assert between.count == 1
    assert service[1].read_bytes() == b""


def test_requests_sent_without_waiting_all_count(service):
    with proxy(service) as between:
        with socket.create_connection(("127.0.0.1", between.port)) as raw:
            raw.sendall(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n" * 3)
            received = b""
            while received.count(b"HTTP/1.1 200") < 3:
                received += raw.recv(4096)
        assert between.count == 3


def test_what_is_no_http_goes_through_and_counts(service):
    with proxy(service) as between:
        with socket.create_connection(("127.0.0.1", between.port)) as raw:
            raw.sendall(b"\x00\x01 nonsense\r\n\r\n")
            assert b"400" in raw.recv(4096)
        assert between.count == 1


def test_a_request_is_kept_with_the_part_of_the_log_that_it_brought_about(service):
    with proxy(service) as between:
        connection = http.client.HTTPConnection("127.0.0.1", between.port)
        ask(connection, "GET", "/first")
        ask(connection, "POST", "/second", b"body")
        ask(connection, "GET", "/third")
        connection.close()
        first, second, *_ = between.seen
    log = service[1].read_bytes()
    assert log[first.log_from : first.log_to] == b"GET /first 0\n"
    assert log[second.log_from : second.log_to] == b"POST /second 4\n"
    assert (second.line, second.body, second.status) == ("POST /second", b"body", 200)
