"""Recorded ids that the service gave out itself: in a fresh state they name nothing, so they are
taken from the live answer to the request that gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from premortem.agent.planning.draft import CannotWrite
from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Binding, Case
from premortem.domain.template import split_path, split_template
from premortem.domain.tokens import holds_token, is_token
from premortem.domain.traffic import Exchange, Profile
from premortem.generate.bindings import answer_texts, identifier_like, sent_texts
from premortem.generate.kept import presents_credentials
from premortem.generate.replay import Replayer
from premortem.generate.steps import moved, unkeyed

SUPPLIED_MAX = 5
"""Ids of one scenario that are brought in from elsewhere."""


def supplied(
    cases: Sequence[Case], exchanges: Mapping[str, Exchange], replayer: Replayer
) -> tuple[Case, ...]:
    """CASES behind the requests whose answers gave the ids that stand in their paths.

    Raises CannotWrite for a redacted one that no such request gives.
    """
    found = tuple(cases)
    for _ in range(SUPPLIED_MAX):
        lost = next(_lost(found), None)
        if lost is None:
            break
        maker = _maker(lost, exchanges, replayer)
        if maker is None:
            break
        case, select = maker
        found = (case, *(_bound(moved(c, 1), lost, select) for c in found))
    refuse_lost(found, exchanges)
    return found


def refuse_lost(cases: Sequence[Case], exchanges: Mapping[str, Exchange]) -> None:
    """Raise CannotWrite where a path of CASES names something by what a service once gave out and
    was redacted since: nobody can send that again."""
    for text in _lost(cases):
        if is_token(text) and _given(text, exchanges) is not None:
            raise CannotWrite("it names what only an earlier answer tells, and that was redacted")


def refuse_secrets(cases: Sequence[Case], profile: Profile, *, passes: bool) -> None:
    """Raise CannotWrite where CASES sign in with a password that was redacted: whoever runs the
    scenario elsewhere has no key to restore it, and it belongs into no scenario. PASSES: the last
    one is to be let through, too."""
    for case in cases if passes else cases[:-1]:
        operation = profile.operation(case.operation_id)
        if operation is None or not presents_credentials(operation):
            continue
        if holds_token(case.request.body.decode(errors="replace")):
            raise CannotWrite("it would have to sign in with a recorded password")


def _lost(cases: Sequence[Case]) -> Iterator[str]:
    """Identifiers in paths that nothing is bound to, and that no request of CASES makes there."""
    named: set[str] = set()
    for case in cases:
        bound = {b.place.name for b in case.bindings if b.place.part == "path"}
        template = split_template(case.operation_id.partition(" ")[2])
        segments = split_path(case.request.path)
        for index, text in enumerate(segments):
            opened = index < len(template) and "{" in template[index]
            if not opened or str(index) in bound or text in named:
                continue
            if case.request.method == "PUT" and index == len(segments) - 1:
                named.add(text)  # the client's own name for what it makes
            elif is_token(text) or identifier_like(text):
                yield text
        if case.request.method not in SAFE_METHODS:
            named |= set(sent_texts(case.request)) - set(segments)


def _given(text: str, exchanges: Mapping[str, Exchange]) -> tuple[str, Place] | None:
    """Id of the first exchange that said TEXT, and where in its answer; None: a client did."""
    wanted = text.encode()
    for exchange in sorted(exchanges.values(), key=lambda e: e.started_at):
        request, response = exchange.request, exchange.response
        if (text in request.path or wanted in request.body) and text in sent_texts(request):
            return None
        if wanted not in response.body or response.status >= 300:
            continue
        for place, said in answer_texts(response):
            if said == text and place.part == "body":
                return exchange.id, place
    return None


def _maker(
    text: str, exchanges: Mapping[str, Exchange], replayer: Replayer
) -> tuple[Case, Place] | None:
    given = _given(text, exchanges)
    if given is None:
        return None
    identity, place = given
    exchange = exchanges.get(identity)
    if exchange is None or exchange.request.method in SAFE_METHODS:
        return None
    made = replayer.cases([(identity, exchange)])
    if not made or "{" in made[0].operation_id:
        return None
    return replace(unkeyed(made[0]), setup=True), place


def _bound(case: Case, text: str, select: Place) -> Case:
    """CASE with TEXT in its path taken from what stands at SELECT of the first answer."""
    places = [
        Place(part="path", name=str(index))
        for index, segment in enumerate(split_path(case.request.path))
        if segment == text
    ]
    taken = {b.place for b in case.bindings}
    more = (
        Binding(step=0, select=select, place=place, recorded=text)
        for place in places
        if place not in taken
    )
    return replace(case, bindings=(*case.bindings, *more))
