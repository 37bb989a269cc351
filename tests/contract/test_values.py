from __future__ import annotations

import msgspec
import pytest

from premortem.domain.proposal import Judgement
from premortem.domain.rejection import Rejection
from premortem.domain.run import Ignored, Sequence, Turn
from premortem.errors import InputError, NothingLearned
from premortem.store.cases import REJECTIONS_KEPT_MAX
from tests.store.values import (
    a_case,
    a_finding,
    a_profile,
    a_rejection,
    a_request,
    a_result,
    a_run,
    a_scenario,
    a_scenario_verdict,
    a_sequence,
    an_unanswered_result,
)


def test_a_profile_comes_back_and_the_one_saved_last_is_the_latest(store):
    first, second = a_profile("aaaaaaaaaaaa"), a_profile("bbbbbbbbbbbb", created_at=5.0)
    store.save_profile(first)
    store.save_profile(second)
    assert store.profile() == second
    assert store.profile("aaaa") == first
    assert store.profiles() == [("bbbbbbbbbbbb", 5.0, 10), ("aaaaaaaaaaaa", 1_700_000_000.0, 10)]
    store.save_profile(first)
    assert store.profile() == first
    assert len(store.profiles()) == 2


def test_without_a_profile_one_is_told_to_learn(store):
    with pytest.raises(NothingLearned, match="premortem learn"):
        store.profile()
    with pytest.raises(NothingLearned, match="premortem run"):
        store.run()


def test_an_unknown_version_is_no_missing_profile(store):
    store.save_profile(a_profile())
    with pytest.raises(InputError, match="no profile 'nope'"):
        store.profile("nope")


def test_a_large_profile_comes_back(store):
    operations = a_profile().operations * 5000
    profile = a_profile(operations=operations)
    store.save_profile(profile)
    assert store.profile() == profile


def test_a_whole_id_is_found_although_others_start_with_it(store):
    for version in ("aaaa", "aaaab", "aaaac", "aaaad"):
        store.save_profile(a_profile(version))
    assert store.profile("aaaa").version == "aaaa"
    with pytest.raises(InputError, match="more than one profile"):
        store.profile("aaa")


def test_cases_are_listed_newest_first_and_without_their_setup(store):
    first, second = a_sequence(1), a_sequence(2)
    assert store.save_sequences("one", [first, second]) == 2
    assert store.cases() == [second.cases[-1], first.cases[-1]]
    assert store.cases(limit=1) == [second.cases[-1]]
    assert len(store.cases(setup=True)) == 6


def test_cases_are_filtered_by_operation_source_and_batch(store):
    store.save_sequences("one", [a_sequence(1)])
    store.save_sequences("two", [a_sequence(2, text="other")])
    assert len(store.cases(operation="POST /invoices/{id}/other")) == 1
    assert store.cases(operation="POST /invoices/{id}") == []
    assert len(store.cases(source="sample")) == 2
    assert store.cases(source="mutate") == []
    assert len(store.cases(batch_id="two")) == 1


def test_saving_a_batch_again_adds_nothing_and_another_batch_may_hold_the_same(store):
    sequence = a_sequence(1)
    assert store.save_sequences("one", [sequence, sequence]) == 1
    assert store.save_sequences("one", iter([sequence, a_sequence(2)])) == 1
    assert store.save_sequences("two", [sequence]) == 1
    assert store.stats().cases == 9


def test_a_case_is_shown_with_what_comes_before_it(store):
    sequence = a_sequence(1, length=4)
    store.save_sequences("one", [sequence])
    assert store.case(sequence.cases[-1].id) == sequence
    assert store.case(sequence.cases[1].id[:10]) == sequence.upto(1)
    with pytest.raises(InputError, match="no case 'zzz'"):
        store.case("zzz")


def test_a_case_that_is_setup_elsewhere_is_shown_where_it_is_the_aim(store):
    step = a_case(1, setup=True)
    aim = msgspec.structs.replace(step, setup=False)
    store.save_sequences("one", [Sequence(cases=(a_case(2), aim))])
    store.save_sequences("two", [Sequence(cases=(step, a_case(3)))])
    assert store.case(aim.id) == Sequence(cases=(a_case(2), aim))


def test_a_case_with_a_large_body_comes_back_and_the_body_is_stored_once(store):
    body = bytes(range(256)) * 4000
    sequences = [Sequence(cases=(a_case(n, body=body),)) for n in range(5)]
    store.save_sequences("one", sequences)
    store.save_results("run", [a_result(case=s.cases[0]) for s in sequences])
    assert sorted(c.id for c in store.cases()) == sorted(s.cases[0].id for s in sequences)
    assert {c.request.body for c in store.cases()} == {body}
    assert {r.sent.request.body for r in store.results("run")} == {body}
    assert store.stats().bodies == 1


def test_rejections_come_back_newest_first(store):
    given = [a_rejection(n) for n in range(3)]
    store.save_rejections(given)
    assert store.rejections() == given[::-1]
    assert store.rejections(limit=1) == [given[2]]


def test_what_a_model_was_asked_and_answered_comes_back_with_its_rejection(store):
    told = {
        "rule": "syntax",
        "reason": "it is no JSON",
        "prompt": "Write\none.",
        "output": "{\0 \0",
    }
    given = Rejection(case=a_case(), **told)
    store.save_rejections([given])
    assert store.rejections() == [given]


def test_the_oldest_rejections_make_room(store):
    case = a_case()
    given = (
        Rejection(case=case, rule="duplicate", reason=str(n))
        for n in range(REJECTIONS_KEPT_MAX + 1500)
    )
    store.save_rejections(given)
    kept = store.rejections(limit=REJECTIONS_KEPT_MAX * 2)
    assert len(kept) == REJECTIONS_KEPT_MAX
    assert kept[0].reason == str(REJECTIONS_KEPT_MAX + 1499)


def test_a_run_and_its_results_come_back(store):
    run = a_run()
    asked = a_request(5, text="bound to a live id", body=b"large" * 2000)
    results = [
        a_result(1),
        a_result(2, failed=False),
        a_result(3, request=asked),
        an_unanswered_result(4),
        a_result(5, text="x" * 10_000),
    ]
    assert store.save_results(run.id, results[:2]) == 2
    assert store.save_results(run.id, iter(results[2:])) == 3
    store.save_run(run)
    assert store.run() == store.run(run.id) == run
    assert store.results() == store.results(run.id) == results
    assert store.results(run.id, limit=2) == results[:2]
    assert store.results(run.id, failed=False) == [results[1]]
    assert len(store.results(run.id, failed=True)) == 4
    assert store.results("another") == []


def test_more_results_than_a_page_come_back_in_order(store):
    results = [a_result(n % 7, failed=n % 2 == 0) for n in range(1203)]
    store.save_results("run", results)
    assert store.results("run") == results
    assert store.results("run", failed=True) == results[::2]


def test_runs_are_listed_newest_first_and_a_later_word_replaces_an_earlier(store):
    first, second = a_run("aaaaaaaaaaaa"), a_run("bbbbbbbbbbbb")
    store.save_run(first)
    store.save_run(second)
    assert store.runs() == [second, first]
    said = a_run("bbbbbbbbbbbb", stopped="")
    store.save_run(said)
    assert store.runs() == [said, first]


def test_findings_of_a_run_and_the_newest_of_each(store):
    run_one = [a_finding(1), a_finding(2)]
    run_two = [a_finding(2, run_id="bbbbbbbbbbbb", text="again")]
    store.save_findings(run_one)
    store.save_findings(run_two)
    store.save_run(a_run("bbbbbbbbbbbb"))
    assert store.findings("aaaaaaaaaaaa") == run_one
    assert store.findings("latest") == run_two
    assert store.findings() == [run_two[0], run_one[0]]
    assert store.finding(run_two[0].id) == run_two[0]
    assert store.finding("00000001") == run_one[0]
    with pytest.raises(InputError, match="no finding 'ffff'"):
        store.finding("ffff")
    with pytest.raises(InputError, match="more than one finding"):
        store.finding("0000")


def test_a_finding_seen_before_keeps_the_time_it_was_first_seen(store):
    store.save_findings([a_finding(1)])
    later = msgspec.structs.replace(a_finding(1, run_id="b"), first_seen_at=1_800_000_000.0)
    store.save_findings([later])
    assert store.finding("00000001").run_id == "b"
    assert store.finding("00000001").first_seen_at == 1_700_000_000.0


def test_a_finding_that_was_fixed_came_back_when_a_run_finds_it_again(store):
    store.save_findings([a_finding(1)])
    assert store.finding("00000001").state == "open"
    store.turn_finding("00000001", Turn(state="fixed", at=5.0))
    assert store.finding("00000001").state == "fixed"
    store.save_findings([a_finding(1, run_id="b")])
    assert [turn.state for turn in store.finding("00000001").history] == ["fixed", "back"]
    assert store.finding("00000001").history[-1].run_id == "b"
    store.save_findings([a_finding(1, run_id="c")])
    assert len(store.finding("00000001").history) == 2


def test_saving_the_findings_of_a_run_again_replaces_them(store):
    store.save_findings([a_finding(1)])
    store.save_findings([a_finding(1, text="minimised")])
    assert store.findings("aaaaaaaaaaaa") == [a_finding(1, text="minimised")]


def test_a_finding_is_ignored_until_the_word_is_taken_back(store):
    word = Ignored(finding_id="00000001", reason="known", until="2026-12-01", at=3.0)
    store.ignore(Ignored(finding_id="00000001", reason="first"))
    store.ignore(word)
    assert store.ignored() == {"00000001": word}
    assert store.unignore("00000001")
    assert not store.unignore("00000001")
    assert store.ignored() == {}


def test_a_scenario_keeps_its_latest_verdict(store):
    scenario, other = a_scenario(), a_scenario("Another")
    store.save_scenario(scenario, a_scenario_verdict("first"), 1.0)
    store.save_scenario(other, a_scenario_verdict(), 2.0)
    store.save_scenario(scenario, a_scenario_verdict("second"), 3.0)
    kept = store.scenarios()
    assert [(s.scenario, s.verdict.reason, s.at) for s in kept] == [
        (scenario, "second", 3.0),
        (other, "data", 2.0),
    ]


def test_judgements_are_a_log_in_the_order_they_came(store):
    words = [
        Judgement(scenario_id=name, decision="not_relevant", reason=f"{name} {n}", at=float(-n))
        for n, name in enumerate("aab")
    ]
    store.judgements.add(words[:2])
    store.judgements.add(words[2:])
    assert store.judgements.log() == words
    assert store.judgements.log(scenario_id="a") == words[:2]
    assert store.judgements.log(limit=2) == words[1:]


def test_of_judgements_that_come_together_all_are_kept_or_none(store):
    def cut_off():
        yield Judgement(scenario_id="a", decision="accepted")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.judgements.add(cut_off())
    assert store.judgements.log() == []


def test_stats_count_what_is_there(store):
    store.save_sequences("one", [a_sequence(1)])
    store.save_run(a_run())
    store.save_findings([a_finding(1)])
    stats = store.stats()
    assert (stats.cases, stats.runs, stats.findings, stats.exchanges) == (3, 1, 1, 0)
    assert stats.bytes > 0
    assert stats.path == str(store.path)
    assert "key" in stats.key_source
