from __future__ import annotations

from premortem.analyse import slice_for
from premortem.analyse.slices import PREFIX_MAX, slices
from premortem.domain.run import Intent, Sequence
from tests.analyse.samples import MAKE, PAY, READ, binding, case, sequence


def paths(given: Sequence) -> list[str]:
    return [f"{c.request.method} {c.request.path}" for c in given.cases]


def test_a_case_that_needs_nothing_stands_alone():
    assert slice_for(sequence(), 0).cases == sequence().cases[:1]
    assert slices(sequence(), 0) == (slice_for(sequence(), 0),)


def test_producers_come_along_and_bindings_point_to_them_anew():
    given = Sequence(
        cases=(
            case(MAKE, "/invoices", body=b"1"),
            case(MAKE, "/invoices", body=b"2"),
            case(READ, "/invoices/inv_2", bindings=(binding(1, "inv_2"),)),
        )
    )
    sliced = slice_for(given, 2)
    assert [c.request.body for c in sliced.cases] == [b"2", b""]
    assert sliced.cases[1].bindings[0].step == 0


def test_what_changed_the_same_thing_before_comes_along_and_reading_it_does_not():
    assert paths(slice_for(sequence(), 4)) == [
        "POST /invoices",
        "POST /invoices/inv_1/pay",
        "POST /invoices/inv_1/pay",
    ]


def test_producers_of_producers_come_along():
    given = Sequence(
        cases=(
            case(MAKE, "/invoices"),
            case(PAY, "/invoices/i1/pay", bindings=(binding(0, "i1"),)),
            case(
                "POST /payments/{id}/refunds", "/payments/p1/refunds", bindings=(binding(1, "p1"),)
            ),
        )
    )
    assert slice_for(given, 2) == given


def test_what_the_producers_depended_on_was_brought_about_too():
    approve = case(
        "POST /invoices/{id}/approve", "/invoices/i1/approve", bindings=(binding(0, "i1"),)
    )
    given = Sequence(
        cases=(
            case(MAKE, "/invoices"),
            approve,
            case(MAKE, "/other"),
            case(PAY, "/invoices/i1/pay", bindings=(binding(0, "i1"),)),
            case(
                "POST /payments/{id}/refunds", "/payments/p1/refunds", bindings=(binding(3, "p1"),)
            ),
        )
    )
    assert paths(slice_for(given, 4))[1] == "POST /invoices/i1/approve"
    assert "POST /other" not in paths(slice_for(given, 4))


def test_an_identifier_in_a_body_counts_and_a_literal_of_the_path_does_not():
    given = Sequence(
        cases=(
            case("POST /notes", "/notes", body=b'{"about": "i1"}'),
            case("POST /notes", "/notes", body=b'{"about": "invoices"}'),
            case(READ, "/invoices/i1"),
        )
    )
    assert [c.request.body for c in slice_for(given, 2).cases] == [b'{"about": "i1"}', b""]


def test_what_production_refused_changed_nothing():
    given = Sequence(
        cases=(
            case(PAY, "/invoices/i1/pay", recorded_status=409),
            case(READ, "/invoices/i1"),
        )
    )
    assert len(slice_for(given, 1).cases) == 1


def test_of_a_generated_sequence_the_setup_comes_along_and_other_finals_do_not():
    broken = Intent(kind="adversarial", breaks="x", expects="refusal")
    given = Sequence(
        cases=(
            case(MAKE, "/invoices", setup=True),
            case("POST /settings", "/settings", setup=True),
            case(PAY, "/invoices/i1/pay", bindings=(binding(0, "i1"),), intent=broken),
            case(PAY, "/invoices/i1/pay", bindings=(binding(0, "i1"),), source="sample"),
        )
    )
    assert paths(slice_for(given, 3)) == [
        "POST /invoices",
        "POST /settings",
        "POST /invoices/i1/pay",
    ]


def test_the_whole_prefix_is_the_fallback_unless_it_is_long():
    least, whole = slices(sequence(), 4)
    assert len(least.cases) == 3
    assert whole == sequence()
    long = Sequence(cases=(case(MAKE, "/invoices"),) * (PREFIX_MAX + 1))
    assert len(slices(long, PREFIX_MAX)) == 1
    assert len(slices(long, PREFIX_MAX - 1)) == 2


def test_what_a_case_expects_something_of_and_what_goes_out_with_it_come_along():
    racing = Sequence(
        cases=(
            case(MAKE, "/invoices", body=b"1"),
            case(READ, "/first"),
            case(READ, "/a", together=1),
            case(READ, "/b", together=1),
            case(READ, "/last", intent=Intent(expects="same", against=1, if_refused=0)),
        )
    )
    sliced = slice_for(racing, 4)
    assert paths(sliced) == ["POST /invoices", "GET /first", "GET /last"]
    assert (sliced.cases[-1].intent.against, sliced.cases[-1].intent.if_refused) == (1, 0)
    assert paths(slice_for(racing, 2)) == ["GET /b", "GET /a"]
    assert paths(slices(racing, 2)[-1]) == ["POST /invoices", "GET /first", "GET /b", "GET /a"]
