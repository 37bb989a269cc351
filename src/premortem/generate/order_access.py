"""Operators about who asks: with credentials that were taken back, cut short or made up."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from premortem.domain.bodies import leaves, read_body, text_of
from premortem.domain.run import SAFE_METHODS, Binding, Case, Sequence
from premortem.domain.template import split_path, split_template
from premortem.domain.traffic import Exchange
from premortem.generate.order_kit import Kit, loose
from premortem.generate.shown import Login
from premortem.generate.starts import Start
from premortem.generate.steps import tried
from premortem.send.auth import ends_session

ENDINGS_MAX = 2
"""Ways to end a session that are tried for one operation."""


def revoked(kit: Kit, start: Start) -> Iterator[Sequence | None]:
    """A session is opened, used, ended and used again: its credentials are worth nothing then
    (RFC 7009, 2; OWASP ASVS 4.0, 3.3.1)."""
    if start.setup or start.final.request.method not in SAFE_METHODS:
        return
    if start.operation.id != read_by_most(kit):
        return
    for login in kit.shown.logins:
        if not kit.passes(login.role, start.operation):
            continue
        endings = list(_endings(kit, login))[:ENDINGS_MAX]
        for ending in endings:
            row = kit.row()
            row.add(_opening(kit, login))
            used = row.add(loose(with_token(start.final, login)))
            ended = row.add(loose(ending))
            yield row.ending(
                tried(
                    with_token(start.final, login),
                    kit.origin,
                    operator="use after revocation",
                    # What begins with `auth` is sent with no other credentials than its own.
                    breaks="auth revoked",
                    expects="denied",
                    against=ended,
                    if_passed=used,
                )
            )
        if endings:
            return


def read_by_most(kit: Kit) -> str:
    """The operation to try credentials on: it needs nothing but them."""
    for operation in kit.profile.operations:
        start = kit.recorded(operation.id)
        if (
            start is not None
            and not start.setup
            and operation.secured
            and operation.operation.method == "GET"
            and "{" not in operation.operation.template
        ):
            return operation.id
    return ""


def _opening(kit: Kit, login: Login) -> Case:
    exchange = kit.exchanges[login.exchange_id]
    (case,) = kit.starts.replayer.cases([(login.exchange_id, exchange)])
    return replace(case, bindings=(), setup=True)


def _endings(kit: Kit, login: Login) -> Iterator[Case]:
    """Requests that end the session that LOGIN opens, which is step 0 of the row."""
    opened = kit.exchanges[login.exchange_id]
    told = _told(opened)
    for operation in kit.profile.operations:
        if operation.operation.method in SAFE_METHODS:
            continue
        start = kit.recorded(operation.id)
        if start is None or not ends_session(start.final.request):
            continue
        for exchange_id in operation.exemplars:
            exchange = kit.exchanges.get(exchange_id)
            if exchange is None or not 200 <= exchange.response.status < 400:
                continue
            bound = _bound(operation.operation.template, exchange, kit, told)
            if bound is not None:
                (case,) = kit.starts.replayer.cases([(exchange_id, exchange)]) or (None,)
                if case is not None:
                    yield with_token(_named(case, bound), login)
                    break


def _told(exchange: Exchange) -> dict[str, Binding]:
    """Name of a field in the answer that opened a session -> its value, as step 0."""
    try:
        body = read_body(exchange.response)
    except ValueError:
        return {}
    found: dict[str, Binding] = {}
    if isinstance(body, dict):
        for place, value in leaves(body):
            if isinstance(value, str | int) and not isinstance(value, bool) and place.tokens:
                name = place.tokens[-1]
                found[name] = Binding(step=0, select=place, place=place, recorded=text_of(value))
    return found


def _bound(
    template: str, exchange: Exchange, kit: Kit, told: dict[str, Binding]
) -> dict[int, Binding] | None:
    """Segment -> the value of the opening answer that names the session there; None where a
    parameter is named by nothing there."""
    found: dict[int, Binding] = {}
    operation_id = f"{exchange.request.method} {template}"
    for index, segment in enumerate(split_template(template)):
        if "{" not in segment:
            continue
        name = segment.strip("{}")
        linked = [
            link.select.tokens[-1]
            for link in kit.profile.links
            if link.consumer == operation_id and link.place.name == name and link.select.tokens
        ]
        binding = next((told[n] for n in (*linked, name) if n in told), None)
        if binding is None:
            return None
        found[index] = binding
    return found


def _named(case: Case, bound: dict[int, Binding]) -> Case:
    segments = list(split_path(case.request.path))
    bindings = []
    for index, binding in bound.items():
        segments[index] = binding.recorded
        place = replace(binding.place, part="path", name=str(index))
        bindings.append(replace(binding, place=place))
    path = "/" + "/".join(segments)
    return replace(case, request=replace(case.request, path=path), bindings=tuple(bindings))


def with_token(case: Case, login: Login) -> Case:
    """CASE with the credentials of LOGIN, step 0 of its row, and no role's."""
    headers = tuple(pair for pair in case.request.headers if pair[0] != login.header)
    value = login.before + login.token
    request = replace(case.request, headers=(*headers, (login.header, value)))
    binding = Binding(step=0, select=login.select, place=login.place, recorded=login.token)
    return replace(case, request=request, role="", bindings=(*case.bindings, binding))
