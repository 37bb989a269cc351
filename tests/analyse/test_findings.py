from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from premortem.analyse import alike, finding_of, fingerprint, group
from premortem.analyse.findings import EXAMPLES_MAX
from premortem.domain.run import Sequence
from tests.analyse.samples import MAKE, PAY, case, checked, finding, result, sequence, verdict

SEQUENCE = sequence()


def test_nothing_failed_nothing_found():
    assert group([result(SEQUENCE, 0, 200)]) == []


def test_results_with_the_same_operation_check_and_signature_are_one():
    results = [
        result(SEQUENCE, 3, 500, b"a", verdict()),
        result(SEQUENCE, 4, 500, b"b", verdict()),
        result(SEQUENCE, 4, 500, b"b", verdict(signature="other")),
        result(SEQUENCE, 0, 500, b"b", verdict()),
        result(SEQUENCE, 0, 500, b"b", verdict("no_answer")),
    ]
    found = group(results, sequences=[SEQUENCE])
    counted = {(c.operation_id, c.check, c.signature): c.count for c in found}
    assert counted == {
        (PAY, "server_error", "500 boom"): 2,
        (PAY, "server_error", "other"): 1,
        (MAKE, "server_error", "500 boom"): 1,
        (MAKE, "no_answer", "500 boom"): 1,
    }
    assert len({c.id for c in found}) == 4


def test_ids_are_eight_hex_digits_and_stay():
    assert fingerprint(PAY, "server_error", "500 boom") == finding().id
    assert len(finding().id) == 8
    assert int(finding().id, 16) >= 0


def test_the_simplest_example_is_kept_with_what_it_needs():
    alone = Sequence(cases=(case(PAY, "/invoices/x/pay"),))
    results = [
        result(SEQUENCE, 4, 500, b"", verdict()),
        result(alone, 0, 500, b"", verdict()),
        result(SEQUENCE, 3, 500, b"", verdict()),
    ]
    for order in itertools.permutations(results):
        (candidate,) = group(order, sequences=[SEQUENCE, alone])
        assert candidate.case == alone.cases[0]
        assert candidate.sequences == (alone,)
        assert candidate.count == 3


def test_the_gravest_verdict_decides_severity_and_example():
    results = [
        result(SEQUENCE, 0, 202, b"", verdict(severity="low")),
        result(SEQUENCE, 1, 202, b"", verdict(severity="medium")),
    ]
    (candidate,) = group(results, sequences=[SEQUENCE])
    assert candidate.severity == "medium"
    assert candidate.verdict.severity == "medium"


def test_candidates_stand_gravest_first_then_most_frequent():
    results = [
        result(SEQUENCE, 0, 500, b"", verdict("b", severity="low")),
        result(SEQUENCE, 0, 500, b"", verdict("a", severity="medium")),
        *[result(SEQUENCE, 0, 500, b"", verdict("c", severity="medium"))] * 3,
        result(SEQUENCE, 0, 500, b"", verdict("d", severity="high")),
    ]
    assert [c.check for c in group(results)] == ["d", "c", "a", "b"]


def test_ignored_ones_are_left_out():
    results = [result(SEQUENCE, 4, 500, b"", verdict())]
    assert group(results, ignored={fingerprint(PAY, "server_error", "500 boom")}) == []


def test_few_examples_are_held_however_many_come():
    many = [result(SEQUENCE, 4, 500, b"x" * i, verdict()) for i in range(50)]
    (candidate,) = group(many)
    assert candidate.count == 50
    assert len(candidate.examples) == EXAMPLES_MAX


def test_a_result_of_no_known_sequence_stands_for_itself():
    (candidate,) = group([result(SEQUENCE, 4, 500, b"", verdict())])
    assert candidate.sequences == (Sequence(cases=(SEQUENCE.cases[4],)),)


def test_a_candidate_becomes_a_finding():
    (candidate,) = group([result(SEQUENCE, 4, 500, b"", verdict())], sequences=[SEQUENCE])
    made = finding_of(candidate, sequence=candidate.sequences[0], reproduced=1, tries=2, run_id="r")
    assert (made.id, made.reproduced, made.reproduction_tries) == (candidate.id, 1, 2)
    assert made.sequence.cases[-1].request == SEQUENCE.cases[4].request
    assert made.sent.response.status == 500


def test_one_signature_in_many_operations_stays_apart_and_is_said():
    findings = [finding(operation_id=o, id=o) for o in ("GET /a", "GET /b")]
    assert alike([*findings, finding(signature="x")]) == {("server_error", "500 boom"): 2}


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=30))
def test_every_verdict_is_counted_once(signatures):
    results = [result(SEQUENCE, 4, 500, b"", verdict(signature=s)) for s in signatures]
    assert sum(c.count for c in group(results)) == len(signatures)
    assert {c.signature for c in group(results)} == set(signatures)


def test_real_verdicts_of_one_defect_with_other_values_are_one_finding():
    bodies = [b'{"error": "no row 17 for inv_9"}', b'{"error": "no row 4711 for inv_10"}']
    results = [checked(SEQUENCE, 4, 500, body) for body in bodies]
    found = [c for c in group(results, sequences=[SEQUENCE]) if c.check == "server_error"]
    assert [c.count for c in found] == [2]
