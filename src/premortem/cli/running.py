"""`premortem runs`, `stop` and `compare`."""

from __future__ import annotations

import msgspec

from premortem.analyse import comparison_view, runs_view
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show
from premortem.pipeline.looking import compare_stored, going_run


def runs(*, limit: int = 20, common: Common = COMMON) -> int:
    """List runs, newest first: those that go on or were broken off, then those that ended.

    A run that was broken off goes on with premortem run --resume ID.

    Parameters
    ----------
    limit
        At most so many of those that ended.
    """
    with common.opened() as (_, store):
        going, ended = store.queue.unended_runs(), store.runs()[:limit]
    if common.json:
        print_json({"going": going, "ended": ended})
    else:
        show(runs_view(going, ended))
    return EXIT_CLEAN


def stop(run: str = "", /, *, reason: str = "premortem stop", common: Common = COMMON) -> int:
    """Stop a run that goes on, from any terminal that reaches its store: the kill switch.

    Sending ends within a second; what was sent is kept and counted.

    For example:

        premortem stop --reason "the target is needed elsewhere"

    Parameters
    ----------
    run
        Id, or its first characters; without one the only run that goes on.
    reason
        Why; it stands in the run's summary.
    """
    with common.opened() as (_, store):
        chosen = going_run(store, run)
        store.queue.request_stop(chosen.id, reason=reason)
    if common.json:
        print_json({"run": chosen.id, "stopping": True, "reason": reason})
    else:
        say("stopping run ", (chosen.id, "bold"), f": {reason}")
    return EXIT_CLEAN


def compare(before: str, after: str = "latest", /, *, common: Common = COMMON) -> int:
    """Hold two runs against each other: latency, errors, rate; what is clear, what may be chance.

    The interval of each difference comes from drawing whole seconds again, since answers of one
    second are alike. Only what excludes 0 is called better or worse.

    For example:

        premortem compare 4f1c latest

    Parameters
    ----------
    before
        Id of the run to start from, or its first characters.
    after
        Id of the run to judge.
    """
    with common.opened() as (_, store):
        first, second, rows = compare_stored(store, before, after)
    if common.json:
        print_json(
            {
                "before": first.id,
                "after": second.id,
                "metrics": [
                    msgspec.structs.asdict(row) | {"difference": row.difference, "clear": row.clear}
                    for row in rows
                ],
            }
        )
    else:
        show(comparison_view(first, second, rows))
    return EXIT_CLEAN
