"""`premortem coverage`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from premortem.analyse import coverage_view, untested_view, write_coverage_html
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show
from premortem.cli.progress import spinner
from premortem.errors import ConfigError
from premortem.pipeline.covering import coverage_of


def coverage(
    *,
    run_id: Annotated[str, Parameter(name="--run")] = "",
    profile: str = "latest",
    all_profiles: bool = False,
    by: Literal["values", "roles"] = "values",
    untested: bool = False,
    limit: int = 50,
    html: Path | None = None,
    common: Common = COMMON,
) -> int:
    """Show what runs tried of the service, and what they did not.

    A cell is one kind of value (typical, at a limit, absent, of the wrong type)
    in one place of an operation. All runs with the latest profile count together.

    For example:

        premortem coverage                      the heat map
        premortem coverage --run latest         of one run alone
        premortem coverage --untested           what was never tried
        premortem coverage --html coverage.html

    Parameters
    ----------
    run_id
        Of this run alone, by its id, its first characters, or latest.
    profile
        Of runs with this profile.
    all_profiles
        Count runs with other profiles, too, as far as operations are the same.
    by
        What the columns are: kinds of values, or roles.
    untested
        Only list what was never tried.
    limit
        Lines of that list.
    html
        Write a page with all of it, place by place, to this file.
    """
    if limit < 1:
        raise ConfigError(f"--limit {limit}: give 1 or more")
    with common.opened() as (config, store), spinner("reading", quiet=common.json):
        found = coverage_of(config, store, run_id=run_id, profile=profile, everything=all_profiles)
    if html is not None:
        write_coverage_html(html, found)
    if common.json:
        print_json({"untested": found.untested} if untested else found)
    elif untested:
        show(untested_view(found, limit=limit))
    elif html is not None:
        say(f"wrote {html}")
    else:
        show(coverage_view(found, by=by))
    return EXIT_CLEAN
