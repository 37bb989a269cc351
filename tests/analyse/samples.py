"""A small run with findings, for reports and tables."""

from __future__ import annotations

from typing import Any

from premortem.analyse import finding_of, group
from premortem.checks import Checker
from premortem.domain.places import Place, body_place
from premortem.domain.run import (
    Binding,
    Case,
    Finding,
    Intent,
    Origin,
    Plan,
    Result,
    RunSummary,
    Sent,
    Sequence,
    Verdict,
)
from premortem.domain.scenario import (
    Scenario,
    ScenarioOrigin,
    ScenarioVerdict,
    Step,
    StepResult,
)
from premortem.domain.traffic import (
    Answer,
    Exchange,
    Field,
    Link,
    Numbers,
    Operation,
    OperationProfile,
    Profile,
    Recipe,
    RecipeStep,
    Request,
    Response,
    Tags,
    Timing,
)
from premortem.store import StoredScenario

JSON = (("content-type", "application/json"),)
MAKE, READ, PAY = "POST /invoices", "GET /invoices/{invoice_id}", "POST /invoices/{invoice_id}/pay"


def case(operation_id: str, path: str, **more: Any) -> Case:
    method = operation_id.partition(" ")[0]
    body = more.pop("body", b"")
    query = more.pop("query", ())
    request = Request(
        method=method, origin="", path=path, query=query, headers=JSON if body else (), body=body
    )
    source = more.pop("source", "replay")
    return Case(request=request, operation_id=operation_id, origin=Origin(source=source), **more)


def binding(step: int, recorded: str, *, segment: str = "1") -> Binding:
    place = Place(part="path", name=segment)
    return Binding(step=step, select=body_place("id"), place=place, recorded=recorded)


def sequence() -> Sequence:
    """Made, another one made, read, paid, paid again."""
    return Sequence(
        cases=(
            case(MAKE, "/invoices", body=b'{"amount": 10}', recorded_status=201, role="clerk"),
            case(MAKE, "/invoices", body=b'{"amount": 99}', recorded_status=201, role="clerk"),
            case(READ, "/invoices/inv_1", bindings=(binding(0, "inv_1"),), recorded_status=200),
            case(PAY, "/invoices/inv_1/pay", bindings=(binding(0, "inv_1"),), recorded_status=200),
            case(PAY, "/invoices/inv_1/pay", bindings=(binding(0, "inv_1"),), recorded_status=409),
        )
    )


def result(
    given: Sequence, position: int, status: int, body: bytes = b"{}", *verdicts: Verdict
) -> Result:
    at = given.cases[position]
    response = Response(status=status, headers=(*JSON, ("set-cookie", "s=secret")), body=body)
    sent = Sent(request=at.request, response=response, duration_ms=12.3, intended_at=1.0)
    return Result(
        case=at, sequence_id=given.id, position=position, sent=sent, verdicts=tuple(verdicts)
    )


def verdict(
    check: str = "server_error", signature: str = "500 boom", severity: Any = "high", **more: Any
) -> Verdict:
    values = {"title": "fails with 500: boom", "evidence": "answered 500, saying: boom"}
    return Verdict(check=check, signature=signature, severity=severity, **{**values, **more})


def finding(**changes: Any) -> Finding:
    given = sequence()
    (candidate,) = group(
        [result(given, 4, 500, b'{"error": "boom"}', verdict())], sequences=[given]
    )
    made = finding_of(
        candidate,
        sequence=candidate.sequences[0],
        reproduced=2,
        tries=2,
        curl="curl -sS -i -X POST http://127.0.0.1:8700/invoices/inv_1/pay",
        run_id="r1",
    )
    values = {name: getattr(made, name) for name in made.__struct_fields__}
    return Finding(**{**values, **changes})


def summary(**changes: Any) -> RunSummary:
    values: dict[str, Any] = {
        "id": "abc123def456",
        "plan": Plan(name="nightly"),
        "profile_version": "0123456789ab",
        "started_at": 1_790_000_000.0,
        "duration_s": 12.4,
        "planned": 600,
        "planned_dynamic": 240,
        "answered": 590,
        "faulted": 4,
        "unknown": 2,
        "left": 4,
        "setup": 60,
        "stopped": "interrupted",
        "statuses": {"2xx": 460, "3xx": 6, "4xx": 118, "5xx": 6},
        "by_source": {"replay": 360, "sample": 120, "mutate": 116},
        "by_operation": {MAKE: {"2xx": 300, "4xx": 60}, PAY: {"2xx": 160, "5xx": 6, "none": 6}},
        "recorded_class_matched": 350,
        "recorded_class_total": 356,
        "latency_ms": {"p50": 3.2, "p90": 9.1, "p99": 48.0, "max": 1210.0},
        "lag_ms_p99": 1.4,
    }
    return RunSummary(**{**values, **changes})


def operations() -> tuple[OperationProfile, ...]:
    make = Operation(method="POST", template="/invoices")
    read = Operation(method="GET", template="/invoices/{invoice_id}")
    pay = Operation(method="POST", template="/invoices/{invoice_id}/pay")
    amount = Field(
        place=body_place("amount"),
        seen=300,
        presence=1.0,
        types={"number": 300},
        numbers=Numbers(quantiles=tuple(float(i) for i in range(21)), integral=False, decimals=2),
        distinct=88,
    )
    currency = Field(
        place=body_place("currency"),
        seen=240,
        presence=0.8,
        types={"string": 240},
        values=(('"EUR"', 200), ('"USD"', 40)),
        distinct=2,
        enumeration=True,
    )
    return (
        OperationProfile(
            operation=make,
            count=300,
            summary="Make an invoice",
            in_spec=True,
            declared=(201, 422),
            fields=(amount, currency),
            secured=True,
            answers=(
                Answer(status=201, count=290, media_types=("application/json",)),
                Answer(status=422, count=10),
            ),
            roles={"clerk": {"201": 290, "422": 10}, "guest": {"403": 8}},
            duration_ms=(3.0, 8.0, 11.0, 20.0),
            recipes=(
                Recipe(
                    operation_id=make.id,
                    status=201,
                    steps=(RecipeStep(exchange_id="e1", operation_id=make.id),),
                ),
            ),
            exemplars=("e1",),
        ),
        OperationProfile(operation=read, count=120, answers=(Answer(status=200, count=120),)),
        OperationProfile(operation=pay, count=60, answers=(Answer(status=200, count=60),)),
        OperationProfile(
            operation=Operation(method="DELETE", template="/invoices/{invoice_id}"), count=0
        ),
    )


def profile() -> Profile:
    return Profile(
        version="0123456789ab",
        created_at=0.0,
        exchanges=480,
        sessions=12,
        origins=("http://prod.example",),
        operations=operations(),
        links=(
            Link(
                producer=MAKE,
                select=body_place("id"),
                consumer=READ,
                place=Place(part="path", name="invoice_id"),
                support=118,
                confidence=0.98,
            ),
        ),
        timing=Timing(
            first_at=1_790_000_000.0,
            last_at=1_790_003_600.0,
            rate_per_second=0.13,
            hours=(0, 4) + (0,) * 20 + (9, 2),
        ),
        spec_title="Ledger",
        ambiguous=(("GET /a/{x}", "GET /a/b", "seen twice"),),
    )


def scenario(outcome: Any = "finding") -> StoredScenario:
    given = Step(keyword="Given", text='the actor "Sam" has role "SupportAgent"')
    then = Step(keyword="Then", text="the response status is 409")
    made = Scenario(
        title="A refund is issued twice",
        feature="Refunds",
        steps=(given, then),
        origin=ScenarioOrigin(prompt="What if a refund is issued twice?", expectation="captured"),
        operation_id="POST /payments/{payment_id}/refunds",
    )
    steps = (
        StepResult(step=given, status="passed"),
        StepResult(step=then, status="failed", detail="the response status is 201"),
    )
    verdict = ScenarioVerdict(
        outcome=outcome,
        reason="stable red in 3 runs",
        runs=("red", "red", "red"),
        steps=steps,
        faults_killed=("status 200",),
        faults_survived=("latency",),
    )
    return StoredScenario(scenario=made, verdict=verdict, at=0.0)


def exchange() -> Exchange:
    return Exchange(
        request=Request(
            method="POST",
            origin="http://prod",
            path="/invoices",
            headers=(*JSON, ("authorization", "Bearer rdxabc")),
            body=b'{"amount": 10}',
        ),
        response=Response(status=201, headers=JSON, body=b'{"id": "inv_1"}'),
        started_at=1_790_000_000.0,
        duration_ms=4.0,
        tags=Tags(role="clerk", session="s1"),
    )


def checked(given: Sequence, position: int, status: int, body: bytes) -> Result:
    """A result that the real checks judged."""
    bare = result(given, position, status, body)
    found = Checker(profile()).check(bare.case, bare.sent)
    return result(given, position, status, body, *found)


BROKEN = Intent(kind="adversarial", breaks="body:/amount minimum", expects="refusal", certain=True)
