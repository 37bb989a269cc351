"""`@premortem.cases(...)`: a test over generated requests.

    @premortem.cases("POST /invoices", count=50)
    def test_invoices_are_made(case):
        answer = case.send()      # a finding fails the test, with a curl line to see it again
        assert answer.status == 201 or not case.realistic

The pytest plugin (`premortem.api.plugin`) makes the cases when tests are collected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from premortem.domain.context import Context
from premortem.domain.run import Plan

COUNT = 20
COUNT_MAX = 10_000
"""Cases of one test; a run (`premortem run`) is made for more."""
MARKER = "premortem_cases"
Test = TypeVar("Test", bound=Callable[..., Any])


class Wanted(Struct, frozen=True, kw_only=True):
    """Which cases one test asks for."""

    operations: tuple[str, ...]
    count: int
    sources: Mapping[str, int]
    context: Context
    seed: int
    argument: str
    ignore: tuple[str, ...]


def cases(
    *operations: str,
    count: int = COUNT,
    sources: Mapping[str, int] | None = None,
    context: Context | None = None,
    seed: int = 1,
    argument: str = "case",
    ignore: tuple[str, ...] = (),
) -> Callable[[Test], Test]:
    """Run the test once for each of COUNT generated requests.

    OPERATIONS: `POST /invoices` or its name in part; none: all of the profile. SOURCES: source ->
    weight; default: those of a plan. CONTEXT: role, kinds of requests, data ranges.
    ARGUMENT: the test's argument that gets the LiveCase. IGNORE: ids of findings that are known;
    what `premortem ignore` was told counts, too. The same seed gives the same cases.
    Raises ValueError for a count that cannot be meant.
    """
    if not 1 <= count <= COUNT_MAX:
        raise ValueError(f"count = {count}: it must be between 1 and {COUNT_MAX}")
    import pytest

    wanted = Wanted(
        operations=operations,
        count=count,
        sources=dict(sources) if sources is not None else dict(Plan().sources),
        context=context or Context(),
        seed=seed,
        argument=argument,
        ignore=ignore,
    )
    mark: Any = getattr(pytest.mark, MARKER)(wanted)

    def marked(test: Test) -> Test:
        marked_test: Test = mark(test)
        return marked_test

    return marked
