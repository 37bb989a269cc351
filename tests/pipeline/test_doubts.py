"""What an answer to a role's own request shows, once other reasons for it are ruled out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from premortem.domain.access import NOBODY, AccessRule, AccessTable, merged
from premortem.domain.traffic import Operation, OperationProfile, Profile, Timing
from premortem.pipeline.observing_doubts import Doubts, Trust
from premortem.pipeline.observing_looks import Observed

THING = "GET /things/{thing_id}"
LIST = "GET /things"
NEW = "POST /things"


class Scripted:
    """A target that answers each role with the next status of its list, the last one for good."""

    def __init__(self, answers: dict[str, Sequence[int]], *, resets: bool = True) -> None:
        self.answers = {role: list(statuses) for role, statuses in answers.items()}
        self.resets = resets
        self.fresh = 0
        self.made_own: tuple[str, ...] = ()
        self.trusted: list[str] = []

    def look(self, asked: Observed) -> Observed:
        left = self.answers[asked.role]
        status = left.pop(0) if len(left) > 1 else left[0]
        return replace(asked, status=status, why_not="" if status else "not sent", requests=1)

    def again(self) -> bool:
        self.fresh += self.resets
        return self.resets

    def own(self, _: AccessTable, seen: Observed) -> Observed:
        return replace(seen, status=200) if seen.role in self.made_own else seen

    def trust(self, role: str) -> None:
        self.trusted.append(role)


def profile_of(operation: OperationProfile) -> Profile:
    timing = Timing(first_at=0.0, last_at=0.0, rate_per_second=0.0, hours=())
    return Profile(
        version="p",
        created_at=0.0,
        exchanges=0,
        sessions=0,
        origins=(),
        operations=(operation,),
        timing=timing,
    )


def shown(
    target: Scripted,
    operation_id: str = THING,
    *,
    rules: Sequence[AccessRule] = (),
    passed: Sequence[str] = (),
) -> dict[str, str]:
    """Role -> what it is said to be granted. PASSED: roles that production let through."""
    method, template = operation_id.split(" ")
    operation = OperationProfile(
        operation=Operation(method=method, template=template),
        count=len(passed),
        roles={role: {"200": 3} for role in passed},
    )
    doubts = Doubts(
        table=merged(rules),
        profile=profile_of(operation),
        watching=target,  # type: ignore[arg-type]
        look=target.look,
        again=target.again,
        clock=lambda: 0.0,
    )
    asked = [
        Observed(operation_id=operation_id, role=role, edition="", status=0)
        for role in target.answers
    ]
    told = doubts.settled([target.look(one) for one in asked])
    assert all(bool(one.grant) != bool(one.why_not) for one in told)
    return {one.role: one.grant for one in told}


def rule(role: str, grant: str, operation_id: str = THING) -> AccessRule:
    return AccessRule(
        operation_id=operation_id,
        role=role,
        grant=grant,  # type: ignore[arg-type]
        source="authorization_map",
    )


def test_success_is_leave_and_401_and_403_are_denial():
    target = Scripted({"root": [200], "ann": [403], NOBODY: [401]})
    assert shown(target) == {"root": "allowed", "ann": "denied", NOBODY: "denied"}
    assert target.fresh == 0


def test_what_was_not_asked_shows_nothing():
    assert shown(Scripted({"root": [200], "ann": [0]})) == {"root": "allowed", "ann": ""}


def test_too_many_requests_are_no_denial():
    target = Scripted({"root": [200], "ann": [429]})
    assert shown(target) == {"root": "allowed", "ann": ""}


def test_404_on_a_thing_that_another_is_let_through_to_is_denial():
    target = Scripted({"root": [200], "ann": [404], NOBODY: [404]})
    assert shown(target) == {"root": "allowed", "ann": "denied", NOBODY: "denied"}


def test_404_on_a_thing_that_is_gone_shows_nothing():
    target = Scripted({"root": [204, 404], "ann": [404]})
    assert shown(target, "DELETE /things/{thing_id}")["ann"] == ""


def test_404_on_a_thing_that_was_gone_is_asked_again_from_a_fresh_state():
    target = Scripted({"root": [204, 404, 204], "ann": [404, 404, 204]})
    assert shown(target, "DELETE /things/{thing_id}")["ann"] == "allowed"
    assert target.fresh == 1


def test_404_to_all_shows_nothing():
    assert shown(Scripted({"root": [404], "ann": [404]})) == {"root": "", "ann": ""}


def test_404_without_a_thing_shows_nothing():
    assert shown(Scripted({"root": [200], "ann": [404]}), LIST) == {"root": "allowed", "ann": ""}


def test_what_a_role_is_let_do_to_its_own_thing_it_may():
    target = Scripted({"root": [200], "ann": [404]})
    target.made_own = ("ann",)
    assert shown(target) == {"root": "allowed", "ann": "allowed"}


def test_what_tells_nothing_is_asked_again_from_a_fresh_state():
    target = Scripted({"root": [201], "ann": [400, 201]})
    assert shown(target, NEW) == {"root": "allowed", "ann": "allowed"}
    assert target.fresh == 1


def test_without_a_fresh_state_it_stays_unknown():
    target = Scripted({"root": [201], "ann": [400, 201]}, resets=False)
    assert shown(target, NEW) == {"root": "allowed", "ann": ""}


def test_what_tells_nothing_of_anybody_is_asked_again_once():
    target = Scripted({"root": [400], "ann": [400], "bob": [400]})
    assert set(shown(target, NEW).values()) == {""}
    assert target.fresh == 1


def test_what_is_not_as_declared_is_asked_again_before_it_counts():
    target = Scripted({"root": [200], "ann": [403, 200]})
    assert shown(target, LIST, rules=[rule("ann", "allowed", LIST)])["ann"] == "allowed"
    target = Scripted({"root": [200], "ann": [403, 403]})
    assert shown(target, LIST, rules=[rule("ann", "allowed", LIST)])["ann"] == "denied"
    assert target.fresh == 1


@pytest.mark.parametrize("passed", [(), ("root",)])
def test_a_thing_refused_to_all_may_not_be_there(passed):
    target = Scripted({"root": [403], "ann": [403], NOBODY: [403]})
    assert set(shown(target, passed=passed).values()) == {""}


def test_that_nobody_signed_in_is_told_to_sign_in_is_denial_whatever_is_there():
    target = Scripted({"root": [403], NOBODY: [401]})
    assert shown(target, passed=["root"]) == {"root": "", NOBODY: "denied"}


def test_a_thing_refused_to_all_is_asked_again_from_a_fresh_state():
    target = Scripted({"root": [403, 200], "ann": [403, 403]})
    assert shown(target, passed=["root"]) == {"root": "allowed", "ann": "denied"}


def test_refused_to_those_alone_that_production_did_not_let_through_is_denial():
    target = Scripted({"ann": [403], "bob": [403]})
    assert shown(target, passed=["root"]) == {"ann": "denied", "bob": "denied"}


def test_refused_to_all_whom_the_documents_refuse_is_denial():
    target = Scripted({"ann": [403], "bob": [403]})
    rules = [rule("ann", "denied"), rule("bob", "denied")]
    assert shown(target, rules=rules) == {"ann": "denied", "bob": "denied"}


def test_a_list_refused_to_all_is_denial():
    target = Scripted({"ann": [403], "bob": [403]})
    assert shown(target, LIST) == {"ann": "denied", "bob": "denied"}


def test_a_list_refused_to_all_whom_production_let_through_shows_nothing():
    target = Scripted({"root": [403], "ann": [403]})
    assert set(shown(target, LIST, passed=["root"]).values()) == {""}


def test_that_all_are_told_to_sign_in_though_some_are_is_about_something_else():
    target = Scripted({"root": [401], "ann": [401], NOBODY: [401]})
    assert set(shown(target, "POST /login").values()) == {""}
    assert shown(Scripted({"ann": [401], NOBODY: [401]}), LIST)["ann"] == "denied"


def test_a_conflict_shows_that_the_gate_was_passed_where_others_were_stopped():
    assert shown(Scripted({"root": [409], NOBODY: [401]}), NEW)["root"] == "allowed"
    assert shown(Scripted({"root": [409], NOBODY: [409]}), NEW)["root"] == ""


def test_a_conflict_is_asked_again_from_a_fresh_state_before_it_shows_that():
    target = Scripted({"root": [201], "ann": [409, 403], NOBODY: [401]})
    assert shown(target, NEW) == {"root": "allowed", "ann": "denied", NOBODY: "denied"}


def test_an_invalid_value_shows_it_only_where_a_signed_in_role_was_stopped():
    assert shown(Scripted({"root": [422], NOBODY: [401]}), NEW)["root"] == ""
    assert shown(Scripted({"root": [422], "ann": [403]}), NEW)["root"] == "allowed"


def test_whose_credentials_are_taken_is_known_where_nobody_else_gets_through():
    target = Scripted({"root": [200], "ann": [403], NOBODY: [401]})
    shown(target)
    assert target.trusted == ["root"]
    public = Scripted({"root": [200], NOBODY: [200]})
    shown(public)
    assert public.trusted == []


# Roles whose credentials are wrong.


def seen(role: str, status: int, operation_id: str = LIST) -> Observed:
    return Observed(
        operation_id=operation_id,
        role=role,
        edition="",
        status=status,
        grant="allowed" if status < 300 else "denied",
    )


def test_a_role_that_is_told_to_sign_in_everywhere_is_denied_nothing():
    trust = Trust()
    group = [seen("ann", 401), seen("root", 200), seen(NOBODY, 401)]
    assert [one.role for one in trust.told(group)] == ["root", NOBODY]
    public = [seen("ann", 200, NEW), seen(NOBODY, 200, NEW)]
    assert [one.role for one in trust.told(public)] == ["ann", NOBODY]
    (left,) = trust.rest()
    assert (left.role, left.grant) == ("ann", "")
    assert "[roles.ann]" in left.why_not


def test_a_role_that_was_let_in_somewhere_is_denied_what_it_was_refused_before():
    trust = Trust()
    assert list(trust.told([seen("ann", 401), seen(NOBODY, 401)])) == [seen(NOBODY, 401)]
    told = list(trust.told([seen("ann", 200, NEW), seen(NOBODY, 401, NEW)]))
    assert seen("ann", 401) in told
    assert list(trust.rest()) == []
