"""Which sender a target gets."""

from __future__ import annotations

import subprocess
import sys

from premortem.config import TargetConfig
from premortem.send.http import Sender
from premortem.send.opening import new_sender

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pycurl":
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
from premortem.config import TargetConfig
from premortem.errors import ConfigError
from premortem.send.opening import new_sender

new_sender(TargetConfig(base_url="http://127.0.0.1:1"))
try:
    new_sender(TargetConfig(base_url="http://127.0.0.1:1", http="2"))
except ConfigError as error:
    print(error)
"""


def test_a_target_gets_http_1_1_unless_it_asks_for_2():
    assert isinstance(new_sender(TargetConfig(base_url="http://127.0.0.1:1")), Sender)


def test_without_the_extra_only_http_2_is_refused_and_the_extra_is_named():
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=60
    )
    assert "premortem[http2]" in run.stdout
    assert "[target]" in run.stdout
