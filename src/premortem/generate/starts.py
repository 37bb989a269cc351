"""Where cases of an operation start from: a recorded request that worked, and what it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from premortem.domain.bodies import FORM, at, read_body, text_of
from premortem.domain.places import Place, body_place
from premortem.domain.run import SAFE_METHODS, Binding, Case, Origin
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import (
    Exchange,
    Link,
    OperationProfile,
    Profile,
    Recipe,
    Request,
    Response,
)
from premortem.generate.donors import Maker, maker_of
from premortem.generate.passing import REFUSED
from premortem.generate.references import name_of, needed_references, producers, skeleton
from premortem.generate.replay import UNKNOWN, Replayer, recipe_cases

DeclaredWay = Callable[[OperationProfile], tuple[Case, ...]]
"""Requests that lead to one of an operation, which is the last, from the specification alone;
empty: there are none."""

LINK_CONFIDENCE = 0.5
"""From here on a value that a link leads to is taken to name something of this visit."""
PATHS_MAX = 64
"""Recorded paths that sampled cases of one operation vary over."""


class Start(Struct, frozen=True, kw_only=True):
    """One way to bring an operation about."""

    operation: OperationProfile
    setup: tuple[Case, ...]
    final: Case
    """The operation's own request; its bindings refer to `setup`."""
    paths: tuple[tuple[str, str], ...]
    """(path, role) pairs that production used and that may stand in `final`; never empty."""
    recorded: bool = True
    """False: the operation is only in the specification, and `final` was made up."""
    hollow: bool = False
    """It has to name something that is there, and nothing recorded tells what, or would take away
    what every other case relies on: good enough to be broken, but nothing realistic starts
    here."""


class Starts:
    """The start of every operation of one profile, found once.

    WAY: asked where nothing recorded leads to an operation.
    """

    def __init__(
        self,
        profile: Profile,
        exchanges: Mapping[str, Exchange],
        *,
        way: DeclaredWay = lambda _operation: (),
    ) -> None:
        self._way = way
        self.profile = profile
        self.exchanges = exchanges
        self.replayer = Replayer(profile)
        self.untried = not any(operation.count for operation in profile.operations)
        """Nothing was recorded: all that is known is the specification."""
        self._operations = {o.id: o for o in profile.operations}
        self._found: dict[str, Start | None] = {}
        self._producers: Mapping[str, Link] | None = None
        self._makers: Mapping[str, str] | None = None
        self._linked = {
            (link.consumer, link.place.name)
            for link in profile.links
            if link.place.part == "path" and link.confidence >= LINK_CONFIDENCE
        }
        self._role = _best_role(o.roles for o in profile.operations)

    def of(self, operation_id: str) -> Start | None:
        """The start of OPERATION_ID; None when nothing recorded or declared is enough for one."""
        if operation_id not in self._found:
            operation = self._operations.get(operation_id)
            self._found[operation_id] = None  # who looks for a donor must not come back here
            self._found[operation_id] = self._find(operation) if operation is not None else None
        return self._found[operation_id]

    def maker(self, operation: OperationProfile) -> Maker | None:
        """The recorded PUT that makes what OPERATION, a POST nobody used, would make."""
        return maker_of(operation, self.profile, self.exchanges)

    @property
    def standing_in(self) -> Replayer:
        """Replays with the role that was let through most often in the place of credentials that
        nobody can present."""
        return self.replayer.standing_in(self._role)

    def refusals(self, operation: OperationProfile) -> Iterator[tuple[Case, ...]]:
        """Recorded ways to have OPERATION refused (4xx), each with its setup."""
        for recipe in operation.recipes:
            if 400 <= recipe.status < 500:
                cases = recipe_cases(recipe, self.exchanges, self.profile, replayer=self.replayer)
                if cases:
                    yield cases

    def _find(self, operation: OperationProfile) -> Start | None:
        stand_in = self.replayer.standing_in(self._role_of(operation))
        for replayer in (self.replayer, stand_in):
            for recipe in sorted(operation.recipes, key=_preference):
                if recipe.status >= 400:
                    continue
                cases = recipe_cases(recipe, self.exchanges, self.profile, replayer=replayer)
                if cases:
                    return self._start(operation, self._founded(cases, replayer))
        for replayer in (self.replayer, stand_in):
            for exchange_id in operation.exemplars:
                if exchange_id in self.exchanges:
                    cases = replayer.cases([(exchange_id, self.exchanges[exchange_id])])
                    if cases and cases[0].role != UNKNOWN:
                        start = self._start(operation, self._founded(cases, replayer))
                        never = _empties(operation) and _refused_only(operation)
                        return replace(start, hollow=True) if never else start
        return self._declared(operation)

    def _founded(self, cases: tuple[Case, ...], replayer: Replayer) -> tuple[Case, ...]:
        """CASES behind the requests that made what the path of a lonely one goes through."""
        if len(cases) > 1:
            return cases
        made = self._made_above(cases[0].request.path)
        ids = [*made, *cases[0].origin.parents[:1]]
        if not made or any(i not in self.exchanges for i in ids):
            return cases
        all_ = replayer.cases([(i, self.exchanges[i]) for i in ids])
        if len(all_) != len(ids):
            return cases
        return (*(replace(case, setup=True) for case in all_[:-1]), all_[-1])

    def _role_of(self, operation: OperationProfile) -> str:
        maker = self.maker(operation)
        if maker is not None:
            # Whoever made such things by name may be nobody at all: that is how accounts begin.
            return _best_role([maker.operation.roles])
        if operation.roles and not operation.secured:
            return _best_role([operation.roles])
        # Documents often forget to say that credentials are needed; too many rarely hurt.
        return _best_role([operation.roles]) or self._role

    def _start(self, operation: OperationProfile, cases: tuple[Case, ...]) -> Start:
        *setup, final = cases
        paths = [(final.request.path, final.role)]
        bound = any(binding.place.part == "path" for binding in final.bindings)
        linked = any(consumer == operation.id for consumer, _ in self._linked)
        # Recorded paths stand for one another only where nothing had to be brought about.
        if not setup and not bound and not linked:
            paths += self._other_paths(operation, final)
        return Start(
            operation=operation,
            setup=tuple(setup),
            final=final,
            paths=tuple(dict.fromkeys(paths))[:PATHS_MAX],
        )

    def _other_paths(self, operation: OperationProfile, final: Case) -> Iterator[tuple[str, str]]:
        for exchange_id in operation.exemplars:
            exchange = self.exchanges.get(exchange_id)
            if exchange is None or not 0 < exchange.response.status < 400:
                continue
            if self._made_above(exchange.request.path):
                continue
            role = exchange.tags.role
            yield exchange.request.path, final.role if role == UNKNOWN else role

    def _made_above(self, path: str) -> Iterable[str]:
        """Ids of the recorded exchanges that made what PATH goes through, outermost first."""
        if self._makers is None:
            self._makers = _makers(self.exchanges)
        segments = path.strip("/").split("/")
        heads = ("/" + "/".join(segments[:end]) for end in range(1, len(segments)))
        return [self._makers[head] for head in heads if head in self._makers]

    def _declared(self, operation: OperationProfile) -> Start | None:
        """A start for an operation nobody used: on the path of one that somebody did."""
        if _empties(operation):
            # Nobody ever emptied a whole collection: what every other case relies on goes with it.
            return None
        linked = any(k.declared and k.consumer == operation.id for k in self.profile.links)
        if linked or self.untried:
            made = self._made_up(operation)
            if made is not None:
                return made
        segments = split_template(operation.operation.template)
        opened = [index for index, segment in enumerate(segments) if "{" in segment]
        last = opened[-1] if opened else -1
        setup: tuple[Case, ...] = ()
        bindings: tuple[Binding, ...] = ()
        role = self._role_of(operation)
        head: tuple[str, ...] = segments[: last + 1]
        if opened:
            donor = self._donor(segments[: last + 1])
            if donor is None:
                return self._made_up(operation)
            setup = donor.setup
            head = split_path(donor.final.request.path)[: last + 1]
            bindings = tuple(
                b
                for b in donor.final.bindings
                if b.place.part == "path" and int(b.place.name) <= last
            )
            role = donor.final.role
            if operation.operation.method not in SAFE_METHODS:
                path = "/" + "/".join(map(encode_segment, head))
                role = _makers_role(donor, path) or role
        path = "/" + "/".join(encode_segment(s) for s in (*head, *segments[last + 1 :]))
        headers = [("accept", "application/json")]
        if operation.request_schema:
            headers.append(("content-type", _media_type(operation)))
        case = Case(
            request=Request(
                method=operation.operation.method, origin="", path=path, headers=tuple(headers)
            ),
            operation_id=operation.id,
            origin=Origin(source="sample", profile_version=self.profile.version),
            role=role,
            bindings=bindings,
        )
        start = Start(
            operation=operation, setup=setup, final=case, paths=((path, role),), recorded=False
        )
        start = self._referring(start)
        return (self._made_up(operation) or start) if start.hollow else start

    def _made_up(self, operation: OperationProfile) -> Start | None:
        """A start behind requests that the specification tells of, none of which was recorded."""
        cases = self._way(operation)
        if not cases:
            return None
        origin = Origin(source="sample", profile_version=self.profile.version)
        *setup, final = (replace(case, origin=origin) for case in cases)
        path = (final.request.path, final.role)
        return Start(
            operation=operation, setup=tuple(setup), final=final, paths=(path,), recorded=False
        )

    def _referring(self, start: Start) -> Start:
        """START with live values, or else recorded ones, for what it has to refer to."""
        values: dict[Place, Any] = {}
        query: list[tuple[str, str]] = []
        for place in needed_references(start.operation):
            brought = self._brought(start, place)
            if brought is None:
                return replace(start, hollow=True)
            start, value = brought
            if place.part == "query":
                query.append((place.name, text_of(value)))
            else:
                values[place] = value
        if not values and not query:
            return start
        request = start.final.request
        body = msgspec.json.encode(skeleton(values)) if values else request.body
        request = replace(request, body=body, query=(*request.query, *query))
        return replace(start, final=replace(start.final, request=request))

    def _brought(self, start: Start, place: Place) -> tuple[Start, Any] | None:
        """START behind a request whose answer brings a value for PLACE, and that value."""
        if self._producers is None:
            self._producers = producers(self.profile)
        link = self._producers.get(name_of(place))
        made = self.of(link.producer) if link is not None else None
        if link is None or made is None or not made.recorded:
            return None
        select = link.select
        if select.part == "body":
            select = body_place(*("0" if t == "*" else t for t in select.tokens))
        answer = self.exchanges[made.final.origin.parents[0]].response
        value = _value_at(answer, select)
        if value is None or isinstance(value, dict | list):
            return None
        step = next((i for i, c in enumerate(start.setup) if c.request == made.final.request), -1)
        setup = start.setup
        if step < 0:
            before = len(setup)
            moved = [
                replace(
                    c,
                    bindings=tuple(replace(b, step=b.step + before) for b in c.bindings),
                    setup=True,
                )
                for c in (*made.setup, made.final)
            ]
            setup = (*setup, *moved)
            step = len(setup) - 1
        binding = Binding(step=step, select=select, place=place, recorded=text_of(value))
        final = replace(start.final, bindings=(*start.final.bindings, binding))
        return replace(start, setup=setup, final=final), value

    def _donor(self, head: tuple[str, ...]) -> Start | None:
        """The start of a used operation whose path begins like HEAD; reading ones first."""
        shape = _shape(head)
        fitting = [
            operation
            for operation in self.profile.operations
            if operation.exemplars
            and _shape(split_template(operation.operation.template)[: len(head)]) == shape
        ]
        for operation in sorted(fitting, key=lambda o: (o.operation.method != "GET", -o.count)):
            start = self.of(operation.id)
            if start is not None and start.recorded:
                return start
        return None


def _empties(operation: OperationProfile) -> bool:
    """Whether OPERATION takes away a whole collection."""
    last = split_template(operation.operation.template)[-1:]
    return operation.operation.method == "DELETE" and not any("{" in segment for segment in last)


def _refused_only(operation: OperationProfile) -> bool:
    shown = [a.status for a in operation.answers if a.count]
    return bool(shown) and all(status >= REFUSED for status in shown)


def _value_at(answer: Response, select: Place) -> Any:
    if select.part != "body":
        return answer.header(select.name)
    try:
        return at(read_body(answer), select.tokens)
    except (ValueError, LookupError, TypeError):
        return None


def _makers_role(start: Start, path: str) -> str:
    """Who made what PATH goes through, as far as START's setup tells: whoever made it may mostly
    change it."""
    made = [c for c in start.setup if c.request.method in ("PUT", "POST")]
    above = [c for c in made if (path + "/").startswith(c.request.path.rstrip("/") + "/")]
    nearest = max(above, key=lambda c: len(c.request.path), default=made[-1] if made else None)
    return nearest.role if nearest is not None else ""


def _makers(exchanges: Mapping[str, Exchange]) -> dict[str, str]:
    """Path -> id of the first recorded exchange that made what it names, under a name of the
    client's choice (RFC 9110, 9.3.4)."""
    found: dict[str, str] = {}
    for exchange_id in sorted(exchanges, key=lambda i: exchanges[i].started_at):
        exchange = exchanges[exchange_id]
        if exchange.request.method == "PUT" and exchange.response.status in (200, 201, 204):
            found.setdefault(exchange.request.path.rstrip("/"), exchange_id)
    return found


def _preference(recipe: Recipe) -> tuple[int, int]:
    return recipe.status // 100, len(recipe.steps)


def _shape(segments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("{}" if "{" in segment else segment for segment in segments)


def _media_type(operation: OperationProfile) -> str:
    known = [kind for kind in operation.media_types if kind in ("application/json", FORM)]
    return known[0] if known else "application/json"


def _best_role(matrices: Iterable[Mapping[str, Mapping[str, int]]]) -> str:
    """The configured role that was let through most often; empty when there is none."""
    passed: Counter[str] = Counter()
    for matrix in matrices:
        for role, statuses in matrix.items():
            if role and role != UNKNOWN:
                passed[role] += sum(n for status, n in statuses.items() if status < "4")
    return max(sorted(passed), key=lambda role: passed[role]) if passed else ""
