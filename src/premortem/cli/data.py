"""`premortem capture`, `learn`, `generate`, `traffic`, `profile`, `cases`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
from cyclopts import App

from premortem import pipeline
from premortem.analyse import case_view, cases_table, exchange_view, profile_view, traffic_table
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, err, out, print_json
from premortem.cli.progress import bytes_progress, spinner
from premortem.errors import ConfigError, InputError
from premortem.pipeline.capture import Captured
from premortem.store import TrafficFilter

MALFORMED_SHOWN_MAX = 10
ROWS_SHOWN = 30


def register(app: App) -> None:
    """Add the commands to APP."""
    capture = App(name="capture", help="Take production traffic in; it is redacted before storage.")
    capture.command(har)
    app.command(capture)
    app.command(learn)
    app.command(generate)
    app.command(traffic)
    app.command(profile)
    app.command(cases)


def har(files: list[Path], /, *, common: Common = COMMON) -> int:
    """Import HAR 1.2 recordings (plain or gzip) of browsers, proxies and client libraries.

    Importing a file twice adds nothing. What is dropped or malformed is counted and said.

    Parameters
    ----------
    files
        HAR files.
    """
    with common.opened() as (config, store), bytes_progress(files, quiet=common.json) as progress:
        report = pipeline.capture(files, config=config, store=store, progress=progress)
    if common.json:
        print_json(report)
    else:
        _print_captured(report)
    return EXIT_CLEAN


def _print_captured(report: Captured) -> None:
    out.print(
        f"{report.read:,} read, [bold]{report.added:,} added[/] in {report.seconds:.1f} s"
        + (f", {report.duplicates:,} there already" if report.duplicates else "")
    )
    for reason, count in sorted(report.dropped.items(), key=lambda item: -item[1]):
        out.print(f"  {count:,} left out: {reason}", markup=False)
    replaced = ", ".join(f"{n:,} by {rule}" for rule, n in sorted(report.redacted.items()))
    out.print(f"  redacted before storage: {replaced or 'nothing'}", markup=False)
    for file, index, reason in report.malformed[:MALFORMED_SHOWN_MAX]:
        err.print(f"  skipped entry {index} of {file}: {reason}", markup=False, style="yellow")
    if report.malformed_total > MALFORMED_SHOWN_MAX:
        err.print(f"  and {report.malformed_total - MALFORMED_SHOWN_MAX:,} more malformed entries")
    if report.added:
        out.print("next: premortem learn")


def learn(*, spec: Path | None = None, common: Common = COMMON) -> int:
    """Learn operations, shapes, values, links and timing from the captured traffic.

    Parameters
    ----------
    spec
        OpenAPI 3.0/3.1 or Swagger 2 document, JSON or YAML; default: target.spec.
    """
    with common.opened() as (config, store):
        with spinner("learning", quiet=common.json):
            learned = pipeline.learn(config=config, store=store, spec=spec)
        if common.json:
            print_json({"version": learned.version, "operations": len(learned.operations)})
            return EXIT_CLEAN
    out.print(
        f"profile [bold]{learned.version}[/]: {len(learned.operations)} operations, "
        f"{len(learned.links)} links, {learned.sessions:,} sessions "
        f"from {learned.exchanges:,} exchanges"
    )
    untouched = sum(operation.count == 0 for operation in learned.operations)
    if untouched:
        out.print(f"  {untouched} declared operations never seen in traffic")
    out.print("next: premortem profile; premortem plan build")
    return EXIT_CLEAN


def generate(
    *,
    count: int,
    source: str = "sample=50,mutate=50",
    operation: tuple[str, ...] = (),
    seed: int = 1,
    out_file: Path | None = None,
    common: Common = COMMON,
) -> int:
    """Create cases from the latest profile, validated; the same seed gives the same cases.

    Parameters
    ----------
    count
        How many; requests that only bring a case into its state come on top.
    source
        Weights, e.g. `sample=50,mutate=50` or `replay=100`.
    operation
        Only this one (`POST /invoices`); may be repeated.
    seed
        Seed of everything random.
    out_file
        Write the sequences to this file, one JSON document a line.
    """
    with common.opened() as (config, store):
        learned = store.profile()
        unknown = [name for name in operation if learned.operation(name) is None]
        if unknown:
            raise InputError(f"no operation {unknown[0]!r} in the profile; see `premortem profile`")
        with spinner("generating", quiet=common.json):
            exchanges = pipeline.recorded(store, learned)
            made = pipeline.produce(
                learned,
                exchanges,
                config=config,
                count=count,
                weights=weights_of(source),
                operations=operation,
                seed=seed,
                safe_only=not config.target.disposable,
            )
            store.save_sequences(f"generate-{seed}", made.sequences)
            store.save_rejections(made.rejections)
    if out_file is not None:
        encoder = msgspec.json.Encoder()
        try:
            with out_file.open("wb") as file:
                file.writelines(encoder.encode(s) + b"\n" for s in made.sequences)
        except OSError as error:
            raise InputError(f"cannot write {out_file}: {error.strerror}") from None
    finals = [case for s in made.sequences for case in s.cases if not case.setup]
    sources: Counter[str] = Counter(case.origin.source for case in finals)
    kinds: Counter[str] = Counter(case.intent.kind for case in finals)
    summary = {
        "cases": made.finals,
        "sequences": len(made.sequences),
        "setup": sum(c.setup for s in made.sequences for c in s.cases),
        "sources": dict(sources),
        "kinds": dict(kinds),
        "rejected": len(made.rejections),
    }
    if common.json:
        print_json(summary)
    else:
        out.print(
            f"[bold]{made.finals:,} cases[/] in {len(made.sequences):,} sequences "
            f"({_spelled(sources)}; {_spelled(kinds)}); {summary['setup']:,} setup requests; "
            f"{len(made.rejections):,} rejected and made anew"
        )
        if not config.target.disposable:
            out.print("  only safe methods: the target is not marked disposable")
        out.print("next: premortem cases; premortem plan build")
    return EXIT_CLEAN


def weights_of(text: str) -> dict[str, int]:
    """`sample=50,mutate=50` as a mapping. Raises ConfigError for anything else."""
    weights: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in ("sample", "mutate", "replay") or not (number or "1").isdigit():
            raise ConfigError(
                f"not a source: {part.strip()!r}; give sample, mutate or replay with a weight, "
                f"like sample=50,mutate=50"
            )
        weights[name] = int(number or "1")
    return weights


def _spelled(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def traffic(
    exchange: str = "",
    *,
    method: str = "",
    host: str = "",
    path: str = "",
    status: str = "",
    role: str = "",
    limit: int = ROWS_SHOWN,
    offset: int = 0,
    common: Common = COMMON,
) -> int:
    """List captured exchanges, or show one.

    Parameters
    ----------
    exchange
        Id, or its first characters, of the exchange to show.
    method
        Only this method.
    host
        Only this host.
    path
        Only paths that match this glob, e.g. `/invoices/*`.
    status
        Only this status or class, e.g. `404` or `4xx`.
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
            print_json(shown) if common.json else out.print(exchange_view(shown))
            return EXIT_CLEAN
        where = TrafficFilter(method=method, host=host, path=path, status=status, role=role)
        rows = store.traffic(where, limit=limit, offset=offset)
        total = store.traffic_count(where)
    if common.json:
        print_json({"total": total, "rows": rows})
    else:
        out.print(traffic_table(rows))
        out.print(f"{len(rows):,} of {total:,}; one: premortem traffic ID")
    return EXIT_CLEAN


def profile(operation: str = "", *, version: str = "latest", common: Common = COMMON) -> int:
    """Show what was learned: operations, roles, parameters, links; or one operation in depth.

    Parameters
    ----------
    operation
        Operation id, or a part of one that fits only it, e.g. `POST /invoices`.
    version
        Profile version; default: the latest.
    """
    with common.opened() as (_, store):
        learned = store.profile(version)
    chosen = None
    if operation:
        hits = [o for o in learned.operations if o.id == operation]
        hits = hits or [o for o in learned.operations if operation.lower() in o.id.lower()]
        if len(hits) != 1:
            found = "; ".join(o.id for o in hits[:8]) or "none fits"
            raise InputError(f"{operation!r} does not name one operation: {found}")
        chosen = hits[0]
    if common.json:
        print_json(chosen or learned)
    else:
        out.print(profile_view(learned, operation=chosen))
    return EXIT_CLEAN


def cases(
    case: str = "",
    *,
    rejected: bool = False,
    operation: str = "",
    source: str = "",
    limit: int = ROWS_SHOWN,
    common: Common = COMMON,
) -> int:
    """List generated cases, or show one with what comes before it.

    Parameters
    ----------
    case
        Id, or its first characters, of the case to show.
    rejected
        List the cases that failed validation, with rule and reason.
    operation
        Only this operation.
    source
        Only this source: replay, sample, mutate.
    limit
        Rows to list.
    """
    with common.opened() as (_, store):
        if case:
            sequence = store.case(case)
            print_json(sequence) if common.json else out.print(case_view(sequence))
            return EXIT_CLEAN
        if rejected:
            rejections = store.rejections(limit)
            if common.json:
                print_json(rejections)
                return EXIT_CLEAN
            for item in rejections:
                out.print(f"{item.case.id}  {item.rule:10} {item.case.operation_id}: {item.reason}")
            out.print(f"{len(rejections):,} rejections")
            return EXIT_CLEAN
        rows = store.cases(limit=limit, operation=operation, source=source)
    print_json(rows) if common.json else out.print(cases_table(rows))
    return EXIT_CLEAN
