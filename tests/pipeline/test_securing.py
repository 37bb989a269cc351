"""What security tests may be sent to, and what they have to work with."""

from __future__ import annotations

import pytest

from premortem.config import Config, SecurityConfig, TargetConfig, TokenConfig
from premortem.domain.run import Plan
from premortem.errors import ConfigError
from premortem.pipeline.securing import means_of, refuse_security, secured

SECURE = secured(Plan())


def config(base="http://127.0.0.1:1", *, disposable=True, hosts=()):
    return Config(
        target=TargetConfig(base_url=base, disposable=disposable),
        security=SecurityConfig(hosts=hosts),
    )


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://localhost:8", "http://[::1]:9"])
def test_this_machine_is_tried(base):
    refuse_security(SECURE, config(base))


def test_another_host_has_to_be_named():
    with pytest.raises(ConfigError, match=r'hosts = \["api\.example"\]'):
        refuse_security(SECURE, config("https://api.example"))
    refuse_security(SECURE, config("https://api.example", hosts=("api.example",)))


def test_data_that_somebody_needs_is_left_alone():
    with pytest.raises(ConfigError, match="not disposable"):
        refuse_security(SECURE, config(disposable=False))


def test_other_plans_are_no_matter_of_this():
    refuse_security(Plan(), config("https://api.example", disposable=False))


def test_most_of_a_secured_plan_is_security():
    assert max(SECURE.sources, key=lambda name: SECURE.sources[name]) == "security"
    assert Plan().sources.keys().isdisjoint({"security"})


def test_a_key_whose_variable_is_not_set_is_none():
    tokens = Config(tokens=TokenConfig(key="${NOTES_KEY_OF_NOBODY}"))
    assert means_of(tokens, environment={}).keys.key == ""
    known = {"NOTES_KEY_OF_NOBODY": "secret"}
    assert means_of(tokens, environment=known).keys.key == "${NOTES_KEY_OF_NOBODY}"
