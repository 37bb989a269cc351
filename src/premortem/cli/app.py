"""The `premortem` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group, Parameter

from premortem import __version__
from premortem.cli import (
    asking,
    augmenting,
    capturing,
    checking,
    covering,
    data,
    keeping,
    modelling,
    planning,
    profiles,
    proxying,
    reading,
    redacting,
    running,
    setup,
    skilling,
    stepping,
    studying,
    testing,
)
from premortem.cli.context import (
    EXIT_CLEAN,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    print_json,
    silence,
    warn,
)
from premortem.errors import PremortemError

MESSAGE_CHARS_MAX = 1_000
"""Of an error in one line."""


def _said(value: object) -> str | None:
    """A default worth showing: `no`, `none` and 0 go without saying."""
    return str(value) if value else None


app = App(
    name="premortem",
    version=__version__,
    help_format="plaintext",
    default_parameter=Parameter(negative=(), show_default=_said),
    suppress_keyboard_interrupt=False,
    help="""Ask what could go wrong before it does.

Premortem learns from a service's production requests and from your what-if
questions, creates the tests that are missing, and runs them.

The usual road, from a folder of your own:

    premortem init                         then name your service in the file
    premortem doctor                       what is missing, and how to mend it
    premortem capture file recording.har   take traffic in, redacted
    premortem learn                        learn from it
    premortem plan build                   say what to run
    premortem run plan.toml                run it: what broke
    premortem ask "What if ...?"           a question becomes a scenario

Exit codes: 0 clean, 1 findings, 2 could not run, 130 stopped by Ctrl-C.
""",
)
OPTIONS = Group("Options", sort_key=9)
for flag in ("--help", "--version"):
    app[flag].group = OPTIONS
for module in (
    setup,
    capturing,
    redacting,
    proxying,
    data,
    profiles,
    planning,
    testing,
    checking,
    running,
    asking,
    augmenting,
    stepping,
    skilling,
    studying,
    reading,
    covering,
    keeping,
    modelling,
):
    module.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of the user's become one line and exit code 2."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # `premortem traffic --json | head` is no failure.
        silence(sys.stdout)
        code = EXIT_CLEAN
    sys.exit(code)


def _run(tokens: list[str]) -> int:
    try:
        code = app(tokens, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as error:
        error.verbose = False
        command = " ".join(["premortem", *(error.command_chain or ())])
        message = str(error).partition(" Available commands:")[0].rstrip(".")
        return _failed(f"{message}; see `{command} --help`", error, tokens)
    except PremortemError as error:
        return _failed(str(error), error, tokens)
    except KeyboardInterrupt:
        warn("premortem: stopped")
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else EXIT_CLEAN


def _failed(message: str, error: Exception, tokens: Sequence[str]) -> int:
    line = " ".join(message.split())
    if len(line) > MESSAGE_CHARS_MAX:
        # Of a message that quotes something long, the beginning and the advice at the end.
        line = f"{line[: MESSAGE_CHARS_MAX // 2]} … {line[-MESSAGE_CHARS_MAX // 2 :]}"
    if "--json" in tokens:
        print_json({"error": type(error).__name__, "message": line})
    warn((f"premortem: {line}", "red"))
    return EXIT_FAILED
