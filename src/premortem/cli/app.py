"""The `premortem` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from premortem import __version__
from premortem.cli import asking, data, setup, testing
from premortem.cli.context import EXIT_FAILED, err, print_json
from premortem.errors import PremortemError

app = App(
    name="premortem",
    version=__version__,
    help_format="markdown",
    help="""Ask what could go wrong before it does.

Premortem learns from a service's production requests and from your what-if questions, creates
the tests that are missing, and runs them.

The usual road: **init**, **doctor**, **capture**, **learn**, **plan build**, **run**, **report**;
and **ask** at any time after learn.

Exit codes: 0 clean, 1 findings, 2 could not run.
""",
)
for module in (setup, data, testing, asking):
    module.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of the user's become one line and exit code 2."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(tokens, result_action="return_value", exit_on_error=False)
    except CycloptsError:
        sys.exit(EXIT_FAILED)
    except PremortemError as error:
        if "--json" in tokens:
            print_json({"error": type(error).__name__, "message": str(error)})
        err.print(f"premortem: {error}", markup=False, style="red")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        err.print("premortem: stopped")
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:
        # `premortem traffic | head` is no failure.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
