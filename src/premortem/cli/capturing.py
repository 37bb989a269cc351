"""`premortem capture`: traffic in, from files of every known format."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from premortem.capture import FORMATS, ReadOptions
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, warn
from premortem.cli.groups import LEARN
from premortem.cli.progress import bytes_progress
from premortem.pipeline.capturing import Captured, capture

MALFORMED_SHOWN_MAX = 10
FILES_SHOWN_MAX = 10
LEFT_OUT_SHOWN_MAX = 10


app = App(
    name="capture",
    help="Take production traffic in; it is redacted before it is stored.",
    group=LEARN,
    sort_key=1,
)


def file(
    files: list[Path],
    /,
    *,
    log_format: str = "",
    origin: str = "",
    environment: str = "",
    common: Common = COMMON,
) -> int:
    """Import recordings of any known format; what is in a file tells which.

    HAR, access logs, cassettes of vcrpy and Betamax, mitmproxy flows, Postman and
    Insomnia exports, curl commands, GoReplay files; plain or gzip, also folders of
    them. It says which format it took. The other commands take one format each and
    say more about a file that is none.

    For example:

        premortem capture file recordings/
        premortem capture file access.log.1 session.har

    Parameters
    ----------
    files
        Files, or folders of files.
    log_format
        For access logs of another shape: nginx's log_format, Apache's LogFormat.
    origin
        Where the requests went, e.g. https://api.example.com, if files do not say.
    environment
        For collections: Postman's environment file, or Insomnia's by its name.
    """
    options = ReadOptions(log_format=log_format, origin=origin, environment=environment)
    return _capture(files, "", common, options)


def har(files: list[Path], /, *, common: Common = COMMON) -> int:
    """Import HAR 1.2 recordings, plain or gzip.

    Browsers, proxies and client libraries save them ("save all as HAR").
    Only the target's host is kept, unless hosts under [capture] says otherwise.
    Credentials and personal data are replaced before anything is stored. Importing
    a file twice adds nothing; what is left out or malformed is counted and said.

    For example:

        premortem capture har monday.har tuesday.har.gz

    Parameters
    ----------
    files
        HAR files, or folders of them.
    """
    return _capture(files, "har", common)


def log(
    files: list[Path],
    /,
    *,
    log_format: str = "",
    origin: str = "",
    common: Common = COMMON,
) -> int:
    """Import access logs: common, combined, load balancers', or JSON lines.

    A line tells method, path, query, status, time and perhaps user and duration;
    bodies and most headers are unknown, and nothing is learned from their absence.

    For example:

        premortem capture log /var/log/nginx/access.log*
        premortem capture log api.log --log-format '$remote_addr "$request" $status'

    Parameters
    ----------
    files
        Log files, plain or gzip, or folders of them.
    log_format
        For lines of another shape: nginx's log_format, or Apache's LogFormat.
    origin
        Where the requests went, instead of what the log says: https://example.com
    """
    return _capture(files, "log", common, ReadOptions(log_format=log_format, origin=origin))


def cassette(files: list[Path], /, *, common: Common = COMMON) -> int:
    """Import cassettes: vcrpy's and VCR's YAML or JSON, Betamax's JSON.

    Test suites record them: real answers of a real service. They tell no duration
    and mostly no time; the answers' dates are taken.

    For example:

        premortem capture cassette tests/cassettes/

    Parameters
    ----------
    files
        Cassettes, or folders of them.
    """
    return _capture(files, "cassette", common)


def mitmproxy(files: list[Path], /, *, common: Common = COMMON) -> int:
    """Import mitmproxy's flow files; mitmproxy need not be installed.

    Flows without an answer are kept as requests alone. WebSocket, TCP, UDP and DNS
    flows are left out.

    For example:

        mitmdump -w monday.flows --mode reverse:http://127.0.0.1:8700
        premortem capture mitmproxy monday.flows

    Parameters
    ----------
    files
        Flow files, or folders of them.
    """
    return _capture(files, "mitmproxy", common)


def postman(
    files: list[Path],
    /,
    *,
    environment: str = "",
    origin: str = "",
    common: Common = COMMON,
) -> int:
    """Import Postman collections, exported as v2.1 or v2.0.

    Saved examples are taken with their answers, other requests without. Variables
    get their values from the collection and the environment; what has none is left
    out, and said.

    For example:

        premortem capture postman shop.json --environment staging.json

    Parameters
    ----------
    files
        Collections, or folders of them.
    environment
        An exported environment, a file.
    origin
        Where requests go whose host is a variable without a value.
    """
    return _capture(files, "postman", common, ReadOptions(environment=environment, origin=origin))


def insomnia(
    files: list[Path],
    /,
    *,
    environment: str = "",
    origin: str = "",
    common: Common = COMMON,
) -> int:
    """Import Insomnia exports, format 5 (YAML) or 4 (JSON); they hold no answers.

    Variables get their values from the base environment, folders and the chosen
    sub-environment; what has none is left out, and said.

    For example:

        premortem capture insomnia shop.yaml --environment staging

    Parameters
    ----------
    files
        Exports, or folders of them.
    environment
        The name of a sub-environment; default: the only one there is.
    origin
        Where requests go whose host is a variable without a value.
    """
    return _capture(files, "insomnia", common, ReadOptions(environment=environment, origin=origin))


def curl(files: list[Path], /, *, origin: str = "", common: Common = COMMON) -> int:
    """Import curl commands, one a line or over several; nothing is run.

    As browsers copy them ("copy as cURL", "copy all as cURL"), and as people keep
    them in notes and scripts. Shell variables have no value here: what needs one is
    left out, and said.

    For example:

        premortem capture curl requests.sh

    Parameters
    ----------
    files
        Text files with curl commands, or folders of them.
    origin
        Where requests go whose host is a variable.
    """
    return _capture(files, "curl", common, ReadOptions(origin=origin))


def goreplay(files: list[Path], /, *, origin: str = "", common: Common = COMMON) -> int:
    """Import GoReplay's files, with responses or without.

    For example:

        gor --input-raw :8700 --input-raw-track-response --output-file monday.gor
        premortem capture goreplay monday_0.gor

    Parameters
    ----------
    files
        Files of requests, plain or gzip, or folders of them.
    origin
        Where the requests went, instead of the host they name.
    """
    return _capture(files, "goreplay", common, ReadOptions(origin=origin))


def _capture(
    files: list[Path],
    form: str,
    common: Common,
    options: ReadOptions = ReadOptions(),  # noqa: B008
) -> int:
    with (
        common.opened(make=True) as (config, store),
        bytes_progress(files, quiet=common.json) as progress,
    ):
        report = capture(
            files, config=config, store=store, progress=progress, form=form, options=options
        )
    if common.json:
        print_json(report)
    else:
        _print_captured(report, told=not form)
    return EXIT_CLEAN


def _print_captured(report: Captured, *, told: bool) -> None:
    if told:
        _print_formats(report)
    say(
        f"{report.read:,} read, ",
        (f"{report.added:,} added", "bold"),
        f" in {report.seconds:.1f} s"
        + (f", {report.duplicates:,} there already" if report.duplicates else ""),
    )
    _print_left_out(report)
    replaced = ", ".join(f"{n:,} by {rule}" for rule, n in sorted(report.redacted.items()))
    if report.added or report.duplicates:
        say(f"  redacted before storage: {replaced or 'nothing'}")
    units = {
        path: FORMATS[name].counted_by
        for path, name in zip(report.files, report.formats, strict=True)
    }
    for path, index, reason in report.malformed[:MALFORMED_SHOWN_MAX]:
        warn((f"  skipped {units.get(path, 'entry')} {index} of {path}: {reason}", "yellow"))
    if report.malformed_total > MALFORMED_SHOWN_MAX:
        warn(f"  and {report.malformed_total - MALFORMED_SHOWN_MAX:,} more malformed entries")
    if report.added:
        say("next: premortem learn")
    elif not report.duplicates:
        host = next((r[5:] for r in report.dropped if r.startswith("host ")), "")
        example = f', e.g. hosts = ["{host}"]' if host else ""
        say(f"nothing was kept; `hosts` and the other filters under [capture] say what is{example}")


def _print_formats(report: Captured) -> None:
    for path, name in list(zip(report.files, report.formats, strict=True))[:FILES_SHOWN_MAX]:
        say(f"{path}: {FORMATS[name].title}")
    if len(report.files) > FILES_SHOWN_MAX:
        say(f"and {len(report.files) - FILES_SHOWN_MAX:,} more files")


def _print_left_out(report: Captured) -> None:
    """What is not in the store, and why."""
    for reason, count in sorted(report.dropped.items(), key=lambda item: -item[1]):
        say(f"  {count:,} left out: {reason}")
    if report.bodies_dropped:
        say(f"  {report.bodies_dropped:,} kept without their bodies, larger than body_bytes_max")
    if report.bodies_missing:
        say(f"  {report.bodies_missing:,} without the response body that was there: not recorded")
    if report.bodies_coded:
        say(f"  {report.bodies_coded:,} bodies dropped: their coding cannot be undone here")
    names = sorted(report.left_out.items(), key=lambda item: -item[1])
    for name, count in names[:LEFT_OUT_SHOWN_MAX]:
        say(f"  {name} has no value here: left out {count:,} times")
    if len(names) > LEFT_OUT_SHOWN_MAX:
        say(f"  and {len(names) - LEFT_OUT_SHOWN_MAX:,} more without a value")
    if report.passed_over_total:
        say(f"  {report.passed_over_total:,} other files in the folders passed over")


for command in (file, har, log, cassette, mitmproxy, postman, insomnia, curl, goreplay):
    app.command(command)
