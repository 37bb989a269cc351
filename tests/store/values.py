"""Values of every kind that a store keeps, with data in all places that can hold some."""

from __future__ import annotations

from premortem.domain.places import Place, body_place
from premortem.domain.rejection import Rejection
from premortem.domain.run import (
    Binding,
    Case,
    Fault,
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
    Flow,
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


def a_request(number: int = 0, *, text: str = "data", body: bytes | None = None) -> Request:
    return Request(
        method="POST",
        origin="https://api.example.org:8443",
        path=f"/invoices/{number}/{text}",
        query=(("note", text), ("note", "")),
        headers=(("content-type", "application/json"), ("x-note", text)),
        body=f'{{"note": "{text}", "number": {number}}}'.encode() if body is None else body,
    )


def an_exchange(
    number: int = 0,
    *,
    text: str = "data",
    body: bytes | None = None,
    answer: bytes = b"{}",
    status: int = 201,
    started_at: float | None = None,
    role: str = "Cashier",
) -> Exchange:
    return Exchange(
        request=a_request(number, text=text, body=body),
        response=Response(status=status, headers=(("x-answer", text),), body=answer),
        started_at=1_700_000_000.25 + number if started_at is None else started_at,
        duration_ms=12.5,
        tags=Tags(client=text, session=text, trace_id=text, role=role, edition=text),
    )


def a_case(number: int = 0, *, text: str = "data", body: bytes | None = None, **more) -> Case:
    given = {
        "operation_id": f"POST /invoices/{{id}}/{text}",
        "origin": Origin(source="sample", parents=("0123456789abcdef",), seed=7),
        "intent": Intent(
            kind="adversarial",
            breaks=f"body:/note {text}",
            place=body_place("note"),
            expects="refusal",
            certain=True,
        ),
        "role": "Cashier",
        "bindings": (
            Binding(
                step=0,
                select=body_place("id"),
                place=Place(part="path", name="1"),
                recorded=text,
            ),
        ),
        "recorded_status": 422,
    }
    return Case(request=a_request(number, text=text, body=body), **(given | more))


def a_sequence(number: int = 0, *, text: str = "data", length: int = 3) -> Sequence:
    first = number * 100
    setup = tuple(a_case(first + i, text=text, setup=True) for i in range(length - 1))
    return Sequence(cases=(*setup, a_case(first + length, text=text)))


def a_verdict(text: str = "data") -> Verdict:
    return Verdict(check="server_error", title="answers 500", signature="KeyError", evidence=text)


def a_result(number: int = 0, *, text: str = "data", failed: bool = True, **more) -> Result:
    case = more.pop("case", a_case(number, text=text))
    given = {
        "request": case.request,
        "response": Response(status=500, headers=(("x-answer", text),), body=text.encode()),
        "intended_at": 1_700_000_000.5 + number,
        "lag_ms": 0.25,
        "duration_ms": 3.5,
    }
    return Result(
        case=case,
        sequence_id="fedcba9876543210",
        position=1,
        sent=Sent(**(given | more)),
        verdicts=(a_verdict(text),) if failed else (),
    )


def an_unanswered_result(number: int = 0) -> Result:
    fault = Fault(kind="timeout", detail="no answer in 10 s", sent=True)
    return a_result(number, response=None, fault=fault)


def a_finding(number: int = 0, *, run_id: str = "aaaaaaaaaaaa", text: str = "data") -> Finding:
    result = a_result(number, text=text)
    return Finding(
        id=f"{number:08x}",
        operation_id=result.case.operation_id,
        check="server_error",
        title=text,
        signature=text,
        severity="high",
        count=3,
        sequence=a_sequence(number, text=text),
        verdict=a_verdict(text),
        sent=result.sent,
        reproduced=2,
        reproduction_tries=2,
        curl=f"curl {text}",
        run_id=run_id,
        first_seen_at=1_700_000_000.0,
    )


def a_run(run_id: str = "aaaaaaaaaaaa", *, text: str = "data", **more) -> RunSummary:
    given = {
        "plan": Plan(name=text, operations=(text,)),
        "profile_version": "123456789abc",
        "started_at": 1_700_000_000.0,
        "duration_s": 60.0,
        "planned": 10,
        "planned_dynamic": 4,
        "answered": 7,
        "faulted": 1,
        "unknown": 1,
        "left": 1,
        "setup": 2,
        "stopped": "Ctrl-C",
        "statuses": {"2xx": 7},
        "by_source": {"replay": 6, "sample": 4},
        "latency_ms": {"p50": 1.5, "max": 9.0},
        "findings": ("00000000",),
    }
    return RunSummary(id=run_id, **(given | more))


def a_profile(version: str = "123456789abc", *, text: str = "data", **more) -> Profile:
    place = body_place("note")
    field = Field(
        place=place,
        seen=9,
        presence=0.9,
        types={"string": 9},
        length_max=4,
        numbers=Numbers(quantiles=(0.0, 1.0), integral=False, decimals=2),
        values=((f'"{text}"', 9),),
        distinct=1,
    )
    operation = OperationProfile(
        operation=Operation(method="POST", template=f"/invoices/{{id}}/{text}"),
        count=10,
        fields=(field,),
        answers=(Answer(status=201, count=10, schema='{"type": "object"}', fields=(field,)),),
        roles={"Cashier": {"201": 10}},
        recipes=(
            Recipe(
                operation_id="POST /invoices",
                status=201,
                steps=(RecipeStep(exchange_id="0" * 16, operation_id="POST /invoices"),),
            ),
        ),
    )
    link = Link(
        producer="POST /invoices",
        select=place,
        consumer=operation.id,
        place=Place(part="path", name="id"),
        support=5,
        confidence=0.5,
    )
    given = {
        "created_at": 1_700_000_000.0,
        "exchanges": 10,
        "sessions": 2,
        "origins": ("https://api.example.org",),
        "operations": (operation,),
        "links": (link,),
        "flows": (Flow(exchange_ids=("0" * 16,), started_at=1.0),),
        "timing": Timing(first_at=1.0, last_at=2.0, rate_per_second=10.0, hours=(0,) * 24),
        "ambiguous": (("a", "b", text),),
    }
    return Profile(version=version, **(given | more))


def a_scenario(title: str = "A refund is issued twice", *, text: str = "data") -> Scenario:
    return Scenario(
        title=title,
        feature=text,
        steps=(
            Step(keyword="When", text=f'"Ada" sends "POST" to "/{text}" with:', docstring=text),
            Step(keyword="Then", text="the response status is 409"),
        ),
        origin=ScenarioOrigin(prompt=text, failure_mode="duplicate"),
        tags=("refunds",),
    )


def a_scenario_verdict(text: str = "data") -> ScenarioVerdict:
    step = Step(keyword="Then", text="the response status is 409")
    return ScenarioVerdict(
        outcome="finding",
        reason=text,
        runs=("red", "red"),
        steps=(StepResult(step=step, status="failed", detail=text),),
    )


def a_rejection(number: int = 0, *, text: str = "data") -> Rejection:
    return Rejection(case=a_case(number, text=text), rule="shape", reason=f"body:/note is {text}")
