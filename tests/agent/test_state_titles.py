import pytest

from premortem.agent.planning import state_titles, titles
from premortem.domain.traffic import Operation, OperationProfile


def operation(method, template, summary=""):
    done = Operation(method=method, template=template)
    return OperationProfile(operation=done, count=1, summary=summary)


REFUND = operation("POST", "/payments/{payment_id}/refunds")
CANCEL = operation("POST", "/refunds/{refund_id}/cancel")
DENY = operation("POST", "/refunds/{refund_id}/deny")
PAYMENT = operation("POST", "/payments")
PAYOUT = operation("POST", "/refund-requests/{id}/payout")
FEE = operation("POST", "/invoices/{id}/late-fee")
EDIT = operation("PATCH", "/invoices/{id}")


@pytest.mark.parametrize(
    ("done", "noun"),
    [
        ("approved", "approval"),
        ("locked", "locking"),
        ("half paid", "half payment"),
        ("cancelled", "cancellation"),
        ("shipped", "shipment"),
        ("activated", "activation"),
        ("authorized", "authorization"),
        ("approval", "approval"),
    ],
)
def test_what_was_done_has_a_noun(done, noun):
    assert state_titles.noun_of(done) == noun


@pytest.mark.parametrize(
    ("operation", "done"),
    [
        (CANCEL, "cancelled"),
        (PAYOUT, "paid out"),
        (FEE, "given a late fee"),
        (EDIT, "changed"),
        (REFUND, "created"),
    ],
)
def test_an_operation_says_what_it_makes_of_a_thing(operation, done):
    assert titles.done(operation) == done


@pytest.mark.parametrize(
    ("operation", "prompt", "refused", "title"),
    [
        (DENY, "What if refund is denied twice?", True, "Repeat refund denial handling"),
        (
            PAYMENT,
            "What happens if payment is submitted twice?",
            True,
            "Duplicate payment request is rejected",
        ),
        (
            PAYMENT,
            "What happens if payment is submitted twice?",
            False,
            "Duplicate payment request is handled",
        ),
        (REFUND, "What if a refund is issued twice?", True, ""),
    ],
)
def test_repetitions_are_called_by_what_comes_twice(operation, prompt, refused, title):
    assert state_titles.repeated(operation, prompt, refused=refused) == title


@pytest.mark.parametrize(
    ("operation", "prompt", "said", "title"),
    [
        (
            EDIT,
            "What if amount is changed while approved?",
            {"state": "approved", "field": "amount"},
            "Changing amount after approval",
        ),
        (
            CANCEL,
            "What if CFO tries to cancel a refund after it was approved?",
            {"state": "approved", "role": "CFO"},
            "CFO cannot cancel approved refund",
        ),
        (
            operation("POST", "/invoices/{id}/cancel"),
            "What if the CFO cancels a locked invoice?",
            {"state": "locked", "role": "CFO"},
            "CFO cancels a locked invoice",
        ),
        (
            REFUND,
            "Refund allowed after approval",
            {"state": "approved"},
            "Prevent refund after approval",
        ),
        (CANCEL, "does this work", {"state": ""}, "Refund is cancelled in a state that does not "
         "allow it"),
    ],
)  # fmt: skip
def test_forbidden_transitions_are_called_by_what_was_asked(operation, prompt, said, title):
    assert state_titles.transition(operation, prompt, refused=True, **said) == title


COUPON = operation("POST", "/carts/{id}/coupon", "Redeem a coupon")


@pytest.mark.parametrize(
    ("operation", "title"),
    [
        (COUPON, "Cart is given a coupon"),
        (operation("POST", "/claims/{id}/decision", "Approve or reject"), "Claim is given a "
         "decision"),
        (operation("POST", "/devices/{id}/decommission"), "Device is decommissioned"),
        (operation("POST", "/payments/{id}/refund", "Give a refund"), "Payment is refunded"),
        (operation("GET", "/tickets/{id}/comments"), "Comments are listed"),
        (operation("GET", "/tickets/{id}"), "Ticket is read"),
        (operation("POST", "/sla-policies", "New SLA policy"), "SLA policy is created"),
    ],
)  # fmt: skip
def test_what_is_done_reads_as_people_say_it(operation, title):
    assert titles.happens(operation) == title


def test_whose_it_is_stands_behind_the_thing():
    title = state_titles.others(COUPON, "bob", "alice")
    assert title == "bob gives a cart made by alice a coupon"
    listed = operation("GET", "/tickets/{id}/comments")
    title = state_titles.others(listed, "bob", "alice", above="ticket")
    assert title == "bob lists comments for a ticket made by alice"
    assert titles.by_role(operation("POST", "/sla-policies", "New SLA policy"), "guest") == (
        "Guest creates an SLA policy"
    )


@pytest.mark.parametrize(
    ("field", "says", "title"),
    [
        ("currency", "of ", "Payment with empty currency"),
        ("starts_at", "in the past", "Payment with starts_at in the past"),
        ("dueDate", "in the past", "Payment with due date in the past"),
        ("locale", "unknown", "Payment with unknown locale"),
    ],
)
def test_a_value_is_said_in_words_that_end(field, says, title):
    assert titles.with_value(PAYMENT, field, says) == title


def test_a_long_title_is_cut():
    long = operation("POST", "/" + "very-" * 40 + "things/{id}/cancel")
    assert len(state_titles.stale(long)) <= titles.TITLE_CHARACTERS_MAX
