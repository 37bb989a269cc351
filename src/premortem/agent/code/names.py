"""What test methods are called: `Subject_ShouldOutcome_WhenCondition`, by rules.

The outcome's word is the one that the test class itself uses most; a class without tests gets the
usual one of the failure mode.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from premortem.agent.code.question import CodeQuestion
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import VERBS, participle, stem, tokens
from premortem.domain.proposal import FailureModeName

Word = Literal["Reject", "Throw", "Fail"]
_WORDS: dict[FailureModeName, Word] = {"boundary": "Fail", "forbidden_transition": "Fail"}
"""The outcome's word where a class has no habit of its own; others are rejected."""
_HABIT = re.compile(r"_Should(Throw|Reject|Fail)(?=_|[A-Z]|$)")
_SUBMITTING = frozenset(map(stem, ("attempt", "try", "request", "capture", "do")))


def pascal(text: str) -> str:
    """`locked invoice` as `LockedInvoice`; what is PascalCase already stays."""
    if re.fullmatch(r"[A-Z][A-Za-z0-9]*", text):
        return text
    words = (re.sub(r"[^A-Za-z0-9]", "", word) for word in tokens(text))
    return "".join(w[:1].upper() + w[1:] for w in words)


def habit(names: Iterable[str]) -> Word | None:
    """The outcome's word that test methods called NAMES use most; None: none of them has one."""
    counted = Counter(found[1] for name in names if (found := _HABIT.search(name)))
    most = counted.most_common(1)
    return most[0][0] if most else None  # type: ignore[return-value]


def unit_name(question: CodeQuestion, *, subject: str = "Handle", word: Word | None = None) -> str:
    """The name of a unit test for QUESTION on a handler whose method is SUBJECT.

    WORD is the class's habit. What a validator alone refuses is said of `Validate`, when SUBJECT
    is that.
    """
    outcome = word or _WORDS.get(question.failure_mode, "Reject")
    when = condition_name(question)
    who = f"_By{pascal(question.role)}" if question.role else ""
    own_state = question.state and not question.state_of
    if question.failure_mode == "forbidden_transition" and own_state:
        return f"{pascal(question.verb) or subject}_Should{outcome}_When{when}{who}"
    return f"{subject}_Should{outcome}_When{when}{who}"


def condition_name(question: CodeQuestion) -> str:
    """What makes the request of QUESTION special: `RefundIsDuplicate`, `AlreadyApproved`."""
    thing = pascal(question.entity) or "Request"
    field = question.field or ""
    mode = question.failure_mode
    if mode == "duplicate":
        return _repeated(question, thing)
    if mode == "forbidden_transition":
        if not question.state:
            return f"{thing}IsInAnotherState"
        if question.state_of:
            return f"{pascal(question.state_of)}Is{question.state}"
        return f"Already{question.state}"
    if mode == "over_total" or (question.condition == "TooHigh" and not field):
        return f"{thing}ExceedsLimit"
    if question.condition is not None:
        return value_condition(field or thing, question.condition)
    return {
        "unknown_reference": f"{thing}IsUnknown",
        "unit_switch": f"{field or 'Currency'}IsSwitched",
        "others_data": f"{thing}BelongsToSomeoneElse",
        "stale_change": f"{thing}IsStale",
        "concurrent_change": f"{thing}IsChangedConcurrently",
        "wrong_order": f"{thing}IsTooEarly",
        "retry_after_timeout": f"{thing}IsRetried",
        "unknown_value": f"{field or thing}IsUnknown",
        "wrong_type": f"{field or thing}IsMalformed",
    }.get(mode, f"{thing}Is{pascal(mode)}")


def value_condition(field: str, condition: str) -> str:
    """`RefundAmountIsNegative`, `AmountExceedsMaximum`."""
    spoken = {"TooHigh": "ExceedsMaximum", "TooLow": "IsBelowMinimum", "WrongType": "IsOfWrongType"}
    spoken |= {"Maximum": "IsAtMaximum", "Minimum": "IsAtMinimum"}
    return pascal(field) + spoken.get(condition, f"Is{condition}")


def _repeated(question: CodeQuestion, thing: str) -> str:
    if question.exists:
        return f"{thing}Exists"
    made = "create" in VERBS.get(stem(question.verb), ()) or stem(question.verb) in _SUBMITTING
    if made or not question.verb:
        return f"{thing}IsDuplicate"
    first, *rest = question.verb.split(" ")
    return f"{thing}Is{pascal(' '.join([participle(first), *rest]))}Twice"


def access_name(question: CodeQuestion, *, method: str, status: int, broad: bool = False) -> str:
    """`Post_ShouldReturn403_WhenGuestTriesToApproveInvoice`.

    BROAD, or where nothing is said to be done: `..._WhenUserIsGuest`.
    """
    who = "Anonymous" if question.role == ANONYMOUS else pascal(question.role)
    start = f"{method.capitalize()}_ShouldReturn{status}_When"
    if broad or not question.verb or not question.entity:
        return f"{start}UserIs{who}"
    return f"{start}{who}TriesTo{pascal(question.verb)}{pascal(question.entity)}"
