"""Recorded requests that redaction made invalid can be sent again."""

import json

import msgspec

from premortem.agent.planning.sendable import Sendable
from premortem.domain.traffic import Exchange, Operation, OperationProfile, Request, Response
from tests.agent.small import shop

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "iban": {
            "anyOf": [{"type": "string", "pattern": "^[A-Z]{2}[0-9]{10,20}$"}, {"type": "null"}],
            "examples": ["DE021203000000"],
        },
    },
}
MEMBERS = OperationProfile(
    operation=Operation(method="POST", template="/members"),
    count=0,
    in_spec=True,
    request_schema=json.dumps(SCHEMA),
    request_source="spec",
)
PROFILE = msgspec.structs.replace(shop(), operations=(*shop().operations, MEMBERS))


def sent(body, status=201):
    exchange = Exchange(
        request=Request(
            method="POST",
            origin="http://shop",
            path="/members",
            headers=(("content-type", "application/json"),),
            body=json.dumps(body).encode(),
        ),
        response=Response(status=status),
        started_at=1.0,
        duration_ms=1.0,
    )
    return json.loads(Sendable({"one": exchange}, PROFILE)["one"].request.body)


def test_a_text_that_lost_its_form_gets_one_that_the_schema_allows():
    body = {"name": "Rdxo Rdxuz", "iban": "D1FACC57B4AA"}
    assert sent(body) == {"name": "Rdxo Rdxuz", "iban": "DE021203000000"}


def test_what_is_valid_or_was_refused_stays_as_it_was():
    valid, refused = {"name": "ann", "iban": "DE991203000001"}, {"iban": "nonsense"}
    assert sent(valid) == valid
    assert sent(refused, 422) == refused
