"""`premortem studio`."""

from __future__ import annotations

import getpass
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say
from premortem.errors import ConfigError
from premortem.store import open_store

if TYPE_CHECKING:
    from premortem.studio import Opened


def studio(
    *,
    port: int = 0,
    by: Annotated[str, Parameter(name="--as")] = "",
    open_browser: Annotated[bool, Parameter(name="--open")] = False,
    common: Common = COMMON,
) -> int:
    """Ask what could go wrong, and rule on what comes of it, in a browser.

    One suggested test at a time, with its evidence and one question for you:
    accept it, edit it, send it back or reject it. Nothing is written before
    you accept; what you accepted becomes one commit, or a patch.

    It listens on this machine alone, and the link it prints works once.
    Ctrl-C ends it.

    For example:

        premortem studio --open

    Parameters
    ----------
    port
        Where to listen; without it, on a port that is free.
    by
        Whose decisions these are; without it, your name on this machine.
    open_browser
        Open the link in a browser.
    """
    try:
        # Only here: it comes with an extra.
        from premortem.studio import serve
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the Studio needs {error.name}; install it with `pip install 'premortem[studio]'`"
        ) from None
    with common.opened() as (config, store):
        serve(
            config=config,
            store=store,
            open_store=partial(open_store, config.store, Path(config.directory)),
            by=by or getpass.getuser(),
            port=port,
            opened=partial(_opened, json=common.json, open_browser=open_browser),
        )
    return EXIT_CLEAN


def _opened(opened: Opened, *, json: bool, open_browser: bool) -> None:
    if json:
        print_json(opened)
    else:
        say("open in a browser (once): ", (opened.link, "bold"))
    if open_browser:
        webbrowser.open(opened.link)
