"""Lines of access logs, as servers and load balancers write them."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from premortem.capture import CaptureCounts, ReadOptions, capture_recordings
from premortem.capture.access_log import LineParser, read_access_log
from premortem.capture.lines import LINE_BYTES_MAX
from premortem.capture.message import NotHttp, Unusable
from premortem.config import CaptureConfig, Config, RoleConfig, TargetConfig
from premortem.errors import InputError

AT = 1700000000.0  # 2023-11-14T22:13:20Z
STAMP = "14/Nov/2023:22:13:20 +0000"


def parsed(line, **options):
    return LineParser(ReadOptions(**options)).entry(line.encode())


def read(tmp_path, text, **options):
    path = tmp_path / "a.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    counts = CaptureCounts()
    entries = list(read_access_log(path, counts=counts, options=ReadOptions(**options)))
    return entries, counts


def line(request="GET /a HTTP/1.1", *, status="200", at=STAMP, user="-", rest=""):
    return f'10.0.0.1 - {user} [{at}] "{request}" {status} 12{rest}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (line(), ("GET", "/a", 200, "", "10.0.0.1")),
        (line(user="anna"), ("GET", "/a", 200, "anna", "10.0.0.1")),
        (line(user="Anna B"), ("GET", "/a", 200, "Anna B", "10.0.0.1")),
        (line("POST /a?q=%22 HTTP/2.0", status="201"), ("POST", "/a?q=%22", 201, "", "10.0.0.1")),
        (line("GET /"), ("GET", "/", 200, "", "10.0.0.1")),
        (
            f'2001:db8::1 - - [{STAMP}] "GET /a HTTP/1.1" 200 -',
            ("GET", "/a", 200, "", "2001:db8::1"),
        ),
        (f'h.test:8443 ::1 - - [{STAMP}] "GET /a HTTP/1.1" 304 0', ("GET", "/a", 304, "", "::1")),
    ],
)
def test_common_and_combined_lines_are_read(text, expected):
    entry = parsed(text)
    found = (entry.method, entry.target, entry.status, entry.sender.user, entry.sender.address)
    assert found == expected
    assert entry.started_at == AT
    assert entry.recorded == "line"


def test_quoted_fields_are_unescaped_as_nginx_and_apache_escape_them():
    entry = parsed(line(r"GET /a\x22b HTTP/1.1", rest=r' "http://r/\x5C" "An \"agent\" \xC3\xA9"'))
    assert entry.target == '/a"b'
    assert dict(entry.headers) == {"referer": "http://r/\\", "user-agent": 'An "agent" é'}
    assert entry.exchange(body_bytes_max=1, counts=CaptureCounts()).request.path == "/a%22b"


@pytest.mark.parametrize("zone", ["+0000", "+0530", "-0800", "+1400"])
def test_time_zones_are_reckoned_with(zone):
    entry = parsed(line(at=f"14/Nov/2023:22:13:20 {zone}"))
    hours = (int(zone[:3]) * 3600) + int(zone[0] + zone[3:]) * 60
    assert entry.started_at == AT - hours


@pytest.mark.parametrize(
    "request_line",
    [r"\x16\x03\x01\x02", "-", "", "GET", "CONNECT h:443 HTTP/1.1", "OPTIONS * HTTP/1.1"],
)
def test_what_was_no_request_is_left_out_and_counted_as_such(request_line, tmp_path):
    entries, counts = read(tmp_path, line(request_line, status="400") + "\n" + line())
    with pytest.raises(NotHttp):
        entries[0][1].address()
    kept = list(capture_recordings(entries, config=Config(), redaction_key=b"k", counts=counts))
    assert len(kept) == 1
    assert counts.dropped == {"not http": 1}
    assert counts.malformed == []


@pytest.mark.parametrize(
    ("rest", "milliseconds"),
    [
        (' "-" "-" 0.125', 125),
        (' "-" "-" "1.1.1.1" rt=0.125 uct=0.001', 125),
        (' "-" "-" "-"', 0),
        (' "-" "-" 4711', 0),
    ],
)
def test_a_request_time_behind_a_combined_line_is_its_duration(rest, milliseconds):
    assert parsed(line(rest=rest)).duration_ms == pytest.approx(milliseconds)


JSON_LINES = {
    "nginx": '{"msec":"1700000000.500","remote_addr":"1.2.3.4","remote_user":"anna",'
    '"request_method":"PUT","request_uri":"/a?b=1","status":"201","request_time":"0.500",'
    '"http_host":"h.test","http_user_agent":"ua","http_x_tenant":"t1"}',
    "Caddy": '{"level":"info","ts":1700000000.5,"logger":"http.log.access","msg":"handled request",'
    '"request":{"remote_ip":"1.2.3.4","proto":"HTTP/2.0","method":"PUT","host":"h.test",'
    '"uri":"/a?b=1","headers":{"User-Agent":["ua"],"X-Tenant":["t1"],"Cookie":["REDACTED"]},'
    '"tls":{"version":772}},"user_id":"anna","duration":0.5,"size":10,"status":201,'
    '"resp_headers":{"Content-Type":["application/json"]}}',
    "Traefik": '{"ClientAddr":"1.2.3.4:555","ClientHost":"1.2.3.4","ClientUsername":"anna",'
    '"DownstreamStatus":201,"Duration":500000000,"OriginDuration":499000000,"OriginStatus":500,'
    '"RequestHost":"h.test","RequestMethod":"PUT","RequestPath":"/a?b=1","RequestScheme":"https",'
    '"StartUTC":"2023-11-14T22:13:20.0Z","time":"2023-11-14T22:13:20Z","level":"info","msg":"",'
    '"request_User-Agent":"ua","request_X-Tenant":"t1"}',
    "Envoy": '{"start_time":"2023-11-14T22:13:20.000Z","method":"PUT",'
    '"x-envoy-original-path":"/a?b=1","path":"/rewritten","response_code":201,"duration":500,'
    '"authority":"h.test","user_agent":"ua","x_forwarded_for":"1.2.3.4,9.9.9.9","user":"anna",'
    '"x_forwarded_proto":"https","http_x_tenant":"t1"}',
    "ECS": '{"@timestamp":"2023-11-14T22:13:20.500Z","http":{"request":{"method":"PUT"},'
    '"response":{"status_code":201}},"url":{"original":"/a?b=1","domain":"h.test",'
    '"scheme":"https"},"event":{"duration":500000000},"user":{"name":"anna"},'
    '"client":{"ip":"1.2.3.4"},"user_agent":{"original":"ua"},"http_x_tenant":"t1"}',
    "Google": '{"httpRequest":{"requestMethod":"PUT","requestUrl":"https://h.test/a?b=1",'
    '"status":201,"userAgent":"ua","remoteIp":"1.2.3.4","latency":"0.5s"},"user":"anna",'
    '"timestamp":"2023-11-14T22:13:20.500Z","http_x_tenant":"t1"}',
}


@pytest.mark.parametrize("text", JSON_LINES.values(), ids=JSON_LINES.keys())
def test_the_fields_of_json_lines_are_made_out_whoever_names_them(text):
    entry = parsed(text)
    url = entry.address()
    assert (entry.method, url.path, url.query, entry.status) == ("PUT", "/a", "b=1", 201)
    assert url.origin.endswith("://h.test")
    assert entry.duration_ms == pytest.approx(500)
    assert entry.started_at == pytest.approx(AT, abs=1e-3)
    assert (entry.sender.user, entry.sender.address) == ("anna", "1.2.3.4")
    assert dict(entry.headers)["user-agent"] == "ua"
    assert dict(entry.headers)["x-tenant"] == "t1"
    assert "cookie" not in dict(entry.headers)


def test_the_lines_of_a_load_balancer_are_read():
    entry = parsed(
        "https 2023-11-14T22:13:20.500000Z app/lb/50dc 192.168.131.39:2817 10.0.0.1:80 0.100 0.300 "
        '0.100 200 200 34 366 "GET https://h.test:443/a?b=1 HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 '
        'arn:aws "Root=1-58" "h.test" "arn" 0 2023-11-14T22:13:20.000000Z "forward" "-" "-"'
    )
    assert entry.address().origin == "https://h.test"
    assert entry.duration_ms == pytest.approx(500)
    assert entry.started_at == pytest.approx(AT)


def test_a_container_log_is_unwrapped():
    entry = parsed('{"log":"' + line().replace('"', '\\"') + '\\n","stream":"stdout","time":"x"}')
    assert entry.target == "/a"


NGINX_FORMAT = """log_format main escape=default '$remote_addr|$time_iso8601|"$request"|'
    '$status|${request_time}s|$http_x_role';"""
APACHE_FORMAT = r"%h %t \"%r\" %>s %D \"%{User-agent}i\""


def test_a_custom_format_is_what_the_servers_configuration_says():
    text = '1.2.3.4|2023-11-14T22:13:20+00:00|"GET /a b HTTP/1.1"|200|0.500s|boss'
    with pytest.raises(Unusable):
        parsed(text)
    text = text.replace("/a b", "/ab")
    entry = parsed(text, log_format=NGINX_FORMAT)
    assert (entry.target, entry.status, entry.duration_ms) == ("/ab", 200, 500)
    assert entry.headers == (("x-role", "boss"),)
    entry = parsed(f'1.2.3.4 [{STAMP}] "GET /a HTTP/1.1" 200 1500 "ua"', log_format=APACHE_FORMAT)
    assert (entry.target, entry.duration_ms) == ("/a", 1.5)


def test_a_format_that_names_no_request_is_refused():
    with pytest.raises(InputError, match=r"names no request"):
        LineParser(ReadOptions(log_format="$remote_addr $status"))


def test_malformed_lines_are_counted_with_their_numbers(tmp_path):
    text = "\n".join([line(), "garbage", "", line(), '{"half": ', '{"msg": "started"}'])
    entries, counts = read(tmp_path, text)
    assert [number for number, _ in entries] == [1, 4]
    assert [number for number, _ in counts.malformed] == [2, 5]
    assert counts.dropped == {"not a request": 1}
    assert counts.read == 5


def test_a_line_without_end_is_passed_over(tmp_path):
    text = b"\n".join([line().encode(), b"x" * (3 * LINE_BYTES_MAX), line().encode()])
    entries, counts = read(tmp_path, text)
    assert [number for number, _ in entries] == [1, 3]
    assert counts.malformed == [(2, f"longer than {LINE_BYTES_MAX} bytes")]


@pytest.mark.parametrize("text", ["", "\n\n", "no log\nat all", '{"a": 1}\n{"b": 2}'])
def test_a_file_that_is_no_log_is_named_with_what_would_be_one(tmp_path, text):
    with pytest.raises(InputError, match=r"is not an access log .*; give an access log in common"):
        read(tmp_path, text)


def test_the_origin_is_the_one_the_user_names(tmp_path):
    entries, _ = read(tmp_path, line(), origin="https://api.test")
    assert entries[0][1].address().origin == "https://api.test"


def test_a_user_of_a_log_has_the_role_that_signs_in_by_that_name(tmp_path):
    entries, counts = read(tmp_path, "\n".join([line(user="anna"), line(user="ben"), line()]))
    config = Config(roles={"Boss": RoleConfig(basic="anna:${NOT_SET}")})
    kept = capture_recordings(
        entries, config=config, redaction_key=b"k", counts=counts, environment={}
    )
    assert [exchange.tags.role for exchange in kept] == ["Boss", "unknown", ""]


def test_a_log_without_hosts_is_the_targets_own(tmp_path):
    entries, counts = read(tmp_path, line())
    config = Config(
        target=TargetConfig(base_url="http://h.test"), capture=CaptureConfig(statuses=("2xx",))
    )
    assert (
        len(list(capture_recordings(entries, config=config, redaction_key=b"k", counts=counts)))
        == 1
    )


def test_memory_stays_flat_whatever_the_length_of_the_log(tmp_path):
    path = tmp_path / "long.log.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for number in range(20_000):
            file.write(line(f"GET /a/{number}?q={number} HTTP/1.1").encode() + b"\n")
    tracemalloc.start()
    try:
        read_lines = sum(1 for _ in read_access_log(path, counts=CaptureCounts()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read_lines == 20_000
    assert peak < 8e6
