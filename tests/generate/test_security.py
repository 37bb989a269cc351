"""What the source `security` makes: each kind of test, and that it is harmless."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from premortem.domain.denial import ACCESS
from premortem.domain.injected import INJECTION
from premortem.domain.run import Sequence
from premortem.domain.token_change import FORGERIES
from premortem.domain.traffic import Answer, Operation, OperationProfile
from premortem.generate import Means, SecuritySource, TokenKeys, generate, left_out
from premortem.generate.sample import Sampler
from premortem.generate.starts import Starts
from tests.generate import small

MAKE = "POST /invoices"
LIST = "GET /invoices"
READ = "GET /invoices/{invoice_id}"
PAY = "POST /invoices/{invoice_id}/payments"
LONG = "Bearer " + "rdx" + "a" * 90


def signed(exchange):
    headers = tuple((n, LONG if n == "authorization" else v) for n, v in exchange.request.headers)
    return replace(exchange, request=replace(exchange.request, headers=headers))


def recorded(*, tokens=False):
    return {i: signed(e) if tokens else e for i, e in small.recorded().items()}


def source(profile=None, *, tokens=False, **means):
    known, exchanges = profile or small.profile(), recorded(tokens=tokens)
    starts = Starts(known, exchanges)
    sampler = Sampler(known, exchanges, 1, starts=starts)
    return SecuritySource(known, exchanges, 1, sampler=sampler, starts=starts, means=Means(**means))


def sequences(operation, made=None) -> list[Sequence]:
    return (made or source()).sequences(operation, 500)


def by_operator(operation, made=None):
    found = {}
    for sequence in sequences(operation, made):
        found.setdefault(sequence.cases[-1].origin.operator, []).append(sequence)
    return found


def test_only_the_last_case_is_no_setup_and_all_are_of_this_source():
    for operation in (MAKE, LIST, READ, PAY):
        for sequence in sequences(operation):
            assert [c.setup for c in sequence.cases] == [True] * (len(sequence.cases) - 1) + [False]
            assert sequence.cases[-1].origin.source == "security"
            assert operation in {case.operation_id for case in sequence.cases}


def test_tokens_are_forged_behind_the_true_one_and_none():
    keys = TokenKeys(key="${KEY}", public="/keys")
    found = by_operator(LIST, source(tokens=True, keys=keys))["forged token"]
    names = {s.cases[-1].token.forgery for s in found}
    assert names == {f.name for f in FORGERIES.values() if not f.bound}
    for sequence in found:
        good, without, last = sequence.cases
        assert (good.role, without.role, last.role) == ("clerk", "", "clerk")
        assert (last.intent.if_passed, last.intent.against, last.intent.expects) == (0, 1, "denied")
        assert last.intent.breaks.startswith("auth ")


def test_without_keys_only_what_needs_none_is_forged_and_the_rest_is_said():
    found = by_operator(LIST, source(tokens=True))["forged token"]
    needs = {FORGERIES[s.cases[-1].token.forgery].needs for s in found}
    assert needs == {"nothing", "other"}
    said = left_out(small.profile(), recorded(tokens=True), TokenKeys())
    assert len(said) == 2
    assert "expired" in said[0]
    assert "public key as secret" in said[1]


def test_credentials_too_short_for_a_token_are_not_forged():
    assert "forged token" not in by_operator(LIST)
    assert left_out(small.profile(), recorded(), TokenKeys()) == ()


def test_two_forgeries_of_one_request_are_two_cases():
    found = by_operator(LIST, source(tokens=True))["forged token"]
    assert len({s.cases[-1].id for s in found}) == len(found)


def test_who_may_not_tries_and_what_is_there_is_read_around_it():
    operations = tuple(
        replace(
            o,
            roles={"clerk": {"201": 9}, "guest": {"403": 9}},
            answers=(Answer(status=401, count=1),),
        )
        if o.id == PAY
        else o
        for o in small.operations()
    )
    found = by_operator(PAY, source(small.profile(operations=operations)))["read around a denial"]
    tries = {(s.cases[-2].role, s.cases[-2].intent.breaks) for s in found}
    assert tries == {("", "auth missing"), ("guest", "role guest")}
    for sequence in found:
        before, _, after = sequence.cases[-3:]
        assert before.operation_id == after.operation_id == READ
        assert after.intent.breaks.startswith(ACCESS)
        assert after.intent.expects == "same"


def test_a_reading_is_not_made_a_deletion_by_a_header():
    found = by_operator(READ)["method override"]
    assert {s.cases[-2].request.header("x-http-method-override") for s in found} == {"DELETE"}
    assert {s.cases[-1].intent.expects for s in found} == {"same"}


def test_others_ask_for_what_only_its_maker_is_shown():
    operations = tuple(
        replace(o, roles={"clerk": {"200": 9}, "other": {"200": 9}}) if o.id in (READ, LIST) else o
        for o in small.operations()
    )
    found = by_operator(READ, source(small.profile(operations=operations)))["another's thing"]
    (sequence,) = found
    assert [(c.request.method, c.role) for c in sequence.cases] == [
        ("POST", "clerk"),
        ("GET", "clerk"),
        ("GET", "other"),
        ("GET", "other"),
    ]
    assert sequence.cases[1].operation_id == LIST
    assert sequence.cases[-1].intent.expects == "denied"


def test_members_of_answers_that_matter_are_set():
    field = small.text_field("body:/status", {"draft": 9, "paid": 1})
    plain = small.text_field("body:/colour", {"red": 9, "blue": 1})
    operations = tuple(
        replace(o, answers=(Answer(status=201, count=9, fields=(field, plain)),))
        if o.id == MAKE
        else o
        for o in small.operations()
    )
    found = by_operator(MAKE, source(small.profile(operations=operations)))["member raised"]
    (sequence,) = found
    assert json.loads(sequence.cases[-1].request.body)["status"] == "paid"
    assert "status" not in json.loads(sequence.cases[0].request.body)


def test_stored_texts_are_read_again():
    found = by_operator(READ)["stored injection"]
    for sequence in found:
        assert sequence.cases[0].operation_id == MAKE
        assert sequence.cases[0].intent.breaks.startswith(INJECTION)
        assert sequence.cases[-1].intent.if_passed == 0


def test_every_text_carries_every_payload_but_where_something_is_deleted():
    cases = source().cases(MAKE, 200)
    kinds = {c.intent.breaks.removeprefix(INJECTION).partition(" at ")[0] for c in cases}
    assert {"arithmetic", "quote", "markup", "line break"} <= kinds
    assert all(c.intent.expects == "answer" for c in cases)
    deletion = OperationProfile(
        operation=Operation(method="DELETE", template="/invoices/{invoice_id}"),
        count=1,
        exemplars=("read",),
    )
    profile = small.profile(operations=(*small.operations(), deletion))
    assert source(profile).cases(deletion.id, 50) == []


@pytest.mark.parametrize("attempts", [0, 4])
def test_passwords_are_guessed_only_where_a_limit_is_declared(attempts):
    login = OperationProfile(
        operation=Operation(method="POST", template="/login"),
        count=3,
        exemplars=("login",),
        media_types={"application/json": 3},
    )
    exchanges = {
        **recorded(),
        "login": small.exchange(
            "POST", "/login", 200, body={"user": "ann", "password": "rdxabc"}, role="", at=9
        ),
    }
    known = small.profile(operations=(*small.operations(), login))
    starts = Starts(known, exchanges)
    made = SecuritySource(
        known,
        exchanges,
        1,
        sampler=Sampler(known, exchanges, 1, starts=starts),
        starts=starts,
        means=Means(attempts=attempts),
    )
    found = by_operator("POST /login", made).get("guesses", [])
    assert [len(s.cases) for s in found] == ([attempts + 1] if attempts else [])
    for sequence in found:
        said = {json.loads(c.request.body)["user"] for c in sequence.cases}
        assert said == {"premortem-nobody"}, "no account that anybody has"


def test_what_security_has_no_more_of_other_sources_make():
    made = generate(
        small.profile(),
        recorded(),
        count=400,
        weights={"security": 90, "mutate": 10},
        seed=1,
    )
    sources = [c.origin.source for s in made for c in s.cases if not c.setup]
    assert {"security", "mutate"} <= set(sources)
    assert len(sources) > 200


def documented(template, *, secured=True):
    """The small profile, with its list at TEMPLATE, as a specification has it."""
    operations = tuple(
        replace(
            o,
            operation=replace(o.operation, template=template) if o.id == LIST else o.operation,
            in_spec=True,
            secured=secured,
            count=max(o.count, 1),
        )
        for o in small.operations()
    )
    return small.profile(operations=operations)


def moved(template):
    """What was recorded, the list at TEMPLATE."""
    return {
        i: replace(e, request=replace(e.request, path=template))
        if e.request.method == "GET" and e.request.path == "/invoices"
        else e
        for i, e in recorded().items()
    }


def versions(template="/invoices", *, secured=True, listed=()):
    known, exchanges = documented(template, secured=secured), moved(template)
    starts = Starts(known, exchanges)
    sampler = Sampler(known, exchanges, 1, starts=starts)
    made = SecuritySource(
        known, exchanges, 1, sampler=sampler, starts=starts, means=Means(listed=listed)
    )
    found = by_operator(f"GET {template}", made).get("another version", [])
    return [(s.cases[-1].request.path, s.cases[-1].role) for s in found], found


def test_a_documented_reading_is_tried_under_other_versions_by_who_may_and_by_nobody():
    paths, found = versions()
    assert paths == [
        ("/v1/invoices", "clerk"),
        ("/v1/invoices", ""),
        ("/v2/invoices", "clerk"),
        ("/v2/invoices", ""),
    ]
    for sequence in found:
        there, nowhere, last = sequence.cases
        assert there.request.path == "/invoices"
        assert nowhere.request.path == "/v9871/invoices"
        assert (last.intent.if_passed, last.intent.against) == (0, 1)
        assert {c.request.method for c in sequence.cases} == {"GET"}
    assert {role for _, role in versions(secured=False)[0]} == {"clerk"}


@pytest.mark.parametrize(
    ("template", "tried"),
    [
        ("/v1/invoices", ["/v0/invoices", "/v2/invoices"]),
        ("/api/v3/invoices", ["/api/v2/invoices", "/api/v4/invoices", "/api/v1/invoices"]),
        ("/api/invoices", ["/api/v1/invoices", "/api/v2/invoices"]),
    ],
)
def test_a_version_stands_where_the_document_has_one(template, tried):
    assert [path for path, _ in versions(template, secured=False)[0]] == tried


def test_what_the_document_has_is_not_tried():
    assert [p for p, _ in versions("/v1/invoices", secured=False, listed=("/v1", "/v2/"))[0]] == [
        "/v0/invoices"
    ]
    assert versions("/{tenant}", secured=False)[0] == []


def test_without_a_document_no_version_is_tried():
    operations = tuple(replace(o, in_spec=False) for o in small.operations())
    assert "another version" not in by_operator(LIST, source(small.profile(operations=operations)))
