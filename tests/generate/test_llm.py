from __future__ import annotations

import json
from collections import Counter

import pytest
from msgspec.structs import replace

from premortem.config import TargetConfig
from premortem.domain.rejection import Rejection
from premortem.domain.relations import Correlation
from premortem.generate import LlmMutator, LlmSource, Mutator, PartlyByModel, Sampler, generate
from premortem.generate.llm_batch import REGENERATE_MAX, TRIES_PER_CASE, Batcher
from premortem.generate.llm_free import FreePlaces, merged, projected
from premortem.generate.llm_prompt import EXAMPLES_CHARS_MAX, load_prompt, varied
from premortem.models.budget import Budget
from premortem.models.grammar import grammar_of
from premortem.validate import Validator
from tests.generate import small
from tests.generate.engine import RuledEngine, made

MAKE, PAY = "POST /invoices", "POST /invoices/{invoice_id}/payments"
TARGET = TargetConfig(base_url="http://127.0.0.1:1", disposable=True)


def batcher(engine, **limits):
    return Batcher(engine, Budget(**{"tokens_max": 10**9, "seconds_max": 1e9, **limits}))


def source(engine, *, seed=1, recorded=None, profile=None, **limits):
    profile = profile or small.profile()
    exchanges = small.recorded() if recorded is None else recorded
    made_by = batcher(engine, **limits)
    return LlmSource(
        profile, exchanges, seed, sampler=Sampler(profile, exchanges, seed), batcher=made_by
    ), made_by


def bodies(cases):
    return [json.loads(case.request.body) for case in cases]


def test_cases_are_distinct_valid_and_tell_where_they_come_from():
    llm, _ = source(RuledEngine())
    cases = llm.cases(MAKE, 30)
    assert len({case.id for case in cases}) == 30
    validator = Validator(small.profile(), target=TARGET)
    assert all(validator.validate(case, ()) is None for case in cases)
    origin = cases[0].origin
    assert (origin.source, origin.model) == ("llm", "ruled 1")
    assert origin.prompt == load_prompt("realistic").hash
    assert origin.parents


def test_free_values_are_the_models_and_all_else_is_the_samplers():
    llm, _ = source(RuledEngine())
    for body in bodies(llm.cases(MAKE, 8)):
        assert body.get("note") is None or body["note"].startswith("text ")
        assert all(line["sku"][:4] in ("ABC-", "XYZ-") for line in body.get("lines", []))
    for case in llm.cases(PAY, 6):
        body = json.loads(case.request.body)
        assert body["invoice"] == "inv_71k2m9"
        assert {b.place.name for b in case.bindings} == {"1", "/invoice"}


def test_a_number_of_the_models_stays_within_what_the_state_allowed():
    conflicts = [
        replace(o, declared=(*o.declared, 409)) if o.id == PAY else o for o in small.operations()
    ]
    llm, _ = source(RuledEngine(), profile=replace(small.profile(), operations=tuple(conflicts)))
    amounts = [body["amount"] for body in bodies(llm.cases(PAY, 8))]
    assert amounts
    assert all(0 < amount <= 10.5 for amount in amounts)  # what the recorded payment paid


def test_what_links_bind_is_never_asked_for():
    engine = RuledEngine()
    llm, _ = source(engine)
    llm.cases(PAY, 4)
    assert {tuple(json.loads(ask.schema)["properties"]) for ask in engine.asked} == {("amount",)}
    assert all("inv_71k2m9" not in ask.user for ask in engine.asked)


def test_everything_asked_for_has_a_grammar():
    engine = RuledEngine()
    llm, _ = source(engine)
    llm.cases(MAKE, 30)
    assert len({ask.schema for ask in engine.asked}) > 1
    for ask in engine.asked:
        assert grammar_of(ask.schema).startswith("root ::= ")


def test_the_same_seed_asks_the_same_and_another_one_otherwise():
    asked = []
    for seed in (3, 3, 4):
        engine = RuledEngine()
        llm, _ = source(engine, seed=seed)
        llm.cases(MAKE, 8)
        asked.append(engine.asked)
    assert asked[0] == asked[1]
    assert asked[0] != asked[2]


def test_operations_without_anything_to_make_up_are_left_to_others():
    engine = RuledEngine()
    llm, _ = source(engine)
    assert llm.cases("GET /health", 5) == llm.cases("GET /nowhere", 5) == []
    assert not llm.can("GET /invoices")
    assert engine.asked == []


def test_redacted_values_reach_no_prompt():
    recorded = small.recorded()
    token = "rdx4k7w9q"
    body = {**small.MADE, "customer": token}
    for name in ("make", "again"):
        request = replace(recorded[name].request, body=json.dumps(body).encode())
        recorded[name] = replace(recorded[name], request=request)
    engine = RuledEngine()
    llm, _ = source(engine, recorded=recorded)
    llm.cases(MAKE, 4)
    assert engine.asked
    assert all(token not in ask.user for ask in engine.asked)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (lambda schema, n: "no json {", "malformed"),
        (lambda schema, n: {"something": "else"}, "invalid"),
        (lambda schema, n: None, "failed"),
        (lambda schema, n: made(schema, 0), "repeated"),
    ],
)
def test_unusable_answers_are_counted_and_asked_anew_so_often(rule, why):
    engine = RuledEngine(rule)
    llm, made_by = source(engine)
    # The payment's question leaves one value free, so equal answers are equal requests.
    cases = llm.cases(PAY, 8)
    tally = made_by.tally
    assert getattr(tally, why) >= tally.answers - len(cases) > 0
    assert tally.answers <= TRIES_PER_CASE * 8 + engine.batch
    assert len(cases) <= 1


def test_an_answer_that_was_cut_off_is_none():
    llm, made_by = source(RuledEngine(complete=False))
    assert llm.cases(PAY, 2) == []
    assert made_by.tally.cut_off == made_by.tally.answers


def test_an_example_given_back_is_no_case():
    llm, made_by = source(RuledEngine(lambda schema, n: {"amount": 10.5}))
    assert llm.cases(PAY, 2) == []
    assert made_by.tally.copied == made_by.tally.answers


def test_when_nothing_usable_comes_it_is_asked_more_freely():
    engine = RuledEngine(lambda schema, n: "x")
    llm, _ = source(engine)
    llm.cases(PAY, 8)
    heat = [ask.temperature for ask in engine.asked]
    assert heat == sorted(heat)
    assert heat[0] < heat[-1] < 1.5


def test_a_spent_budget_ends_it_and_is_named():
    llm, made_by = source(RuledEngine(), tokens_max=60)
    assert 0 < len(llm.cases(MAKE, 100)) < 100
    assert made_by.spent == "tokens_max = 60"
    assert llm.cases(MAKE, 5) == []


def test_it_is_one_source_among_the_others():
    llm, _ = source(RuledEngine())
    sequences = list(
        generate(
            small.profile(),
            small.recorded(),
            count=100,
            weights={"sample": 60, "llm": 40},
            sources={"llm": llm},
        )
    )
    counted = Counter(c.origin.source for s in sequences for c in s.cases if not c.setup)
    assert counted["llm"] == 40
    assert counted["sample"] + counted["replay"] == 60


def test_what_is_free_and_what_is_not():
    operation = next(o for o in small.operations() if o.id == MAKE)
    places = FreePlaces(operation, None, fixed=frozenset({("customer",)}))
    ask = places.ask({"customer": "ann", "amount": 5.5, "owner_id": 7, "currency": "EUR"})
    assert ask is not None
    assert list(ask["properties"]) == ["amount", "currency"]
    assert ask["properties"]["currency"] == {"enum": ["EUR", "USD"]}
    assert places.ask({"currency": "EUR"}) is None


def test_answers_go_where_they_belong_and_nowhere_else():
    base = {"a": 1, "b": [{"c": 1, "id": 9}, {"c": 2, "id": 8}], "d": "kept"}
    assert merged(base, {"a": 5, "b": [{"c": 7}], "x": 1}) == {
        "a": 5,
        "b": [{"c": 7, "id": 9}, {"c": 2, "id": 8}],
        "d": "kept",
    }
    ask = {"type": "object", "properties": {"a": {"type": "boolean"}}}
    assert projected({"a": True, "b": 2}, ask) == {"a": True}
    assert projected({"b": 2}, ask) is None


def test_examples_differ_and_are_bounded():
    values = [{"a": i % 2, "b": i} for i in range(50)]
    assert len(varied(values)) == 4
    assert varied([{"a": "x" * EXAMPLES_CHARS_MAX}]) == []


# Mutations


def mutator(engine, profile=None, **limits):
    profile = profile or small.profile()
    made_by = batcher(engine, **limits)
    sampler = Sampler(profile, small.recorded(), 1)
    return LlmMutator(profile, 1, sampler=sampler, batcher=made_by), made_by


def changing(**wanted):
    """Changes the field that is named, to the value that is given, where that is offered."""

    def rule(schema, number):
        for way in schema["properties"]["change"]["anyOf"]:
            if way["properties"]["field"]["const"] == wanted["field"]:
                value = wanted["value"]
                value = value.format(number) if isinstance(value, str) else value
                return {"change": {"field": wanted["field"], "value": value}}
        return {}

    return rule


def test_a_mutant_differs_from_its_parent_in_one_value_and_names_operator_and_constraint():
    llm, _ = mutator(RuledEngine(changing(field="/amount", value=-1)))
    (case,) = llm.cases(PAY, 1)
    assert json.loads(case.request.body) == {"amount": -1, "invoice": "inv_71k2m9"}
    assert case.intent.breaks == "body:/amount exclusiveMinimum"
    assert (case.intent.certain, case.intent.expects) == (True, "refusal")
    assert (case.origin.source, case.origin.operator) == ("mutate", "boundary")
    assert case.origin.prompt == load_prompt("mutate").hash
    assert Validator(small.profile(), target=TARGET).validate(case, ()) is None


def test_what_breaks_nothing_declared_is_not_certain():
    llm, _ = mutator(RuledEngine(changing(field="/customer", value="x' OR {0}={0} --")))
    cases = llm.cases(MAKE, 12)
    assert {case.origin.operator for case in cases} == {"wrong meaning", "injection"}
    assert {case.intent.certain for case in cases} == {False}
    assert {case.intent.expects for case in cases} == {"answer"}


def test_a_change_that_is_not_the_operators_is_no_case():
    llm, made_by = mutator(RuledEngine(changing(field="/amount", value=42)))
    assert [c.origin.operator for c in llm.cases(PAY, 2)] == []
    assert made_by.tally.invalid == made_by.tally.answers


def test_a_swap_changes_two_values_for_each_other():
    def rule(schema, number):
        way = schema["properties"]["change"]["anyOf"][0]["properties"]
        return {"change": {k: v["const"] for k, v in way.items() if "const" in v}}

    llm, _ = mutator(RuledEngine(rule))
    swapped = [c for c in llm.cases(MAKE, 12) if c.origin.operator == "swap"]
    assert swapped
    for case in swapped:
        assert json.loads(case.request.body)["customer"] not in ("ann", "bob", "cy 9")


def test_a_contradiction_is_a_pair_that_production_never_sent():
    pair = Correlation(
        first=small.body_place("customer"),
        second=small.body_place("currency"),
        strength=1.0,
        kind="set",
        support=50,
        pairs=(('"ann"', '"EUR"', 30), ('"bob"', '"USD"', 20)),
    )
    operations = tuple(
        replace(o, correlations=(pair,)) if o.id == MAKE else o for o in small.operations()
    )
    profile = small.profile(operations=operations)
    llm, _ = mutator(RuledEngine(changing(field="/currency", value="USD")), profile)
    found = [c for c in llm.cases(MAKE, 12) if c.origin.operator == "contradiction"]
    assert all(json.loads(c.request.body)["currency"] == "USD" for c in found)
    assert all(json.loads(c.request.body)["customer"] != "bob" for c in found)


def test_rules_make_what_the_model_does_not():
    profile = small.profile()
    sampler = Sampler(profile, small.recorded(), 1)
    llm, _ = mutator(RuledEngine(changing(field="/amount", value=-1)))
    mixed = PartlyByModel(Mutator(profile, small.recorded(), 1, sampler=sampler), llm, share=0.5)
    cases = mixed.cases(PAY, 20)
    by_model = [case for case in cases if case.origin.model]
    assert len(cases) == 20
    assert 0 < len(by_model) < 10


# What is rejected


def test_a_rejected_answer_is_asked_for_again_with_the_reason_in_the_prompt():
    def rule(schema, number):
        return {"amount": "much"} if number < 2 else made(schema, number)

    engine = RuledEngine(rule)
    llm, made_by = source(engine)
    assert len(llm.cases(PAY, 2)) == 2
    first, again = engine.asked
    assert "not accepted" not in first.user
    assert '"much" is not of type' in again.user
    assert again.user.splitlines()[-1] == first.user.splitlines()[-1]
    assert again.seed != first.seed
    assert (made_by.tally.regenerated, made_by.tally.mended) == (2, 2)
    assert made_by.taken() == ()


@pytest.mark.parametrize(
    ("engine", "rule"),
    [
        (RuledEngine(lambda schema, n: "no json {"), "syntax"),
        (RuledEngine(lambda schema, n: {"something": "else"}), "shape"),
        (RuledEngine(lambda schema, n: {"amount": 10.5}), "copied"),
        (RuledEngine(complete=False), "runaway"),
    ],
)
def test_what_is_rejected_every_time_is_told_with_prompt_answer_and_rule(engine, rule):
    llm, made_by = source(engine)
    assert llm.cases(PAY, 1) == []
    assert len(engine.asked) >= 1 + REGENERATE_MAX
    rejection = made_by.taken()[0]
    assert rejection.rule == rule
    assert rejection.reason in rejection.prompt
    assert rejection.output
    assert rejection.case.operation_id == PAY
    assert rejection.case.origin.model == "ruled 1"
    assert made_by.taken() == ()


def test_what_must_not_be_sent_is_told_to_the_model():
    def never(case):
        return Rejection(case=case, rule="redaction", reason="a token stands in the body")

    engine = RuledEngine()
    exchanges = small.recorded()
    made_by = batcher(engine)
    sampler = Sampler(small.profile(), exchanges, 1)
    llm = LlmSource(small.profile(), exchanges, 1, sampler=sampler, batcher=made_by, validate=never)
    assert llm.cases(PAY, 1) == []
    assert "a token stands in the body" in engine.asked[1].user
    assert made_by.taken()[0].rule == "redaction"


def test_a_mutation_that_is_none_is_told_with_its_operator():
    llm, made_by = mutator(RuledEngine(changing(field="/amount", value=10.5)))
    assert llm.cases(PAY, 1) == []
    rejection = made_by.taken()[0]
    assert (rejection.rule, rejection.case.origin.source) == ("operator", "mutate")
    assert rejection.case.origin.operator in rejection.reason


def test_what_a_starved_model_could_not_make_is_drawn_by_sample_and_counted():
    llm, _ = source(RuledEngine(), tokens_max=60)
    fell_back = []
    sequences = generate(
        small.profile(),
        small.recorded(),
        count=60,
        weights={"mutate": 20, "llm": 40},
        sources={"llm": llm},
        fell_back=fell_back.append,
    )
    counted = Counter(c.origin.source for s in sequences for c in s.cases if not c.setup)
    assert 0 < counted["llm"] < 20
    assert counted["sample"] >= sum(fell_back) > 10
    assert sum(counted.values()) == 60


def test_other_sources_that_have_no_more_are_not_replaced():
    fell_back = []
    sequences = generate(
        small.profile(),
        small.recorded(),
        count=20_000,
        weights={"mutate": 1},
        operations=(PAY,),
        fell_back=fell_back.append,
    )
    counted = Counter(c.origin.source for s in sequences for c in s.cases if not c.setup)
    assert "sample" not in counted
    assert fell_back == []
