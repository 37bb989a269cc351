"""Rows of cases put together from the starts of several operations, about the same things."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from premortem.domain.once import names_one_request
from premortem.domain.places import Place
from premortem.domain.run import Binding, Case, Expects, Intent, Origin, Sequence
from premortem.domain.template import encode_segment, split_path, split_template
from premortem.generate.starts import Start, Starts

ROW_MAX = 60
"""Cases of one row: whoever puts together more gives up."""


class Row:
    """Cases in order; values of earlier answers go into later requests."""

    def __init__(self, starts: Starts, cases: Iterable[Case] = ()) -> None:
        self._starts = starts
        self.cases: list[Case] = list(cases)

    def __len__(self) -> int:
        return len(self.cases)

    def copy(self) -> Row:
        """Another row that begins the same way."""
        return Row(self._starts, self.cases)

    def add(self, case: Case) -> int:
        """CASE, whose bindings refer to this row, as a step of it; its index."""
        self.cases.append(replace(case, setup=True, together=0))
        return len(self.cases) - 1

    def instance(self, start: Start, *, whole: bool = True) -> int:
        """START's setup and, if WHOLE, its own request once more, about things of their own; the
        index of the last one added."""
        before = len(self.cases)
        for case in (*start.setup, *((start.final,) if whole else ())):
            self.add(unkeyed(moved(case, before)) if before else case)
        return len(self.cases) - 1

    def on_same(self, start: Start, *, through: Case | None = None) -> Case | None:
        """START's own request on the things that this row is about; None where it needs one that
        no case of the row makes or names. THROUGH: a case to come whose path counts, too."""
        if not start.final.bindings and not start.setup and not _parameters(start.final):
            return start.final
        case = self._on_path(start, (*self.cases, *((through,) if through else ())))
        return case if case is not None else self._on_made(start)

    def _on_made(self, start: Start) -> Case | None:
        """Its values come from the cases that are of the operations that they came from."""
        steps: dict[int, int] = {}
        for binding in start.final.bindings:
            wanted = start.setup[binding.step].operation_id
            made = (i for i, case in enumerate(self.cases) if case.operation_id == wanted)
            step = next(made, None)
            if step is None:
                return None
            steps[binding.step] = step
        if not steps and _parameters(start.final):
            return None
        kept = tuple(replace(b, step=steps[b.step]) for b in start.final.bindings)
        return replace(start.final, bindings=kept)

    def _on_path(self, start: Start, donors: tuple[Case, ...]) -> Case | None:
        """Its path goes through what the path of a case of the row goes through."""
        template = _segments(start.final)
        depth = _parameters(start.final)
        if not depth:
            return None
        for donor in reversed(donors):
            theirs = _segments(donor)
            if theirs[:depth] != template[:depth] or len(split_path(donor.request.path)) < depth:
                continue
            others = [b for b in start.final.bindings if b.place.part != "path"]
            rest = self._rebound(start, others)
            if rest is None:
                continue
            own = split_path(start.final.request.path)[depth:]
            head = split_path(donor.request.path)[:depth]
            path = "/" + "/".join(encode_segment(s) for s in (*head, *own))
            bound = tuple(
                b for b in donor.bindings if b.place.part == "path" and int(b.place.name) < depth
            )
            request = replace(start.final.request, path=path)
            return replace(start.final, request=request, bindings=(*bound, *rest))
        return None

    def _rebound(self, start: Start, bindings: list[Binding]) -> list[Binding] | None:
        found: list[Binding] = []
        for binding in bindings:
            wanted = start.setup[binding.step].operation_id
            made = (i for i, case in enumerate(self.cases) if case.operation_id == wanted)
            step = next(made, None)
            if step is None:
                return None
            found.append(replace(binding, step=step))
        return found

    def ending(self, case: Case) -> Sequence | None:
        """The row with CASE as its end; None where it is too long."""
        if len(self.cases) >= ROW_MAX:
            return None
        return Sequence(cases=(*self.cases, replace(case, setup=False)))

    def at_once(self, cases: list[Case]) -> Sequence | None:
        """The row with CASES as its end, all sent at once."""
        if len(self.cases) + len(cases) > ROW_MAX:
            return None
        last = len(cases) - 1
        group = (replace(c, setup=i < last, together=1) for i, c in enumerate(cases))
        return Sequence(cases=(*self.cases, *group))


def unkeyed(case: Case) -> Case:
    """CASE without a header that names the request: sent once more it is another request."""
    headers = tuple(pair for pair in case.request.headers if not names_one_request(pair[0]))
    if headers == case.request.headers:
        return case
    return replace(case, request=replace(case.request, headers=headers))


def moved(case: Case, by: int) -> Case:
    """CASE where what it takes values from stands BY later."""
    if not by or not case.bindings:
        return case
    return replace(case, bindings=tuple(replace(b, step=b.step + by) for b in case.bindings))


def tried(
    case: Case,
    origin: Origin,
    *,
    operator: str,
    breaks: str,
    expects: Expects = "answer",
    against: int = -1,
    certain: bool = False,
    if_passed: int = -1,
    if_refused: int = -1,
    place: Place | None = None,
) -> Case:
    """CASE as what a sequence tries: OPERATOR says what was done, and it EXPECTS what comes."""
    return replace(
        case,
        origin=replace(origin, parents=case.origin.parents, operator=operator),
        intent=Intent(
            kind="adversarial",
            breaks=breaks,
            place=place,
            expects=expects,
            against=against,
            certain=certain,
            if_passed=if_passed,
            if_refused=if_refused,
        ),
        recorded_status=0,
        recorded_reason="",
    )


def _segments(case: Case) -> tuple[str, ...]:
    """Of its operation's template, parameters without their names."""
    template = case.operation_id.split(" ")[1]
    return tuple("{}" if "{" in segment else segment for segment in split_template(template))


def _parameters(case: Case) -> int:
    """Segments of its path up to the last parameter; 0: it has none."""
    opened = [i for i, segment in enumerate(_segments(case)) if segment == "{}"]
    return opened[-1] + 1 if opened else 0
