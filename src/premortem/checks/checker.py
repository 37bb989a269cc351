"""All checks over what came of one case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from itertools import chain

from msgspec.structs import replace

from premortem.checks import (
    accepted_invalid,
    allow_header,
    at_one_time,
    auth_ignored,
    broken_rule,
    closed_state,
    content_type,
    foreign_thing,
    forged_token,
    injected,
    invariant,
    log_error,
    missing_header,
    more_than_once,
    no_answer,
    no_limit,
    not_available,
    other_version,
    raised_member,
    refused_valid,
    response_headers,
    response_shape,
    response_time,
    revoked_access,
    role_view,
    secret_shown,
    server_error,
    stated_rule,
    undeclared_status,
    unexpected_change,
    unlike_recorded,
    unsupported_method,
    unusual_value,
    use_after_free,
    wrong_data,
)
from premortem.checks.check import Check, Known
from premortem.checks.learned import learned_answers, supplied_names
from premortem.checks.own import load_checks
from premortem.checks.quick import Quick
from premortem.checks.selecting import Bodies
from premortem.checks.shapes import Shapes
from premortem.config import CheckConfig, Config
from premortem.domain.invariant import parse_invariant
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.domain.traffic import Profile
from premortem.errors import ConfigError

CHECKS: tuple[Check, ...] = (
    server_error.CHECK,
    no_answer.CHECK,
    auth_ignored.CHECK,
    accepted_invalid.CHECK,
    missing_header.CHECK,
    unsupported_method.CHECK,
    other_version.CHECK,
    refused_valid.CHECK,
    use_after_free.CHECK,
    not_available.CHECK,
    revoked_access.CHECK,
    forged_token.CHECK,
    foreign_thing.CHECK,
    raised_member.CHECK,
    stated_rule.CHECK,
    more_than_once.CHECK,
    closed_state.CHECK,
    at_one_time.CHECK,
    unexpected_change.CHECK,
    unlike_recorded.CHECK,
    undeclared_status.CHECK,
    response_shape.CHECK,
    content_type.CHECK,
    response_headers.CHECK,
    allow_header.CHECK,
    invariant.CHECK,
    wrong_data.CHECK,
    role_view.CHECK,
    secret_shown.CHECK,
    injected.CHECK,
    no_limit.CHECK,
    broken_rule.CHECK,
    unusual_value.CHECK,
    response_time.CHECK,
    log_error.CHECK,
)
"""Every check there is, in the order in which they are reported."""
NO_CONFIG = CheckConfig()


class Checker:
    """Judges results against one profile."""

    def __init__(
        self,
        profile: Profile,
        off: Collection[str] = (),
        *,
        checks: tuple[Check, ...] = CHECKS,
        config: CheckConfig = NO_CONFIG,
        edition_header: str = "",
    ) -> None:
        """OFF: names of checks to leave out, beside those that CONFIG leaves out; EDITION_HEADER:
        by which requests tell their edition. Raises ConfigError for a name that does not exist.
        `open_checker` adds a user's own."""
        off = {*off, *config.off}
        _refuse_unknown({*off, *chain.from_iterable(config.off_for.values())}, checks)
        self.checks = tuple(check for check in checks if check.name not in off)
        """The ones that are on."""
        self._here = {o.id: _on(self.checks, o.id, config.off_for) for o in profile.operations}
        self._heard: Counter[tuple[str, str]] = Counter()
        self._shapes = Shapes()
        declared = [parse_invariant(text) for text in config.invariants]
        supplied, bodies = supplied_names(profile), Bodies()
        documented = any(operation.in_spec for operation in profile.operations)
        self._known = {
            operation.id: Known(
                operation=operation,
                shapes=self._shapes,
                answers={answer.status: answer for answer in operation.answers},
                learned=learned_answers(operation, supplied=supplied, bodies=bodies),
                documented=documented,
                invariants=tuple(i for i in declared if i.read == operation.id and not i.after),
                edition_header=edition_header,
                config=config,
            )
            for operation in profile.operations
        }
        self._unknown = Known(operation=None, shapes=self._shapes, answers={})
        self.quick = Quick(
            {check.name for check in self.checks},
            all_known=all(check in CHECKS for check in self.checks),
            known=self._known,
            unknown=self._unknown,
        ).passes
        """Whether `check` certainly gives no verdict on an answer to a case, at a fraction of its
        cost: (Case, Response) -> bool. False says nothing."""

    @property
    def unusable(self) -> dict[str, str]:
        """Operation and status whose schema cannot be compiled -> why; as far as they were met."""
        return dict(self._shapes.unusable)

    def check(self, case: Case, sent: Sent, before: Before = ()) -> tuple[Verdict, ...]:
        """What failed; empty when nothing did.

        BEFORE: what came of the other cases of its sequence, where it `remembers`.
        """
        known = self._known.get(case.operation_id, self._unknown)
        if sent.fault is not None and sent.fault.kind == "unbound":
            return ()
        intent = case.intent.given(before)
        if intent is not case.intent:
            case = replace(case, intent=intent)
        found: list[Verdict] = []
        for check in self._here.get(case.operation_id, self.checks):
            said = check.judge(case, sent, known, before)
            if check.results_max:
                said = self._first(check, case.operation_id, tuple(said))
            found.extend(said)
        return tuple(found)

    def _first(
        self, check: Check, operation_id: str, said: tuple[Verdict, ...]
    ) -> tuple[Verdict, ...]:
        """SAID, until CHECK has spoken of as many results of the operation as it may."""
        key = (check.name, operation_id)
        if not said or self._heard[key] >= check.results_max:
            return ()
        self._heard[key] += 1
        return said


def open_checker(
    profile: Profile, config: Config, *, off: Collection[str] = (), everything: bool = False
) -> Checker:
    """What judges results by PROFILE: all checks, those of CONFIG's own files too, but for OFF.

    EVERYTHING: those that CONFIG leaves out, too; for a finding that is looked at again. Raises
    ConfigError for a file that cannot be used, and for an unknown name in OFF.
    """
    own = load_checks(config.path(name) for name in config.checks.files)
    taken = {check.name for check in CHECKS}
    for check in own:
        if check.name in taken:
            raise ConfigError(f"there are two checks named {check.name!r}; give yours another name")
        taken.add(check.name)
    settings = replace(config.checks, off=(), off_for={}) if everything else config.checks
    edition_header = config.target.edition_header
    return Checker(
        profile, off, checks=(*CHECKS, *own), config=settings, edition_header=edition_header
    )


def _refuse_unknown(off: Collection[str], checks: tuple[Check, ...]) -> None:
    names = [check.name for check in checks]
    unknown = sorted(set(off) - set(names))
    if unknown:
        raise ConfigError(
            f"there is no check named {unknown[0]!r}; `checks_off` knows {', '.join(names)}"
        )


def _on(
    checks: tuple[Check, ...], operation_id: str, off_for: Mapping[str, Collection[str]]
) -> tuple[Check, ...]:
    """Those of CHECKS that are on for one operation."""
    off: set[str] = set()
    for pattern, names in off_for.items():
        # As it is written, too: templates hold no globs, but they may hold brackets.
        if pattern == operation_id or fnmatchcase(operation_id, pattern):
            off.update(names)
    return tuple(check for check in checks if check.name not in off) if off else checks
