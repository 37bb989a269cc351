"""What is read of a thing to which nothing was done since it was made: sums over nothing, averages
of none, an empty list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from premortem.agent.planning import state_titles, titles
from premortem.agent.planning.draft import CannotWrite, Draft
from premortem.agent.planning.expectation import Expectation, success_status
from premortem.agent.planning.reach import Reached
from premortem.agent.plans.ground import Ground, as_role, is_meant, say_outcome, to_scenario
from premortem.agent.plans.marks import say_promises
from premortem.agent.plans.references import needed
from premortem.domain.run import SAFE_METHODS
from premortem.domain.scenario import Scenario
from premortem.domain.template import split_template
from premortem.domain.traffic import OperationProfile

SURELY_NEW = re.compile(
    r"\b(?:brand[- ]?new|newly|freshly|(?:only )?just (?:been )?(?:made|created|added|opened|"
    r"set up|registered|signed up|joined))\b",
    re.IGNORECASE,
)
NEW = re.compile(
    rf"{SURELY_NEW.pattern}|\b(?:new(?!est\b|er\b) [\w-]+(?: [\w-]+)?|"
    r"(?:has|have|had|with|is|are|there) (?:been )?(?:no|not any|nothing|never any|none)\b.{0,30}|"
    r"without any \w+|(?:nothing|none|nobody|no \w+)\b.{0,30}\b(?:yet|so far|at all)|empty|"
    r"first (?:day|time|login)|never (?:bought|ordered|paid|used|had|made|did))\b",
    re.IGNORECASE,
)
"""How a question says that nothing was done to a thing yet: surely, or by words for other things,
too."""


def is_of_something_new(ground: Ground, operation: OperationProfile, *, surely: bool) -> bool:
    """Whether OPERATION reads, and the question says that there is nothing to it yet; SURELY: in
    words that are said of nothing else."""
    reads = operation.operation.method in SAFE_METHODS
    words = SURELY_NEW if surely else NEW
    return reads and words.search(ground.understood.prompt) is not None


def nothing_yet(
    ground: Ground, operation: OperationProfile, reached: Reached
) -> Iterator[Scenario]:
    """OPERATION, which reads, right after what it is about was made."""
    cases = needed(as_role(reached.cases, ground))
    template = split_template(operation.operation.template)
    opened = any("{" in segment for segment in template)
    makes = [case for case in cases[:-1] if case.request.method not in SAFE_METHODS]
    if opened and not makes:
        raise CannotWrite("nothing makes what it is about, so it cannot be read brand-new")
    draft = Draft(cases)
    last = len(cases) - 1
    for index in range(last):
        draft.setup(index)
    draft.request("When", last)
    expected = _expected(operation, reached, same=len(cases) == len(reached.cases))
    say_outcome(draft, expected)
    say_promises(draft, operation)
    said = titles.from_prompt(ground.understood.prompt) if is_meant(ground, operation) else ""
    title = said or state_titles.of_new(operation)
    # Whatever it was taken for, it is read in a state that is as good as any.
    meant = replace(ground.understood, failure_mode="forbidden_transition")
    yield to_scenario(replace(ground, understood=meant), operation, draft, expected, title)


def _expected(operation: OperationProfile, reached: Reached, *, same: bool) -> Expectation:
    """Success; sure where production did just that, or the thing itself is read."""
    last = split_template(operation.operation.template)[-1:]
    itself = any("{" in segment for segment in last)
    shown = reached.recorded and same
    return Expectation(
        status=success_status(operation),
        because="production read it so" if shown else "convention: what was made can be read",
        source="captured" if shown else "convention",
        certain=shown or itself,
    )
