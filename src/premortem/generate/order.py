"""Whole sequences in which the order of the requests is what is tried.

Each starts from how production brings an operation about: its setup, then the request itself.
One thing is done to that order, and the last case says what should come of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from premortem.domain.places import Place
from premortem.domain.run import SAFE_METHODS, Binding, Case, Intent, Origin, Sequence
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.domain.traffic import Exchange, OperationProfile, Profile
from premortem.generate.replay import UNKNOWN
from premortem.generate.starts import Start, Starts

GONE = frozenset({404, 410})
STEPS_MAX = 40
"""A setup longer than this is left alone."""
SKIPPED_MAX = 8
"""Steps of one setup that are left out in turn."""
FLOWS_READ_MAX = 2_000
"""Recorded flows looked through for what came after a deletion."""


class OrderMutator:
    """Repeats, skips, hurries and delays requests of a profile's operations."""

    def __init__(
        self, profile: Profile, exchanges: Mapping[str, Exchange], seed: int, *, starts: Starts
    ) -> None:
        self._profile = profile
        self._exchanges = exchanges
        self._starts = starts
        self._operations = {o.id: o for o in profile.operations}
        self._deletions = {
            o.operation.template: o
            for o in profile.operations
            if o.operation.method == "DELETE" and o.operation.template.endswith("}")
        }
        self._origin = Origin(source="mutate", seed=seed, profile_version=profile.version)
        self._works: dict[str, Iterator[Sequence]] = {}
        self._gone: frozenset[tuple[str, str]] | None = None

    def sequences(self, operation_id: str, count: int) -> list[Sequence]:
        """Up to COUNT distinct sequences that end with a case of OPERATION_ID, the only one that
        is no setup; each call goes on where the last one ended."""
        operation = self._operations.get(operation_id)
        start = self._starts.of(operation_id)
        if operation is None or start is None or len(start.setup) > STEPS_MAX or count <= 0:
            return []
        if operation_id not in self._works:
            self._works[operation_id] = self._all(operation, start)
        work = self._works[operation_id]
        return [sequence for sequence, _ in zip(work, range(count), strict=False)]

    def _all(self, operation: OperationProfile, start: Start) -> Iterator[Sequence]:
        yield self._repeated(start)
        yield from self._after_deletion(operation, start)
        yield from self._premature(start)
        yield from self._skipped(start)

    def _final(self, start: Start, operator: str, intent: Intent) -> Case:
        """The last case of a sequence: START's own, with what was done to the order."""
        return replace(
            start.final,
            origin=replace(self._origin, parents=start.final.origin.parents, operator=operator),
            intent=intent,
            recorded_status=0,
            recorded_reason="",
        )

    def _repeated(self, start: Start) -> Sequence:
        """The same request twice: what is idempotent (RFC 9110, 9.2.2) must not mind."""
        intent = Intent(kind="adversarial", breaks="order repeated", expects="answer")
        first = replace(start.final, setup=True)
        return Sequence(cases=(*start.setup, first, self._final(start, "repeat", intent)))

    def _premature(self, start: Start) -> Iterator[Sequence]:
        """The request before the last step that it needs, then that step, then the request."""
        if not start.setup or start.setup[-1].request.method in SAFE_METHODS:
            return
        last = len(start.setup) - 1
        early = replace(
            start.final,
            setup=True,
            bindings=tuple(b for b in start.final.bindings if b.step != last),
        )
        # The step itself stays where its answers are looked for; the early request goes first.
        shifted = [_shifted(case, last, 1) for case in (start.setup[-1], start.final)]
        intent = Intent(kind="adversarial", breaks="order swapped", expects="answer")
        final = self._final(replace_final(start, shifted[1]), "swap", intent)
        yield Sequence(cases=(*start.setup[:last], early, shifted[0], final))

    def _skipped(self, start: Start) -> Iterator[Sequence]:
        """One changing step left out, on whose answer no other step of the setup relies."""
        done = 0
        for index, step in enumerate(start.setup):
            names = any(b.step == index for c in start.setup for b in c.bindings)
            if names or step.request.method in SAFE_METHODS or done >= SKIPPED_MAX:
                continue
            done += 1
            lost = [b for b in start.final.bindings if b.step == index]
            named = any(b.place.part == "path" for b in lost)
            rest = [_without(case, index) for case in start.setup[index + 1 :]]
            intent = Intent(
                kind="adversarial",
                breaks=f"order without {step.operation_id}",
                expects="refusal" if named else "answer",
            )
            final = self._final(replace_final(start, _without(start.final, index)), "skip", intent)
            yield Sequence(cases=(*start.setup[:index], *rest, final))

    def _after_deletion(self, operation: OperationProfile, start: Start) -> Iterator[Sequence]:
        """The request after what its path names was deleted."""
        template = operation.operation.template
        for deleted, deletion in self._deletions.items():
            depth = len(split_template(deleted))
            above = template == deleted or template.startswith(deleted + "/")
            own = deletion.id == operation.id
            if not above or own or not start.setup:
                continue
            role = _role_for(deletion, start.final.role)
            case = self._deleting(deletion, start, depth, role)
            if case is None:
                continue
            shown = (deletion.id, operation.id) in self._seen_gone()
            name = split_template(deleted)[-1].strip("{}")
            place = Place(part="path", name=name)
            # Some services keep what was deleted; only where production showed it gone, the
            # checks may speak of an identifier that names nothing.
            intent = Intent(
                kind="adversarial",
                breaks=f"{place} unknown" if shown else "order after deletion",
                place=place if shown else None,
                expects="refusal",
            )
            yield Sequence(cases=(*start.setup, case, self._final(start, "late", intent)))

    def _deleting(
        self, deletion: OperationProfile, start: Start, depth: int, role: str
    ) -> Case | None:
        own = self._starts.of(deletion.id)
        head = split_path(start.final.request.path)[:depth]
        bound = tuple(
            b for b in start.final.bindings if b.place.part == "path" and int(b.place.name) < depth
        )
        if own is None or not own.recorded or not _names(bound, depth):
            return None
        request = replace(
            own.final.request, path="/" + "/".join(encode_segment(s) for s in head), body=b""
        )
        return replace(
            own.final,
            request=request,
            role=role,
            bindings=bound,
            setup=True,
            recorded_status=0,
            recorded_reason="",
        )

    def _seen_gone(self) -> frozenset[tuple[str, str]]:
        """(deletion, operation) where production answered 404 or 410 after the deletion of what
        the operation's path goes through."""
        if self._gone is None:
            self._gone = frozenset(self._find_gone())
        return self._gone

    def _find_gone(self) -> Iterator[tuple[str, str]]:
        matcher = self._starts.replayer.matcher
        for flow in self._profile.flows[:FLOWS_READ_MAX]:
            deleted: dict[str, str] = {}
            for exchange_id in flow.exchange_ids:
                exchange = self._exchanges.get(exchange_id)
                if exchange is None:
                    continue
                request, status = exchange.request, exchange.response.status
                path = request.path.rstrip("/")
                match = matcher.match(request.method, request.path)
                if match is None:
                    continue
                if request.method == "DELETE" and 200 <= status < 300:
                    deleted[path] = match.operation.id
                elif request.method in ("PUT", "POST") and 200 <= status < 300:
                    deleted.pop(path, None)
                elif status in GONE:
                    for gone, by in deleted.items():
                        if path == gone or path.startswith(gone + "/"):
                            yield by, match.operation.id


def replace_final(start: Start, final: Case) -> Start:
    """START with another last request."""
    return replace(start, final=final)


def _names(bound: tuple[Binding, ...], depth: int) -> bool:
    """Whether the last segment to delete is one that the setup made."""
    return any(int(b.place.name) == depth - 1 for b in bound)


def _role_for(operation: OperationProfile, other: str) -> str:
    """Who production let do OPERATION most often, else OTHER."""
    passed = {
        role: sum(n for status, n in statuses.items() if status < "4")
        for role, statuses in operation.roles.items()
        if role and role != UNKNOWN
    }
    best = max(sorted(passed), key=lambda role: passed[role], default="")
    return best if best and passed[best] else other


def _shifted(case: Case, start: int, by: int) -> Case:
    """CASE after BY more cases came in before step START."""
    bindings = tuple(replace(b, step=b.step + by) if b.step >= start else b for b in case.bindings)
    return replace(case, bindings=bindings)


def _without(case: Case, step: int) -> Case:
    """CASE after STEP was left out; what came from it stays as recorded."""
    bindings = tuple(
        replace(b, step=b.step - 1) if b.step > step else b for b in case.bindings if b.step != step
    )
    return replace(case, bindings=bindings)
