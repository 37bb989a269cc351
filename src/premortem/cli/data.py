"""`premortem learn`, `generate`, `traffic`, `cases`."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, TypedDict

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from premortem.analyse import case_view, cases_table, exchange_view, traffic_table
from premortem.analyse.terminal.rejections import (
    rejection_view,
    rejections_table,
    weaknesses_table,
)
from premortem.analyse.weaknesses import weaknesses
from premortem.cli.context import (
    COMMON,
    EXIT_CLEAN,
    Common,
    identified,
    print_json,
    say,
    show,
)
from premortem.cli.progress import making_progress, spinner
from premortem.domain.rejection import Rejection
from premortem.errors import ConfigError, InputError
from premortem.pipeline import learning
from premortem.pipeline.generate import Generated, produce, recorded
from premortem.pipeline.naming import known_operation
from premortem.pipeline.promoting import promoted_addition
from premortem.pipeline.training import rooms_of
from premortem.plan import GENERATING, SEED_MAX
from premortem.store import REJECTIONS_KEPT_MAX, Store, TrafficFilter

ROWS_SHOWN = 30
ROWS_MAX = 1_000_000
"""Rows of one listing."""
COUNT_MAX = 1_000_000
"""Cases of one `generate`: about 2 GB of memory."""

Rows = Annotated[int, Parameter(validator=Number(gte=1, lte=ROWS_MAX))]
Offset = Annotated[int, Parameter(validator=Number(gte=0, lte=10**12))]
Seed = Annotated[int, Parameter(validator=Number(gte=0, lte=SEED_MAX))]


def learn(*, spec: Path | None = None, common: Common = COMMON) -> int:
    """Learn operations, shapes, values, links and timing from the captured traffic.

    Without a specification everything is learned from traffic alone; with one, its
    operations and schemas hold, and traffic adds what it cannot know.

    For example:

        premortem learn
        premortem learn --spec openapi.json

    Parameters
    ----------
    spec
        OpenAPI 3.0/3.1 or Swagger 2 document, JSON or YAML; default: target.spec.
    """
    with common.opened(make=True) as (config, store):
        with spinner("learning", quiet=common.json):
            learned = learning.learn(config=config, store=store, spec=spec)
        if common.json:
            print_json({"version": learned.version, "operations": len(learned.operations)})
            return EXIT_CLEAN
    say(
        "profile ",
        (learned.version, "bold"),
        f": {len(learned.operations)} operations, {len(learned.links)} links, "
        f"{learned.sessions:,} sessions from {learned.exchanges:,} exchanges",
    )
    untouched = sum(operation.count == 0 for operation in learned.operations)
    if untouched:
        say(f"  {untouched} declared operations never seen in traffic")
    say("next: premortem profile; premortem plan build")
    return EXIT_CLEAN


def generate(
    *,
    count: Annotated[int, Parameter(validator=Number(gte=1, lte=COUNT_MAX))],
    source: str = "sample=40,schema=30,mutate=30",
    operation: tuple[str, ...] = (),
    seed: Seed = 1,
    out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    common: Common = COMMON,
) -> int:
    """Create validated cases from the latest profile; sends nothing.

    To look at cases, or to feed other tools; a plan makes its own. What production
    refused is repeated once, as it was. The same seed gives the same cases.

    For example:

        premortem generate --count 500 --out cases.jsonl
        premortem generate --count 20 --operation 'POST /invoices' --source mutate

    Parameters
    ----------
    count
        How many; requests that only bring a case into its state come on top.
    source
        Weights. sample: requests like production's; traffic: the same by a trained model;
        schema: limits of the schema, each constraint broken alone; mutate: recorded
        requests changed in values, structure, headers or order; llm: free values made
        up by a language model.
    operation
        Only this one (POST /invoices); may be repeated.
    seed
        Seed of everything random.
    out_file
        Write the sequences to this file, one JSON document a line.
    """
    weights = weights_of(source)
    with common.opened() as (config, store):
        learned = store.profile()
        operations = tuple(known_operation(learned, name).id for name in operation)
        exchanges = recorded(store, learned)
        rooms = rooms_of(store, learned, exchanges, weights)
        addition = promoted_addition(store, config, learned.version, weights)
        with making_progress("generating", quiet=common.json) as progress:
            made = produce(
                learned,
                exchanges,
                config=config,
                count=count,
                weights=weights,
                operations=operations,
                seed=seed,
                safe_only=not config.target.disposable,
                rooms=rooms,
                addition=addition,
                progress=progress,
            )
            if out_file is not None:
                _write_lines(made, out_file)
            store.save_sequences(f"generate-{seed}", made.sequences)
            store.save_rejections(made.rejections)
    if common.json:
        print_json({**_summed(made), "file": str(out_file) if out_file else None})
    else:
        _print_generated(made, count, out_file, safe_only=not config.target.disposable)
    return EXIT_CLEAN


def _print_generated(made: Generated, count: int, path: Path | None, *, safe_only: bool) -> None:
    summary = _summed(made)
    say(
        (f"{made.finals:,} cases", "bold"),
        f" in {len(made.sequences):,} sequences ({_spelled(summary['sources'])}; "
        f"{_spelled(summary['kinds'])}); {summary['setup']:,} setup requests; "
        f"{len(made.rejections):,} rejected and made anew",
    )
    for note in made.notes:
        say(f"  {note}")
    missing = count - made.finals
    if missing > 0:
        say((f"  {missing:,} fewer than asked for: there are no more different ones", "yellow"))
    if safe_only:
        say("  only safe methods: the target is not marked disposable")
    if path is not None:
        say("written: ", (str(path), "bold"))
    say("next: premortem cases; premortem plan build")


def _write_lines(made: Generated, path: Path) -> None:
    encoder = msgspec.json.Encoder()
    try:
        with path.open("wb") as file:
            file.writelines(encoder.encode(sequence) + b"\n" for sequence in made.sequences)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; name a file in a folder that is there"
        ) from None


class _Summed(TypedDict):
    cases: int
    sequences: int
    setup: int
    sources: Counter[str]
    kinds: Counter[str]
    rejected: int


def _summed(made: Generated) -> _Summed:
    finals = [case for s in made.sequences for case in s.cases if not case.setup]
    return {
        "cases": made.finals,
        "sequences": len(made.sequences),
        "setup": sum(c.setup for s in made.sequences for c in s.cases),
        "sources": Counter(case.origin.source for case in finals),
        "kinds": Counter(case.intent.kind for case in finals),
        "rejected": len(made.rejections),
    }


def weights_of(text: str) -> dict[str, int]:
    """`sample=50,schema=50` as a mapping. Raises ConfigError for anything else."""
    weights: dict[str, int] = {}
    for part in text.split(","):
        match = _WEIGHT.fullmatch(part.strip())
        if match is None:
            raise ConfigError(
                f"not a source: {part.strip()[:80]!r}; give weights to {', '.join(GENERATING)}, "
                f"like sample=50,schema=50"
            )
        weights[match[1]] = int(match[2] or "1")
    if not sum(weights.values()):
        raise ConfigError(f"no source has a weight in {text!r}; write it like sample=50,schema=50")
    return weights


_WEIGHT = re.compile(rf"({'|'.join(GENERATING)})(?:=([0-9]{{1,6}}))?")


def _spelled(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def traffic(
    exchange: str = "",
    /,
    *,
    method: str = "",
    host: str = "",
    path: str = "",
    status: str = "",
    role: str = "",
    limit: Rows = ROWS_SHOWN,
    offset: Offset = 0,
    common: Common = COMMON,
) -> int:
    """List captured exchanges, or show one with both messages.

    For example:

        premortem traffic --status 5xx --path '/invoices/*'
        premortem traffic 3f9a

    Parameters
    ----------
    exchange
        Id, or its first characters, of the exchange to show.
    method
        Only this method.
    host
        Only this host.
    path
        Only paths that match this glob, e.g. /invoices/*.
    status
        Only this status or class, e.g. 404 or 4xx.
    role
        Only this role.
    limit
        Rows to list.
    offset
        Rows to leave out first.
    """
    with common.opened() as (_, store):
        if exchange:
            shown = store.exchange(exchange)
            print_json(identified(shown)) if common.json else show(exchange_view(shown))
            return EXIT_CLEAN
        where = TrafficFilter(method=method, host=host, path=path, status=status, role=role)
        rows = store.traffic(where, limit=limit, offset=offset)
        counted = store.traffic_counted(where)
    total = max(counted.count, offset + len(rows))
    if common.json:
        print_json({"total": total, "exact": counted.exact, "rows": rows})
    else:
        show(traffic_table(rows))
        about = "" if counted.exact else "about "
        say(f"{len(rows):,} of {about}{total:,}" + ("; one: premortem traffic ID" if rows else ""))
    return EXIT_CLEAN


def cases(
    case: str = "",
    /,
    *,
    rejected: bool = False,
    by: Literal["", "rule", "operation", "source"] = "",
    operation: str = "",
    source: Literal["", "replay", "sample", "traffic", "schema", "llm", "mutate"] = "",
    limit: Rows = ROWS_SHOWN,
    common: Common = COMMON,
) -> int:
    """List generated cases, newest first, or show one with what comes before it.

    For example:

        premortem cases --source mutate
        premortem cases --rejected --by rule
        premortem cases --rejected 3f9a
        premortem cases 3f9a

    Parameters
    ----------
    case
        Id, or its first characters, of the case to show.
    rejected
        List the cases that failed validation and the answers of language models that became
        none, with rule and reason; of one also what the model was asked and answered.
    by
        Count the rejected ones by rule, operation and source, this one first: it shows where a
        model is weak.
    operation
        Only this operation.
    source
        Only this source: replay, sample, schema, llm or mutate.
    limit
        Rows to list.
    """
    if by and not rejected:
        raise InputError("--by counts rejected cases; write premortem cases --rejected --by rule")
    with common.opened() as (_, store):
        if rejected:
            named = known_operation(store.profile(), operation).id if operation else ""
            kept = _rejections(store, case, named, source)
            _show_rejections(kept, by=by, limit=limit, whole=bool(case), as_json=common.json)
            return EXIT_CLEAN
        if case:
            sequence = store.case(case)
            steps = {"cases": [identified(step) for step in sequence.cases]}
            print_json(steps) if common.json else show(case_view(sequence))
            return EXIT_CLEAN
        if operation:
            operation = known_operation(store.profile(), operation).id
        rows = store.cases(limit=limit, operation=operation, source=source)
    print_json([identified(row) for row in rows]) if common.json else show(cases_table(rows))
    return EXIT_CLEAN


def _rejections(store: Store, prefix: str, operation_id: str, source: str) -> list[Rejection]:
    return [
        one
        for one in store.rejections(REJECTIONS_KEPT_MAX)
        if one.case.id.startswith(prefix)
        and operation_id in ("", one.case.operation_id)
        and source in ("", one.case.origin.source)
    ]


def _show_rejections(
    kept: list[Rejection],
    *,
    by: Literal["", "rule", "operation", "source"],
    limit: int,
    whole: bool,
    as_json: bool,
) -> None:
    if by:
        weak = weaknesses(kept, by=by)[:limit]
        print_json(weak) if as_json else show(weaknesses_table(weak))
    elif as_json:
        print_json(kept[:limit])
    elif whole and kept:
        show(rejection_view(kept[0]))
    else:
        show(rejections_table(kept[:limit]))
