"""Checks of a user's own: Python functions in files that premortem.toml names."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from msgspec import Struct

from premortem.checks.check import Check, Judge, Known, Severity
from premortem.checks.signature import normalise
from premortem.domain.run import Before, Case, Sent, Verdict
from premortem.errors import ConfigError

BROKEN = "the check broke: "
"""A verdict with a signature that begins so is about the check, not about the service."""
BROKEN_MAX = 3
"""Errors of one check after which it is asked no more, in each process."""
VERDICTS_MAX = 100
"""Failures of one check for one result; what yields more never ends."""
_MARK = "__premortem_check__"


class Failure(Struct, frozen=True, kw_only=True):
    """What a check of one's own says failed."""

    title: str
    """One line, without values of the request."""
    evidence: str = ""
    """With values: what was found, what a correct service would have done, and who says so."""
    signature: str = ""
    """Results with the same one are one finding; empty: the title without numbers and ids."""
    severity: Severity | None = None
    """None: the check's own."""


OwnJudge = Callable[[Case, Sent, Known, Before], Iterable[Failure | str] | Failure | str | None]
_Own = TypeVar("_Own", bound=OwnJudge)


def check(
    *, name: str = "", severity: Severity = "medium", description: str = ""
) -> Callable[[_Own], _Own]:
    """Make a function a check: it gets `case`, `sent`, `known` and `before`, and yields a Failure,
    or its title alone, for each thing that failed.

    NAME: default: the function's. DESCRIPTION: default: the first line of its docstring.
    """

    def mark(function: _Own) -> _Own:
        said = (inspect.getdoc(function) or "").partition("\n")[0]
        own = Check(
            name=name or function.__name__,
            description=description or said or "a check of your own",
            severity=severity,
            judge=_judge_of(function, name or function.__name__, severity),
        )
        setattr(function, _MARK, own)
        return function

    return mark


def load_checks(paths: Iterable[Path]) -> tuple[Check, ...]:
    """The checks in the Python files PATHS, which are run. Raises ConfigError."""
    found: list[Check] = []
    for path in paths:
        module = _module(path)
        marked = (getattr(value, _MARK, None) for value in vars(module).values())
        mine = [one for one in marked if isinstance(one, Check)]
        if not mine:
            raise ConfigError(
                f"{path} holds no check; put `@premortem.check()` before a function, or take the "
                "file out of `files` under [checks]"
            )
        found += {id(one): one for one in mine}.values()
    return tuple(found)


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no file {path}, which `files` under [checks] names")
    name = f"premortem_checks_{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python file; `files` under [checks] names such")
    module = importlib.util.module_from_spec(spec)
    # What the file defines has to be found by its module's name, for dataclasses and pickling.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(
            f"{path}{_line_of(error, path)} cannot be run: {_said(error)}; mend it, or take it out "
            "of `files` under [checks]"
        ) from None
    return module


def _judge_of(function: OwnJudge, name: str, severity: Severity) -> Judge:
    errors = 0

    def judge(case: Case, sent: Sent, known: Known, before: Before) -> Iterator[Verdict]:
        nonlocal errors
        if errors >= BROKEN_MAX:
            return
        try:
            for count, failure in enumerate(_failures(function(case, sent, known, before))):
                if count >= VERDICTS_MAX:
                    return
                yield _verdict(failure, name, severity)
        except Exception as error:
            errors += 1
            said, line = _said(error), _line_of(error, Path(inspect.getfile(function)))
            yield Verdict(
                check=name,
                title=f"the check {name} broke: {type(error).__name__}",
                signature=f"{BROKEN}{said}{line}",
                evidence=f"{said}{line}",
                severity="low",
            )

    return judge


def _failures(given: Any) -> Iterable[Any]:
    if given is None:
        return ()
    return (given,) if isinstance(given, Failure | str) else given


def _verdict(failure: Any, name: str, severity: Severity) -> Verdict:
    if isinstance(failure, str):
        failure = Failure(title=failure)
    if not isinstance(failure, Failure):
        raise TypeError(f"a check yields Failure or str, not {type(failure).__name__}")
    return Verdict(
        check=name,
        title=failure.title,
        signature=failure.signature or normalise(failure.title),
        evidence=failure.evidence,
        severity=failure.severity or severity,
    )


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _line_of(error: BaseException, path: Path) -> str:
    """`, line 12`: where in PATH ERROR came up, as far as that is known."""
    line = 0
    if isinstance(error, SyntaxError):
        line = error.lineno or 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""
