"""curl commands: what curl itself sends for them is what is read."""

from __future__ import annotations

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest

from premortem.capture import CaptureCounts, ReadOptions, detect
from premortem.capture.curl import read_curl
from premortem.errors import InputError

COMMANDS = [
    "curl {base}/plain",
    "curl -s '{base}/a%20b?x=1&y=a+b' -H 'Accept: application/json' --compressed",
    'curl -X PUT {base}/put -H "X-Name: it\'s \\"quoted\\"" -d \'a=1\' -d b=2',
    'curl {base}/json --json \'{{"a": "é"}}\'',
    "curl {base}/raw --data-raw '@not a file' -H 'Content-Type: text/plain'",
    "curl {base}/enc --data-urlencode 'q=a b&c=é' --data-urlencode plain --data-urlencode '=x y'",
    "curl -G {base}/get?z=0 -d a=1 --data-urlencode 'q=a b'",
    "curl {base}/ansi -H 'content-type: a/b' "
    "--data-raw $'line\\nand \\'quote\\' \\u00e9 \\x41 \\\\ end'",
    "curl -u 'anna:p w' {base}/user -b 'sid=1; t=2' -A 'agent/1' -e http://r.test/",
    "curl -I {base}/head",
    "curl -sSLkXDELETE {base}/joined -HX-A:1",
    "curl {base}/form -F 'title=a b' -F 'kind=x;type=text/csv' --form-string 'at=@here'",
    "curl \\\n  --request PATCH \\\n  --url {base}/lines \\\n  --header 'X-Empty;' \\\n  --data ''",
    "curl {base}/two {base}/urls",
    "curl -o /dev/null --max-time 5 {base}/options -H 'Accept:'",
    "curl {base}/adjoined'?a=b'\"&c=d\" --oauth2-bearer t0ken",
]


class Recorder(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    protocol_version = "HTTP/1.1"
    kept: list[tuple[str, str, dict[str, str], bytes]]

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.kept.append((self.command, self.path, headers, body))
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    kept = []
    handler = type("Kept", (Recorder,), {"kept": kept})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", kept
        listening.shutdown()
        thread.join()


def read(path, **options):
    counts = CaptureCounts()
    entries = list(read_curl(path, counts=counts, options=ReadOptions(**options)))
    exchanges = [e.exchange(body_bytes_max=1 << 20, counts=counts) for _, e in entries]
    return exchanges, counts, [line for line, _ in entries]


def write(tmp_path, text):
    path = tmp_path / "requests.txt"
    path.write_text(text)
    return path


def told(text, tmp_path, **options):
    exchanges, counts, _ = read(write(tmp_path, text), **options)
    return exchanges, counts


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_what_curl_sends_is_what_is_read(server, tmp_path):
    base, kept = server
    text = "\n".join(command.format(base=base) for command in COMMANDS)
    path = write(tmp_path, text)
    subprocess.run(["bash", str(path)], check=True, capture_output=True)
    exchanges, counts, _ = read(path)
    assert counts.malformed == []
    assert len(exchanges) == len(kept) == len(COMMANDS) + 1
    for exchange, (method, target, headers, body) in zip(exchanges, kept, strict=True):
        request = exchange.request
        assert exchange.recorded == "request"
        assert exchange.response.status == 0
        sent = {k: v for k, v in headers.items() if k not in ("host", "content-length")}
        for name in ("user-agent", "accept", "accept-encoding"):  # curl's own
            if name not in dict(request.headers):
                sent.pop(name, None)
        path_sent, _, query = target.partition("?")
        assert (request.method, request.path) == (method, path_sent)
        assert "&".join(f"{k}={v}" for k, v in request.query) == unquoted(query)
        if "boundary" in headers.get("content-type", ""):
            mark, own = (
                h.partition("boundary=")[2]
                for h in (sent.pop("content-type"), request.header("content-type"))
            )
            body = body.replace(mark.encode(), own.encode())
            assert dict(request.headers).keys() - {"content-type"} == sent.keys()
        else:
            assert dict(request.headers) == sent
        assert request.body == body


def unquoted(query):
    return "&".join(f"{k}={v}" for k, v in parse_qsl(query, keep_blank_values=True))


def test_commands_stand_between_other_lines_and_are_numbered_by_their_own(tmp_path):
    text = "# notes\n\necho hi\n$ curl http://h/a |\n  jq .\n\n"
    text += "curl http://h/b \\\n -d x=1 ;\ncurl http://h/c &\n"
    _, counts, lines = read(write(tmp_path, text))
    assert lines == [4, 7, 9]
    assert counts.read == 3


def test_shell_variables_are_left_out_and_said(tmp_path):
    text = (
        'curl "$BASE/a?x=1" -H "Authorization: Bearer $TOKEN" -H "X-A: 1"\n'
        "curl http://h/b/${ID}\n"
        'curl http://h/c -d "{\\"id\\": $(uuidgen)}"\n'
        "curl 'http://h/$kept' -d '$kept'\n"
    )
    exchanges, counts = told(text, tmp_path, origin="https://api.test")
    assert [e.request.origin + e.request.path for e in exchanges] == [
        "https://api.test/a",
        "http://h/$kept",
    ]
    assert exchanges[0].request.headers == (("x-a", "1"),)
    assert counts.dropped == {"variables without a value": 2}
    assert counts.left_out == {"$BASE": 1, "$TOKEN": 1, "${ID}": 1, "$(uuidgen)": 1}


def test_files_that_a_command_names_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("content")
    text = f"curl http://h/a -d @{secret} -F f=@{secret} -b {secret} -T {secret}"
    (exchange,), counts = told(text, tmp_path)
    assert "content" not in repr(exchange)
    assert counts.left_out == {"contents of a file": 4}


def test_what_a_browser_copies_for_windows_is_read(tmp_path):
    text = (
        'curl ^"http://h/a?x=1^&y=2^" ^\r\n  -X ^"POST^" ^\r\n'
        '  -H ^"content-type: application/json^" ^\r\n'
        '  --data-raw ^"^{^\\^"a^\\^":1^,^\\^"b^\\^":^\\^"50^%^$^\\^"^}^" &\r\n'
        'curl ^"http://h/b^" ^\r\n  -H ^"x-a: 1^"\r\n'
    )
    exchanges, _ = told(text, tmp_path)
    assert [e.request.path for e in exchanges] == ["/a", "/b"]
    assert exchanges[0].request.query == (("x", "1"), ("y", "2"))
    assert exchanges[0].request.body == b'{"a":1,"b":"50%$"}'


def test_commands_that_cannot_be_read_are_counted_with_their_lines(tmp_path):
    text = "curl http://h/a\ncurl -X\ncurl -H 'a: b'\ncurl http://h/b --next http://h/c\ncurl 'http://h/d"
    exchanges, counts = told(text, tmp_path)
    assert len(exchanges) == 1
    assert [place for place, _ in counts.malformed] == [2, 3, 4, 5]
    assert counts.read == 5


@pytest.mark.parametrize("text", ["", "wget http://h/", "curly hair"])
def test_a_file_without_commands_is_named(tmp_path, text):
    with pytest.raises(InputError, match="is not a list of curl commands"):
        told(text, tmp_path)


def test_commands_are_known_by_their_content(tmp_path):
    assert detect(write(tmp_path, "# mine\n$ curl http://h/a")) == "curl"
    assert detect(write(tmp_path, "curl 'http://h/a' \\\n -H 'a: b'")) == "curl"
