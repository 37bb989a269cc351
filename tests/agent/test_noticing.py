"""What the ordinary checks say of a scenario's answers."""

import pytest

from premortem.agent.verdicts.noticing import noticing
from premortem.config import Config
from premortem.domain.run import Case, Origin, Sent
from premortem.domain.traffic import Request
from tests.agent.small import answer, shop


def said(method, path, status, body=None):
    request = Request(method=method, origin="", path=path, headers=(), body=b"")
    case = Case(
        request=request,
        operation_id=f"{method} {path}",
        origin=Origin(source="scenario"),
        role="Buyer",
    )
    sent = Sent(request=request, response=answer(status, body))
    return list(noticing(shop(), Config())(case, sent))


def test_a_crash_is_noticed_of_the_operation_that_the_path_means():
    (found,) = said("POST", "/orders/ord-1/ship", 500, {"error": "division by zero"})
    assert found.startswith("POST /orders/{order_id}/ship fails with 500")


def test_a_success_that_nobody_declared_is_noticed():
    (found,) = said("POST", "/orders", 202, {"id": "ord-1", "state": "open"})
    assert "answers 202, which the specification does not declare" in found


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/orders", 201), ("POST", "/orders", 422), ("POST", "/orders", 409),
     ("GET", "/elsewhere", 500)],
)  # fmt: skip
def test_what_is_promised_slight_or_unknown_is_not_noticed(method, path, status):
    assert said(method, path, status, {"id": "x"}) == []
