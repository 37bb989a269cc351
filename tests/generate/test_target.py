"""Which case next, told by what came of those before."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256

import numpy as np
import pytest

from premortem.config import TargetConfig
from premortem.domain.coverage import Cell, Gap
from premortem.domain.goals import Goals
from premortem.domain.run import Case, Fault, Origin, Sent
from premortem.domain.traffic import Request, Response
from premortem.generate import AimedSource, Aiming, Mutator, Novelty, SchemaSource, composed
from premortem.generate.corpus import Corpus, Live
from premortem.generate.llm import LlmSource, wanted
from premortem.generate.llm_batch import Batcher
from premortem.generate.novelty import News
from premortem.generate.sample import Sampler
from premortem.generate.target import Targeting
from premortem.generate.ways import Aim
from premortem.generate.whole_turns import WholeTurns
from premortem.models.budget import Budget
from premortem.validate import Validator
from tests.generate import small
from tests.generate.engine import RuledEngine

MAKE, LIST, READ = "POST /invoices", "GET /invoices", "GET /invoices/{invoice_id}"
PAY, CANCEL = "POST /invoices/{invoice_id}/payments", "POST /invoices/{invoice_id}/cancel"
WEIGHTS = {"sample": 30, "schema": 35, "mutate": 35}
TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)
JSON = (("content-type", "application/json"),)


def answer(status: int, body: object = None) -> Response:
    return Response(status=status, headers=JSON, body=json.dumps(body).encode())


def case_of(operation_id: str = MAKE, body: object = None) -> Case:
    method, path = operation_id.split(" ")
    request = Request(method=method, origin="", path=path, body=json.dumps(body).encode())
    return Case(request=request, operation_id=operation_id, origin=Origin(source="mutate"))


def sent(case: Case, response: Response | None) -> Sent:
    fault = Fault(kind="reset", detail="", sent=True) if response is None else None
    return Sent(request=case.request, response=response, fault=fault)


def said(_request: Request, response: Response) -> str:
    return str(json.loads(response.body or b"null"))


def aiming(*, goals: Goals | None = None, seed: int = 1, roles=("clerk", "guest"), weights=None):
    profile, exchanges = small.profile(), small.recorded()
    validator = Validator(profile, target=TARGET)
    composer, operations = composed(
        profile, exchanges, weights=weights or WEIGHTS, seed=seed, validate=validator.validate
    )
    return Aiming(
        profile,
        composer,
        operations,
        goals=goals or Goals(coverage=True),
        novelty=Novelty(said),
        weights=weights or WEIGHTS,
        roles=roles,
        seed=seed,
    )


def service(request: Request) -> Response:
    """Answers alike for alike requests, as various as a real one."""
    kind = sha256(request.canonical_bytes()).digest()[0] % 12
    if kind == 0:
        return answer(500, {"error": "boom"})
    if kind < 6:
        return answer(422, {"detail": f"bad '{kind}'"})
    return answer(201, {"id": "inv_live01", "amount": kind})


def worked(made: Aiming, slices: int, *, requests: int = 60) -> list[list[Case]]:
    """The cases of so many slices, each made once the one before was answered."""
    told: list[list[Case]] = []
    for _ in range(slices):
        sequences = made.slice(requests, finals_max=requests)
        cases = [case for sequence in sequences for case in sequence.cases]
        for case in cases:
            made.learn(case, sent(case, service(case.request)))
        told.append(cases)
    return told


# News.


def test_the_same_answer_again_is_no_news():
    novelty = Novelty(said)
    case = case_of()
    first = novelty.look(case, sent(case, answer(201, {"id": 1})))
    again = novelty.look(case, sent(case, answer(201, {"id": 2})))
    assert first.worth > 0
    assert {"status", "passed", "shape"} <= set(first.kinds)
    assert again.worth == 0


def test_other_members_in_an_answer_are_news_and_other_values_are_not():
    novelty = Novelty(said)
    case = case_of()
    novelty.look(case, sent(case, answer(200, {"items": [{"id": 1}]})))
    assert not novelty.look(case, sent(case, answer(200, {"items": [{"id": 7}, {"id": 8}]}))).kinds
    assert novelty.look(case, sent(case, answer(200, {"items": [], "next": "x"}))).kinds == (
        "shape",
    )


def test_a_failure_that_another_operation_showed_is_worth_less_than_a_new_one():
    novelty = Novelty(said)
    first, second = case_of(MAKE), case_of(LIST)
    new = novelty.look(first, sent(first, answer(500, "KeyError")))
    elsewhere = novelty.look(second, sent(second, answer(500, "KeyError")))
    again = novelty.look(second, sent(second, answer(500, "KeyError")))
    assert new.worth > elsewhere.worth > again.worth == 0
    assert again.failed


def test_what_repeats_itself_in_ever_new_words_wears_out():
    novelty = Novelty(said)
    case = case_of()
    worths = [
        novelty.look(case, sent(case, answer(404, {"message": f"no {i}"}))).worth for i in range(50)
    ]
    assert worths[1] > 2 * worths[-1] > 0


def test_what_was_never_sent_shows_nothing():
    novelty = Novelty(said)
    case = case_of()
    unsent = Sent(request=case.request, fault=Fault(kind="unbound", detail="", sent=False))
    assert novelty.look(case, unsent) == News()


# Choosing.


def operations_of(*ids: str):
    profile = small.profile()
    return [(profile.operation(id_), "clerk") for id_ in ids]


def test_an_operation_that_brings_news_gets_more_turns_than_one_that_does_not():
    targeting = Targeting(operations_of(MAKE, LIST), Goals(coverage=True))
    for _ in range(40):
        targeting.learn(MAKE, "mutate", (), News())
        targeting.learn(LIST, "mutate", (), News(worth=1.0))
    rng = np.random.default_rng(1)
    costs = {MAKE: 1.0, LIST: 1.0}
    turns = Counter(targeting.operation(costs, {}, rng) for _ in range(200))
    assert turns[LIST] > 4 * turns[MAKE]


def test_what_costs_more_requests_has_to_bring_more():
    targeting = Targeting(operations_of(LIST, PAY), Goals(coverage=True))
    rng = np.random.default_rng(1)
    turns = Counter(targeting.operation({LIST: 1.0, PAY: 6.0}, {}, rng) for _ in range(300))
    assert turns[LIST] > turns[PAY] > 0


@pytest.mark.parametrize(
    ("goals", "changed"),
    [(Goals(coverage=True, operations=(PAY,)), ()), (Goals(coverage=True), (PAY,))],
)
def test_favoured_and_changed_operations_come_first(goals, changed):
    plain = Targeting(operations_of(READ, PAY), Goals(coverage=True))
    aimed = Targeting(operations_of(READ, PAY), goals, changed=changed)
    costs = {READ: 1.0, PAY: 1.0}
    counts = []
    for targeting in (plain, aimed):
        rng = np.random.default_rng(1)
        turns = Counter(targeting.operation(costs, {}, rng) for _ in range(400))
        counts.append(turns[PAY])
    assert counts[1] > 1.2 * counts[0]


def chosen(targeting: Targeting, aims: tuple[Aim, ...], times: int = 200) -> Counter[str]:
    rng = np.random.default_rng(1)
    found: Counter[str] = Counter()
    for _ in range(times):
        targeting.next_slice()
        [(_, aim)] = targeting.gaps(MAKE, "mutate", aims, 1, rng, passed=True)
        found[aim.operator] += 1
    return found


AIMS = tuple(Aim(place=f"body:/{name}", operator=name) for name in ("a", "b", "c", "d"))


def test_a_way_that_brought_nothing_for_long_is_let_be():
    targeting = Targeting(operations_of(MAKE), Goals(coverage=True, give_up_after=3))
    rng = np.random.default_rng(1)
    targeting.gaps(MAKE, "mutate", AIMS, 1, rng, passed=True)
    for _ in range(3):
        targeting.learn(MAKE, "mutate", (("mutate", AIMS[0]),), News())
    assert chosen(targeting, AIMS, 60)["a"] <= 1


def test_a_way_that_fails_as_known_is_worth_less_than_one_that_was_merely_tried():
    targeting = Targeting(operations_of(MAKE), Goals(coverage=True))
    targeting.gaps(MAKE, "mutate", AIMS, 1, np.random.default_rng(1), passed=True)
    targeting.learn(MAKE, "mutate", (("mutate", AIMS[0]),), News(failed=True))
    targeting.learn(MAKE, "mutate", (("mutate", AIMS[1]),), News())
    found = chosen(targeting, AIMS, 12)
    assert found["a"] <= found["b"]


def test_a_favoured_place_has_more_energy():
    goals = Goals(coverage=True, places=("body:/c",), favour=50.0)
    targeting = Targeting(operations_of(MAKE), goals)
    gaps = targeting.gaps(MAKE, "mutate", AIMS, 4, np.random.default_rng(1), passed=False)
    energies = {aim.operator: gap.energy for gap, aim in gaps}
    assert max(energies, key=energies.__getitem__) == "c"
    assert all(gap.energy > 0 and gap.status_wanted == "2xx" for gap, _ in gaps)


# Sources that are told.


@pytest.mark.parametrize("kind", [SchemaSource, Mutator])
def test_a_source_that_is_told_a_gap_fills_it(kind):
    source = kind(small.profile(), small.recorded(), 1)
    assert isinstance(source, AimedSource)
    aims = [aim for aim in source.aims(MAKE) if aim.place == "body:/amount"]
    assert len(aims) > 3
    for aim in aims:
        gap = Gap(cell=Cell(operation_id=MAKE, place=aim.place), operator=aim.operator)
        for case in source.aimed(gap, 2):
            assert case.operation_id == MAKE
            place = str(case.intent.place) if case.intent.place else ""
            assert "body:/amount" in (place, case.origin.operator.partition(" at ")[2])


def test_a_gap_without_an_operator_is_filled_by_its_class_of_value():
    source = Mutator(small.profile(), small.recorded(), 1)
    cell = Cell(operation_id=MAKE, place="body:/amount", value_class="null")
    [case] = source.aimed(Gap(cell=cell), 1)
    assert json.loads(case.request.body)["amount"] is None


def test_a_source_alters_the_request_that_it_is_given():
    source = Mutator(small.profile(), small.recorded(), 1)
    [base] = source.aimed(
        Gap(cell=Cell(operation_id=MAKE, place="body:/currency", value_class="absent")), 1
    )
    gap = Gap(cell=Cell(operation_id=MAKE), operator="upper case, which must not matter")
    [case] = source.aimed(gap, 1, (base,))
    assert case.request.body == base.request.body
    assert case.request.header("content-type") == "APPLICATION/JSON"


def test_an_operation_that_is_not_there_has_nothing_to_aim_at():
    source = Mutator(small.profile(), small.recorded(), 1)
    assert source.aims("GET /nowhere") == ()
    assert source.aimed(Gap(cell=Cell(operation_id="GET /nowhere")), 3) == []


def test_a_prompt_names_place_kind_of_value_role_and_status():
    engine = RuledEngine()
    profile, exchanges = small.profile(), small.recorded()
    budget = Budget(tokens_max=10**6, seconds_max=60.0, cost_max=0.0, clock=lambda: 0.0)
    source = LlmSource(
        profile,
        exchanges,
        1,
        sampler=Sampler(profile, exchanges, 1),
        batcher=Batcher(engine, budget, wanted=4),
    )
    assert any(aim.place == "body:/amount" for aim in source.aims(MAKE))
    cell = Cell(operation_id=MAKE, place="body:/amount", value_class="boundary", role="guest")
    gap = Gap(cell=cell, status_wanted="2xx")
    cases = source.aimed(gap, 2)
    assert {case.origin.source for case in cases} == {"llm"}
    prompt = engine.asked[-1].user
    assert "focusing on areas with low coverage: amount with a value at the very limit" in prompt
    assert all(word in prompt for word in ("guest", "2xx", MAKE))
    assert wanted(gap) in prompt
    plain = source.cases(MAKE, 1)
    assert plain[0].origin.prompt != cases[0].origin.prompt


# Slices.


def test_a_slice_takes_no_more_requests_than_it_may():
    made = aiming()
    for requests, finals in ((60, 60), (30, 10), (7, 7)):
        sequences = made.slice(requests, finals_max=finals)
        cases = [case for sequence in sequences for case in sequence.cases]
        assert 0 < len(cases) <= requests
        assert sum(not case.setup for case in cases) <= finals


def test_the_same_answers_make_the_same_slices_and_other_answers_others():
    one, two = worked(aiming(), 4), worked(aiming(), 4)
    assert [[c.id for c in cases] for cases in one] == [[c.id for c in cases] for cases in two]
    other = aiming()
    first = [c for s in other.slice(60, finals_max=60) for c in s.cases]
    assert [c.id for c in first] == [c.id for c in one[0]]
    for case in first:
        other.learn(case, sent(case, answer(503, "busy")))
    second = [c for s in other.slice(60, finals_max=60) for c in s.cases]
    assert [c.id for c in second] != [c.id for c in one[1]]
    assert [c.id for c in worked(aiming(seed=2), 1)[0]] != [c.id for c in one[0]]


def test_no_case_is_made_twice():
    made = [c for cases in worked(aiming(), 5) for c in cases if not c.setup]
    # Whole sequences may end alike: there the order is what is tried.
    single = Counter(c.id for c in made if "order" not in c.intent.breaks)
    assert set(single.values()) == {1}


def test_several_alterations_at_once_accuse_of_nothing():
    cases = [c for cases in worked(aiming(), 6) for c in cases]
    stacked = [c for c in cases if c.origin.operator == "several at once"]
    assert stacked
    assert all(c.intent.expects == "answer" and not c.intent.certain for c in stacked)
    assert all(c.intent.kind == "adversarial" for c in stacked)


def test_values_that_the_target_told_go_into_later_requests():
    cases = [c for cases in worked(aiming(), 10) for c in cases if not c.setup]
    assert any("inv_live01" in c.request.path or b"inv_live01" in c.request.body for c in cases)


def test_sources_without_a_weight_are_not_asked():
    cases = [c for cases in worked(aiming(weights={"schema": 1}), 2) for c in cases if not c.setup]
    assert {c.origin.source for c in cases} == {"schema"}


# What is kept.


def test_secrets_and_long_texts_are_no_live_values():
    live = Live()
    told = {"token": "abc", "password": "p", "note": "n" * 5_000, "id": "inv_1"}
    live.learn(case_of(MAKE), "/invoices", answer(201, told))
    assert live.of("id") == live.of("invoice_id") == ("inv_1",)
    assert not any(map(live.of, ("token", "password", "note")))
    assert live.of_segment("/invoices/{invoice_id}", 1) == ("inv_1",)


def test_what_a_refusal_quotes_is_remembered():
    live = Live()
    live.learn(case_of(LIST), "/invoices", answer(400, {"error": "sort must be 'due' or 'paid'"}))
    assert live.words(LIST) == ("due", "paid")


def test_requests_that_were_picked_often_make_room_for_others():
    corpus, rng = Corpus(), np.random.default_rng(1)
    for index in range(200):
        corpus.add(case_of(MAKE, {"n": index}), 1.0)
    assert len(corpus) <= 48
    assert len({corpus.pick(MAKE, rng).id for _ in range(60)}) > 20
    assert corpus.pick(LIST, rng) is None


# Whole sequences.


def turns(weights):
    profile, exchanges = small.profile(), small.recorded()
    validator = Validator(profile, target=TARGET)
    composer, operations = composed(
        profile, exchanges, weights=weights, seed=1, validate=validator.validate
    )
    return WholeTurns(composer, [o.id for o in operations], weights, share=1.0)


def test_whole_sequences_have_their_share_of_every_slice_whatever_is_news():
    made = aiming(goals=Goals(coverage=True, sequences=0.3))
    orders = []
    for _ in range(2):
        sequences = made.slice(60, finals_max=60)
        whole = [s for s in sequences if s.cases[-1].intent.refers or s.remembers]
        orders.append(sum(len(s.cases) for s in whole))
        for sequence in sequences:
            for case in sequence.cases:
                made.learn(case, sent(case, answer(500, {"error": "boom"})))
    assert min(orders) > 0


def test_operations_take_turns_and_what_does_not_fit_comes_later():
    made = turns({"mutate": 1})
    first = [s for _, s in made.take(30, finals_max=9)]
    assert len({s.cases[-1].operation_id for s in first}) > 1
    assert sum(len(s.cases) for s in first) <= 30
    longest = max(first, key=lambda s: len(s.cases))
    made = turns({"mutate": 1})
    made.keep("mutate", longest)
    assert list(made.take(len(longest.cases) - 1, finals_max=9)) == []
    assert next(made.take(200, finals_max=60))[1] == longest


def test_a_source_has_as_many_as_its_weight_says_and_all_end():
    made = turns({"mutate": 1, "security": 3})
    drawn = [source for source, _ in made.take(40, finals_max=8)]
    assert drawn.count("security") > drawn.count("mutate") > 0
    everything = sum(1 for _ in made.take(100_000, finals_max=100_000))
    assert everything
    assert list(made.take(100, finals_max=9)) == []
    assert list(turns({"sample": 1}).take(100, finals_max=9)) == []
