"""`premortem editions`."""

from __future__ import annotations

from pathlib import Path

from premortem.agent.emit.feature import write_feature
from premortem.analyse import differences_view, scenario_view
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show, warn
from premortem.cli.progress import spinner
from premortem.pipeline.editions import editions_of


def editions(
    *,
    sources: Path | None = None,
    scenarios: bool = False,
    write: bool = False,
    common: Common = COMMON,
) -> int:
    """Show how editions, regions, locales and tenants differ, and what is untested.

    Differences come from documents (who may in which edition; overrides such as
    `lite -> skip tax validation`), the specification, and recorded traffic. Of each
    both branches are tested: in the edition, and in one that does not have it.

    For example:

        premortem editions                    what differs, and which tests there are
        premortem editions --scenarios        with the scenarios that lack
        premortem editions --write            written, under tags of their editions

    Parameters
    ----------
    sources
        The folder of documents, code and tests; default: where premortem.toml lies.
    scenarios
        Show the proposed scenarios, too.
    write
        Write them into the folder of features.
    """
    with common.opened() as (config, store):
        folder = sources or Path(config.directory)
        with spinner("reading", quiet=common.json):
            found = editions_of(config, store, folder=folder)
        features = config.path(config.features)
    files: dict[str, None] = {}
    for variant in found.variants if write else ():
        for scenario in variant.proposals:
            files[str(write_feature(scenario, features).path)] = None
    if common.json:
        print_json({"editions": found.names, "variants": found.variants, "files": list(files)})
        return EXIT_CLEAN
    show(
        differences_view(
            found.names,
            [(v.difference, len(v.tested_by), len(v.proposals)) for v in found.variants],
        )
    )
    for variant in found.variants:
        for why in variant.why_not:
            warn((f"not planned: {variant.difference.what}: {why}", "yellow"))
        for scenario in variant.proposals if scenarios else ():
            show(scenario_view(scenario))
    for path in files:
        say(f"wrote {path}")
    return EXIT_CLEAN
