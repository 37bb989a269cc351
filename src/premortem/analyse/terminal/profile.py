"""A profile in the terminal: what a person can learn about the API from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rich.console import RenderableType
from rich.text import Text

from premortem.analyse.excerpt import printable, shorten
from premortem.analyse.report_html import milliseconds, moment
from premortem.analyse.terminal.cells import (
    CELL_CHARS_MAX,
    Listing,
    cell,
    count,
    heading,
    indented,
    stack,
    status_style,
    table,
)
from premortem.analyse.terminal.relations import (
    correlations_view,
    follows_view,
    pools_view,
    rules_view,
    steps_view,
    volatile_view,
)
from premortem.domain.bodies import text_of
from premortem.domain.places import parse_place
from premortem.domain.traffic import Answer, Field, Link, OperationProfile, Profile, Timing

OPERATIONS_MAX = 100
LINKS_MAX = 12
OWN_LINKS_MAX = 25
"""Of one operation, in each direction."""
SUMMARY_CHARS_MAX = 70
FIELDS_MAX = 60
NAMES_MAX = 8
"""Parameters named in a line of the table; the rest is counted."""
VALUES_MAX = 6
HOURS = "▁▂▃▄▅▆▇█"


def profile_view(profile: Profile, operation: OperationProfile | None = None) -> RenderableType:
    """All of PROFILE in tables, or one OPERATION of it in depth.

    Values of production are named only where they are a closed set.
    """
    if operation is not None:
        return _operation_view(profile, operation)
    seen = [o for o in profile.operations if o.count]
    unseen = [o for o in profile.operations if not o.count]
    return stack(
        *_head(profile, len(seen), len(unseen)),
        _operations(seen) if seen else None,
        _more(len(seen) - OPERATIONS_MAX, "operations"),
        heading("declared, but never seen in this traffic") if unseen else None,
        indented(Text(", ".join(printable(o.id) for o in unseen[:40]))) if unseen else None,
        _more(len(unseen) - 40, "operations"),
        heading("links: values of answers that later requests use") if profile.links else None,
        _links(profile.links, LINKS_MAX) if profile.links else None,
        _more(len(profile.links) - LINKS_MAX, "links"),
        *follows_view(profile.follows),
        *pools_view(profile.pools),
        *_ambiguous(profile),
        Text("\none in depth: premortem profile 'GET /...'", style="dim"),
    )


def _head(profile: Profile, seen: int, unseen: int) -> Iterable[RenderableType]:
    title = f" of {printable(profile.spec_title)}" if profile.spec_title else ""
    merged = f", of {len(profile.parents)} merged" if profile.parents else ""
    yield Text(f"profile {profile.version}{title}{merged}", style="bold")
    timing = profile.timing
    yield Text(
        f"{profile.exchanges:,} exchanges, {profile.sessions:,} sessions, "
        f"{seen} operations seen" + (f" of {seen + unseen}" if unseen else "")
    )
    if profile.exchanges:
        yield Text(f"{moment(timing.first_at)} to {moment(timing.last_at)}, {_rate(timing)}")
        yield Text.assemble(
            ("by hour, UTC  ", "dim"),
            _bars(timing.hours),
            ("  0-23   ", "dim"),
            ("by day  ", "dim") if timing.weekdays else "",
            _bars(timing.weekdays),
            ("  Mo-Su", "dim") if timing.weekdays else "",
        )
    if profile.origins:
        more = len(profile.origins) - 3
        named = ", ".join(printable(origin) for origin in profile.origins[:3])
        yield Text(named + (f" and {more} more" if more > 0 else ""), style="dim")


def _rate(timing: Timing) -> str:
    rate = timing.rate_per_second
    return f"{rate:.1f} requests/s" if rate >= 1 else f"{rate * 60:.2g} requests/min"


def _bars(counts: Sequence[int]) -> str:
    busiest = max(counts, default=0) or 1
    top = len(HOURS) - 1
    return "".join(HOURS[round(top * n / busiest)] if n else "·" for n in counts)


def _operations(operations: Sequence[OperationProfile]) -> RenderableType:
    made = Listing("operation", "calls", "answers", "p95", wide="operation", right=("calls", "p95"))
    for operation in operations[:OPERATIONS_MAX]:
        roles, takes = _roles(operation), _takes(operation)
        about = [Text("by ", style="dim") + roles] if roles else []
        about += [Text("takes ", style="dim") + takes] if takes else []
        made.add(
            _name(operation),
            count(operation.count),
            _statuses(operation.answers),
            milliseconds(operation.duration_ms[2]) if len(operation.duration_ms) > 2 else "",
            below=(_summary(operation), Text("; ", style="dim").join(about)),
        )
    return made


def _name(operation: OperationProfile) -> Text:
    method, template = operation.operation.method, operation.operation.template
    return Text.assemble((method + " ", "bold"), shorten(template, CELL_CHARS_MAX))


def _summary(operation: OperationProfile) -> Text:
    return Text(shorten(operation.summary, SUMMARY_CHARS_MAX), style="dim")


def _statuses(answers: Iterable[Answer]) -> Text:
    shown = Text()
    for answer in sorted((a for a in answers if a.count), key=lambda a: -a.count):
        style = status_style(answer.status)
        shown.append(f"{answer.status}", style=style).append(f"×{answer.count:,} ")
    return shown


def _roles(operation: OperationProfile) -> Text:
    """Who does this: a role with what it gets when it is refused."""
    shown = Text()
    for role, statuses in sorted(operation.roles.items(), key=lambda i: -sum(i[1].values())):
        if shown:
            shown.append(", ")
        passed = any(status < "4" for status in statuses)
        shown.append(printable(role or "(nobody)"), style="" if passed else "red")
        refused = [s for s in ("401", "403") if s in statuses]
        if refused:
            shown.append(" " + "/".join(refused), style="red" if not passed else "yellow")
    if not shown and operation.secured:
        shown.append("secured", style="dim")
    return shown


def _takes(operation: OperationProfile) -> Text:
    """Parameters and top-level fields of the body; those always there in plain, others dim."""
    shown = Text()
    named = [f for f in operation.fields if _is_parameter(f, operation.parameter_schemas)]
    for index, field in enumerate(named[:NAMES_MAX]):
        if index:
            shown.append(" ")
        always = field.presence >= 1 or str(field.place) in operation.required
        prefix = {"query": "?", "header": "^"}.get(field.place.part, "")
        shown.append(prefix + printable(field.place.tokens[-1]), style="" if always else "dim")
    if len(named) > NAMES_MAX:
        shown.append(f" +{len(named) - NAMES_MAX}", style="dim")
    return shown


def _is_parameter(field: Field, declared: Mapping[str, str]) -> bool:
    """Headers only where they are declared: the usual ones say nothing of an operation."""
    if field.place.part == "query":
        return True
    if field.place.part == "header":
        return str(field.place) in declared
    return field.place.part == "body" and len(field.place.tokens) == 1 and field.place.name != "/*"


def _links(links: Iterable[Link], shown_max: int) -> RenderableType:
    """The most telling ones, by the answer that they start from."""
    telling = sorted(links, key=lambda link: -link.support * link.confidence)[:shown_max]
    made = Listing("into", "as", "seen", "sure", wide="into", right=("seen", "sure"))
    groups: dict[tuple[str, str], list[Link]] = {}
    for link in telling:
        groups.setdefault((link.producer, str(link.select)), []).append(link)
    for (producer, select), group in groups.items():
        made.head(Text.assemble(shorten(producer, CELL_CHARS_MAX), "  ", (select, "cyan")))
        for link in group:
            made.add(
                Text("→ ") + cell(link.consumer),
                cell(link.place, "cyan"),
                count(link.support) if link.support else "declared",
                f"{link.confidence:.0%}",
            )
    return made


def _ambiguous(profile: Profile) -> Iterable[RenderableType]:
    if not profile.ambiguous:
        return
    yield heading("could be one operation or two")
    for first, second, why in profile.ambiguous[:10]:
        yield indented(Text(printable(f"{first}  |  {second}: {why}")))


def _more(number: int, what: str) -> Text | None:
    return Text(f"and {number:,} more {what}", style="dim") if number > 0 else None


def _operation_view(profile: Profile, operation: OperationProfile) -> RenderableType:
    into = [link for link in profile.links if link.consumer == operation.id]
    out = [link for link in profile.links if link.producer == operation.id]
    fields = _with_declared(operation)
    answered = [a for a in operation.answers if a.count or a.schema]
    return stack(
        _name(operation),
        _summary(operation) or None,
        Text(_facts(operation), style="dim"),
        heading("takes") if fields else None,
        _fields(operation, fields) if fields else None,
        _more(len(fields) - FIELDS_MAX, "fields"),
        heading("answers") if answered else None,
        _answers(operation, answered) if answered else None,
        *rules_view(operation),
        *correlations_view(operation.correlations),
        *volatile_view(operation),
        heading("who gets what") if operation.roles else None,
        _role_matrix(operation) if operation.roles else None,
        heading("needs") if into else None,
        _links(into, OWN_LINKS_MAX) if into else None,
        heading("gives") if out else None,
        _links(out, OWN_LINKS_MAX) if out else None,
        *steps_view(profile.follows, operation.id),
        heading("how production got there") if operation.recipes else None,
        *_recipes(operation),
    )


def _facts(operation: OperationProfile) -> str:
    facts = [f"{operation.count:,} calls"]
    facts.append("in the specification" if operation.in_spec else "not in a specification")
    if operation.unanswered:
        facts.append(f"{operation.unanswered:,} without a recorded answer")
    if operation.unrecorded:
        facts.append(f"{operation.unrecorded:,} known by their line only")
    if operation.secured:
        facts.append("needs credentials")
    if operation.allowed_roles:
        facts.append("allowed to " + ", ".join(map(printable, operation.allowed_roles)))
    if operation.duration_ms:
        names = ("p50", "p90", "p95", "p99")
        quantiles = zip(names, operation.duration_ms, strict=False)
        facts.append(", ".join(f"{name} {milliseconds(ms)}" for name, ms in quantiles))
    return "; ".join(facts)


def _with_declared(operation: OperationProfile) -> list[Field]:
    """What was seen, and parameters that are only declared (seen 0 times)."""
    seen = {str(field.place) for field in operation.fields}
    declared = [
        Field(place=parse_place(place), seen=0, presence=1.0, types={})
        for place in operation.parameter_schemas
        if place not in seen
    ]
    return [f for f in operation.fields if str(f.place) != "body:"] + declared


def _fields(operation: OperationProfile, fields: Sequence[Field]) -> RenderableType:
    made = table("place", "there", "type", "values", right=("there",))
    for field in fields[:FIELDS_MAX]:
        required = str(field.place) in operation.required
        there = "never" if not field.seen else f"{field.presence:.0%}"
        made.add_row(
            cell(field.place, "bold" if required else ""),
            Text(there, style="dim" if not field.seen else ""),
            cell(_kind(field)),
            _values(field),
        )
    return made


def _kind(field: Field) -> str:
    kinds = "/".join(kind for kind, _ in Counter(field.types).most_common(3))
    return f"{kinds} ({field.format})" if field.format else kinds


def _values(field: Field) -> Text:
    """A closed set by its values, numbers by their range, the rest by how many there were."""
    if field.redacted:
        return Text("redacted", style="dim")
    if field.enumeration and field.values:
        shown = [shorten(_plain(value), 24) for value, _ in field.values[:VALUES_MAX]]
        more = len(field.values) - VALUES_MAX
        return Text(" | ".join(shown) + (f" and {more} more" if more > 0 else ""), style="cyan")
    if field.numbers is not None and field.numbers.quantiles:
        low, middle, high = (
            field.numbers.quantiles[i] for i in (0, len(field.numbers.quantiles) // 2, -1)
        )
        return Text(f"{low:g} to {high:g}, half below {middle:g}")
    if not field.seen:
        return Text("declared only", style="dim")
    length = f", {field.length_min}-{field.length_max} long" if field.length_max else ""
    return Text(f"{field.distinct:,} different{length}", style="dim")


def _plain(value: str) -> str:
    try:
        return text_of(msgspec.json.decode(value))
    except msgspec.DecodeError:
        return value


def _answers(operation: OperationProfile, answers: Sequence[Answer]) -> RenderableType:
    made = table("status", "seen", "shape from", "media types", right=("seen",))
    for answer in answers:
        declared = not operation.in_spec or answer.status in operation.declared
        spelled = {0: "default"}.get(answer.status, str(answer.status))
        if answer.status < 0:
            spelled = f"{-answer.status}XX"
        made.add_row(
            Text(
                spelled + ("" if declared else " (undeclared)"), style=status_style(answer.status)
            ),
            count(answer.count),
            {"spec": "specification", "learned": "traffic"}[answer.source]
            if answer.schema
            else "-",
            cell(", ".join(answer.media_types), "dim"),
        )
    return made


def _role_matrix(operation: OperationProfile) -> RenderableType:
    statuses = sorted({status for counts in operation.roles.values() for status in counts})
    made = table("role", *statuses, right=statuses)
    for role, counts in sorted(operation.roles.items()):
        cells = (count(counts.get(s, 0), status_style(int(s))) for s in statuses)
        made.add_row(cell(role or "(nobody)"), *cells)
    return made


def _recipes(operation: OperationProfile) -> Iterable[RenderableType]:
    for recipe in operation.recipes:
        steps = " → ".join(
            printable(step.operation_id or step.exchange_id[:8]) for step in recipe.steps
        )
        yield indented(Text.assemble((f"{recipe.status} ", status_style(recipe.status)), steps))
