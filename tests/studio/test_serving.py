"""Where the Studio listens."""

from __future__ import annotations

import socket

import pytest

from premortem.errors import ConfigError
from premortem.studio.serving import HOST, _listening


def test_it_listens_on_loopback_alone():
    with _listening(0) as listener:
        assert listener.getsockname()[0] == HOST == "127.0.0.1"


def test_a_port_that_is_taken_is_said_with_what_to_do():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .* name another with --port"):
            _listening(port)
