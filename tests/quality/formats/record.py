"""Records one session of the ledger with every tool at once, for tests/capture/recordings.

    python tests/quality/formats/record.py [FOLDER]

The client (requests, under vcrpy) talks to mitmdump, which passes on to nginx, which passes on to
the ledger: so all of them record the same exchanges. Betamax records the same steps once more, on a
fresh ledger. `make peers` installs the tools
into .build; nginx must be on the path. Nothing of the machine is in the recordings.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests.services import free_port, ledger  # noqa: E402

MITMDUMP = ROOT / ".build" / "mitmproxy" / "bin" / "mitmdump"
PYTHON = ROOT / ".build" / "cassettes" / "bin" / "python"
READY_S_MAX = 30

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                   '"$http_referer" "$http_user_agent" $request_time';
  log_format lines escape=json '{{"time":"$time_iso8601","msec":"$msec",'
    '"remote_addr":"$remote_addr","remote_user":"$remote_user","host":"$http_host","request":"$request","status":$status,'
    '"request_time":$request_time,"http_user_agent":"$http_user_agent",'
    '"sent_http_content_type":"$sent_http_content_type"}}';
  access_log {folder}/nginx-combined.log combined;
  access_log {folder}/nginx-timed.log timed;
  access_log {folder}/nginx-json.log lines;
  client_body_temp_path {folder}/tmp1; proxy_temp_path {folder}/tmp2;
  fastcgi_temp_path {folder}/tmp3; uwsgi_temp_path {folder}/tmp4; scgi_temp_path {folder}/tmp5;
  gzip on; gzip_types application/json; gzip_min_length 64; gzip_proxied any;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass {upstream}; proxy_set_header Host $http_host; }}
  }}
}}
"""


@contextmanager
def started(command: list[str], port: int) -> Iterator[None]:
    """COMMAND as a process that listens on PORT, until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def record(folder: Path) -> None:
    """All recordings of one session, in FOLDER."""
    nginx_port, proxy_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        settings = work / "nginx.conf"
        with ledger() as upstream:
            settings.write_text(NGINX.format(folder=work, port=nginx_port, upstream=upstream))
            nginx = [str(shutil.which("nginx") or "/usr/sbin/nginx"), "-c", str(settings)]
            flows, har = work / "mitmproxy.flows", work / "mitmproxy.har"
            proxy = [
                str(MITMDUMP), "-q", "-w", str(flows),
                "--mode", f"reverse:http://127.0.0.1:{nginx_port}",
                "--listen-host", "127.0.0.1", "--listen-port", str(proxy_port),
                "--set", "keep_host_header=true", "--set", f"hardump={har}",
                "--set", f"confdir={work}",
            ]  # fmt: skip
            with started([*nginx, "-p", made], nginx_port), started(proxy, proxy_port):
                visit(f"http://127.0.0.1:{proxy_port}", work, "vcrpy")
        with ledger() as direct:
            visit(direct, work, "betamax")
        names = "vcrpy.yaml mitmproxy.flows mitmproxy.har sent.json betamax.json sent-betamax.json"
        for name in (
            *names.split(),
            *(f"nginx-{kind}.log" for kind in ("combined", "timed", "json")),
        ):
            shutil.copyfile(work / name, folder / name)
        (folder / "versions.json").write_text(json.dumps(versions(nginx[0]), indent=1) + "\n")


def visit(base: str, folder: Path, tool: str) -> None:
    """The session, sent to BASE and recorded in FOLDER by TOOL, which runs in the client."""
    script = Path(__file__).with_name("session.py")
    subprocess.run([str(PYTHON), str(script), base, str(folder), tool], check=True)


def versions(nginx: str) -> dict[str, str]:
    """Tool -> version."""
    code = (
        "import json, importlib.metadata as m; "
        "print(json.dumps({n: m.version(n) for n in ('requests', 'vcrpy', 'betamax')}))"
    )
    told = json.loads(
        subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True).stdout
    )
    shown = subprocess.run([str(MITMDUMP), "--version"], capture_output=True, text=True, check=True)
    told["mitmproxy"] = shown.stdout.split()[1]
    shown = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)
    told["nginx"] = shown.stderr.strip().rpartition("/")[2]
    return dict(told)


if __name__ == "__main__":
    record(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "capture" / "recordings")
