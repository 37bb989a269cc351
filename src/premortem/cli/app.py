"""The `premortem` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group, Parameter

from premortem import __version__
from premortem.cli.context import (
    EXIT_CLEAN,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    print_json,
    silence,
    unhurried,
    warn,
)
from premortem.cli.groups import KEEP, LEARN, READ, SET_UP, TEST
from premortem.errors import NotUnderstood, PremortemError

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

COMMANDS = (
    ("setup:init", "init", SET_UP, 1),
    ("setup:doctor", "doctor", SET_UP, 2),
    ("capturing:app", "capture", LEARN, 1),
    ("proxying:proxy", "proxy", LEARN, 1),
    ("proxying:app", "spool", LEARN, 1),
    ("redacting:redact", "redact", LEARN, 2),
    ("data:learn", "learn", LEARN, 2),
    ("data:traffic", "traffic", LEARN, 3),
    ("training:app", "train", LEARN, 5),
    ("profiles:app", "profile", LEARN, 4),
    ("data:generate", "generate", TEST, 1),
    ("data:cases", "cases", TEST, 2),
    ("training:quality", "quality", TEST, 2),
    ("planning:app", "plan", TEST, 3),
    ("testing:run", "run", TEST, 4),
    ("running:stop", "stop", TEST, 5),
    ("asking:ask", "ask", TEST, 5),
    ("asking:explore", "explore", TEST, 6),
    ("stepping:app", "steps", TEST, 6),
    ("checking:checks", "checks", TEST, 7),
    ("studying:studio", "studio", TEST, 7),
    ("augmenting:augment", "augment", TEST, 8),
    ("skilling:skill", "skill", TEST, 8),
    ("modelling:app", "models", TEST, 8),
    ("skilling:skills", "skills", TEST, 9),
    ("reading:app", "findings", READ, 1),
    ("reading:report", "report", READ, 2),
    ("reading:replay", "replay", READ, 3),
    ("reading:ignore", "ignore", READ, 4),
    ("running:runs", "runs", READ, 5),
    ("covering:coverage", "coverage", READ, 5),
    ("roles:roles", "roles", READ, 6),
    ("editions:editions", "editions", READ, 6),
    ("running:compare", "compare", READ, 6),
    ("keeping:purge", "purge", KEEP, 1),
    ("keeping:archive", "archive", KEEP, 2),
    ("keeping:rotate_key", "rotate-key", KEEP, 3),
)
"""`module:attribute` within cli, name, group, place in it. By name: a command imports only what it
needs, and none waits for the others' imports."""
for path, name, group, sort_key in COMMANDS:
    app.command(f"premortem.cli.{path}", name=name, group=group, sort_key=sort_key)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of the user's become one line and exit code 2."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    if not tokens or tokens[0] in app.help_flags:
        app.resolved_commands()  # imported: their list says in a line what each one does
    with unhurried():
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
    parts = message.strip().splitlines() if isinstance(error, NotUnderstood) else [message]
    line = "\n".join(" ".join(part.split()) for part in parts)
    if len(line) > MESSAGE_CHARS_MAX:
        # Of a message that quotes something long, the beginning and the advice at the end.
        line = f"{line[: MESSAGE_CHARS_MAX // 2]} … {line[-MESSAGE_CHARS_MAX // 2 :]}"
    if "--json" in tokens:
        print_json({"error": type(error).__name__, "message": line})
    warn((f"premortem: {line}", "red"))
    return EXIT_FAILED
