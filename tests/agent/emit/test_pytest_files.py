import ast
import http.server
import os
import subprocess
import sys
import threading

import msgspec
import pytest

from premortem.agent.emit.feature import feature_change
from premortem.agent.emit.files import write
from premortem.agent.emit.pytest_bdd import pytest_bdd_changes
from premortem.agent.emit.pytest_file import pytest_change
from premortem.domain.scenario import Step
from premortem.errors import InputError
from tests.agent.emit.samples import scenario

OWN = b"import os\r\n\r\n\r\ndef test_mine():\r\n    pass"
GET = (
    Step(keyword="Given", text='the actor "ann" is not signed in'),
    Step(keyword="When", text='"ann" sends "GET" to "/parcels"'),
    Step(keyword="Then", text="the response status is 404"),
)


def functions(text):
    return [n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]


def test_a_scenario_becomes_a_function_that_reads_as_it_does(tmp_path):
    hostile = 'quotes """ and \\ and "'
    steps = (*scenario("x").steps[:2], Step(keyword="When", text="x", docstring=hostile))
    one = msgspec.structs.replace(scenario("Refund is issued twice", steps=steps), tags=("edge",))
    change = pytest_change(tmp_path, "test_refunds.py", [one, scenario("Other \u00e4 1")])
    text = change.after.decode()
    assert functions(text) == ["test_refund_is_issued_twice", "test_other_1"]
    assert f"@edge @trace_id:refund-2025-0182 @premortem_id:{one.id}" in text
    constants = [n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)]
    assert hostile in constants
    write(tmp_path, change)
    again = pytest_change(tmp_path, "test_refunds.py", [one, scenario("Other \u00e4 1")])
    assert (again.after, again.names) == (change.after, ())


def test_a_file_of_a_person_keeps_every_byte_and_its_line_ends(tmp_path):
    (tmp_path / "test_own.py").write_bytes(OWN)
    change = pytest_change(tmp_path, "test_own.py", [scenario("Twice")])
    assert change.after.startswith(OWN)
    assert b"\n" not in change.after.replace(b"\r\n", b"")
    assert functions(change.after.decode()) == ["test_mine", "test_twice"]


def test_a_file_that_is_no_python_is_left_alone(tmp_path):
    (tmp_path / "test_own.py").write_text("def (")
    with pytest.raises(InputError, match="Python"):
        pytest_change(tmp_path, "test_own.py", [scenario("Twice")])


def test_a_conftest_of_a_person_gets_our_steps_once(tmp_path):
    (tmp_path / "conftest.py").write_text("import os")
    conftest, module = pytest_bdd_changes(tmp_path, "a b.feature")
    assert conftest.after.startswith(b"import os\n")
    assert module.path == "test_a_b.py"
    write(tmp_path, conftest)
    assert pytest_bdd_changes(tmp_path, "a b.feature")[0].after == conftest.after


class Nothing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_files_run_as_they_were_written(tmp_path, service):
    (tmp_path / "premortem.toml").write_text(f'[target]\nbase_url = "{service}"\n')
    right = scenario("Nothing is there", steps=GET)
    wrong = scenario(
        "It is there", steps=(*GET[:2], Step(keyword="Then", text="the response status is 200"))
    )
    both = [right, wrong]
    write(tmp_path, pytest_change(tmp_path, "test_plain.py", both))
    write(tmp_path, feature_change(tmp_path, "parcels.feature", both, title="Parcels"))
    for change in pytest_bdd_changes(tmp_path, "parcels.feature"):
        write(tmp_path, change)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "PREMORTEM_CONFIG": str(tmp_path / "premortem.toml")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("the status is 404, not 200") >= 2
