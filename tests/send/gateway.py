"""nginx before a scripted service: one real server that speaks HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.send.certificates import make_certificates
from tests.send.server import unused_port

MISSING = "nginx is not on PATH; `make` installs it (Debian: apt-get install nginx-light)"
START_S_MAX = 10
LOG_S_MAX = 10

_CONFIG = """
daemon off;
master_process on;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format seen '$request_method $uri $server_protocol';
  access_log {folder}/access.log seen;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 100m;
  keepalive_requests {keepalive_requests};
  large_client_header_buffers 8 64k;
  proxy_buffers 64 16k;
  proxy_buffer_size 64k;
  proxy_busy_buffers_size 128k;
  ssl_certificate {certificate};
  ssl_certificate_key {certificate};
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{plain_2} http2;
    listen 127.0.0.1:{tls} ssl http2;
    listen 127.0.0.1:{tls_1} ssl;
    location / {{
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_set_header host $http_host;
      proxy_pass_request_headers on;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_pass http://127.0.0.1:{service};
    }}
  }}
}}
"""


class Gateway:
    """Where it listens, and what it saw."""

    def __init__(self, folder: Path, ports: dict[str, int], authority: Path) -> None:
        self._folder = folder
        self.ports = ports
        self.authority = str(authority)
        """PEM file."""

    def url(self, scheme: str, version: str) -> str:
        name = {"http1.1": "plain", "http2": "plain_2", "https1.1": "tls", "https2": "tls"}
        return f"{scheme}://127.0.0.1:{self.ports[name[scheme + version]]}"

    def saw(self, line: str) -> bool:
        """Whether a request `METHOD PATH PROTOCOL` has ended; nginx writes it after the answer."""
        deadline = time.monotonic() + LOG_S_MAX
        while line not in (self._folder / "access.log").read_text().splitlines():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def errors(self) -> str:
        return (self._folder / "error.log").read_text()


@contextlib.contextmanager
def gateway(folder: Path, service: int, *, keepalive_requests: int = 1000) -> Iterator[Gateway]:
    """nginx before the service that listens on the port SERVICE."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program is not None, MISSING
    certificate, authority = make_certificates(folder)
    ports = {name: unused_port() for name in ("plain", "plain_2", "tls", "tls_1")}
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            certificate=certificate,
            service=service,
            keepalive_requests=keepalive_requests,
            **ports,
        )
    )
    process = subprocess.Popen(
        [program, "-e", str(folder / "error.log"), "-c", str(config), "-p", str(folder)],
        stderr=subprocess.PIPE,
    )
    try:
        _wait(process, ports)
        yield Gateway(folder, ports, authority)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_S_MAX)


def _wait(process: subprocess.Popen[bytes], ports: dict[str, int]) -> None:
    end = time.monotonic() + START_S_MAX
    for port in ports.values():
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    process.kill()
                    said = process.communicate()[1].decode()
                    raise AssertionError(f"nginx did not start: {said}") from None
                time.sleep(0.02)


def available() -> bool:
    return bool(shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"))
