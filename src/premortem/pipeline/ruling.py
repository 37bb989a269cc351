"""Which rules a target is held to: configured ones, those of blueprints, and suggested ones."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from premortem.agent.knowledge.openapi_dto import is_openapi, operations_in_openapi
from premortem.agent.knowledge.rule_lines import RuleLines, rule_lines
from premortem.analyse.proposed_rules import proposed_rules
from premortem.config import Config
from premortem.domain.invariant import Invariant, parse_invariant
from premortem.domain.stated import Stated, StatedRules, parse_stated
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError, InputError


def with_blueprints(config: Config) -> Config:
    """CONFIG with the lines of its blueprints beside its own, and no blueprints any more.

    Raises ConfigError for a blueprint that cannot be read.
    """
    checks = config.checks
    if not checks.blueprints:
        return config
    rules = {parse_stated(text).text: text for text in checks.rules}
    invariants = dict.fromkeys(checks.invariants)
    for found in blueprint_lines(config):
        for line in found.lines:
            if line.kind == "rule":
                rules.setdefault(line.text, f"{line.text} because {line.why}")
            else:
                invariants[line.text] = None
    made = replace(checks, rules=tuple(rules.values()), invariants=tuple(invariants), blueprints=())
    return replace(config, checks=made)


def stated_rules(profile: Profile, config: Config, *, now: float) -> StatedRules:
    """The rules of CONFIG and of its blueprints, and what PROFILE suggests besides.

    NOW: seconds since the epoch, UTC. Raises ConfigError for a blueprint that cannot be read.
    """
    own = [parse_stated(text) for text in with_blueprints(config).checks.rules]
    taken = {rule.text for rule in own}
    if config.checks.suggested:
        own += [rule for rule in suggested(profile) if rule.text not in taken]
    return StatedRules(rules=tuple(own), clock_header=config.target.clock_header, now=now)


def declared_invariants(config: Config) -> tuple[Invariant, ...]:
    """The invariants of CONFIG and of its blueprints. Raises ConfigError as `with_blueprints`."""
    return tuple(map(parse_invariant, with_blueprints(config).checks.invariants))


def suggested(profile: Profile) -> Iterator[Stated]:
    """What PROFILE suggests that could be tried."""
    for proposed in proposed_rules(profile):
        try:
            rule = parse_stated(proposed.text)
        except ValueError:
            continue  # an operation whose id is no path, as those of GraphQL
        yield replace(rule, why=proposed.why, certain=proposed.certain)


def blueprint_lines(config: Config) -> Iterator[RuleLines]:
    """The rules of each of CONFIG's blueprints. Raises ConfigError where one cannot be read."""
    names = _names(config)
    for name in config.checks.blueprints:
        try:
            source = config.path(name).read_bytes()
            yield rule_lines(source, origin=name, names=names)
        except OSError as error:
            raise ConfigError(
                f"cannot read the blueprint {name}: {error.strerror}; mend `blueprints` under "
                "[checks] in premortem.toml"
            ) from None
        except InputError as error:
            raise ConfigError(str(error)) from None


def _names(config: Config) -> dict[str, str]:
    """What the specification calls its operations -> their ids."""
    path = config.path(config.target.spec)
    if not config.target.spec or not path.is_file():
        return {}
    data = path.read_bytes()
    if not is_openapi(data):
        return {}
    try:
        listed = operations_in_openapi(data, origin=path.name)
    except InputError:
        return {}  # who learns from it says so
    return {operation.name: f"{operation.method} {operation.path}" for operation in listed}
