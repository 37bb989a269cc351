"""Test methods for what-if questions: names, bodies, and where they go.

`suggest_test_method` says what the method is; `append_test_method` puts it into its class.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from premortem.agent.code.append import append_test_method
from premortem.agent.code.arrangement import Scene, handled_by
from premortem.agent.code.http_methods import (
    HTTP_MODES,
    USINGS,
    HttpScene,
    Route,
    http_body,
    listed_route,
    roles_in,
    route_for,
)
from premortem.agent.code.literals import csharp_text
from premortem.agent.code.names import Word, access_name, habit, unit_name, value_condition
from premortem.agent.code.pytest_functions import (
    NoHandler,
    SuggestedFunction,
    suggest_pytest_function,
)
from premortem.agent.code.question import CodeQuestion, handler_words, read_code_question
from premortem.agent.code.refusals import expected_refusal
from premortem.agent.code.unit_methods import UNIT_MODES, unit_body
from premortem.agent.code.validator_methods import (
    field_of,
    validator_body,
    validator_usings,
)
from premortem.agent.emit.files import Change
from premortem.agent.knowledge.csharp import CsClass, CsCode, CsMethod, CsParameter, bare_type
from premortem.agent.knowledge.fluent_validation import Validator
from premortem.agent.knowledge.openapi_dto import ListedOperation
from premortem.agent.knowledge.rules import Assertion
from premortem.agent.knowledge.values import Condition, mode_of_condition
from premortem.agent.understanding.failure_modes import ANONYMOUS
from premortem.agent.understanding.words import stem, tokens
from premortem.domain.proposal import Dto, TestKind
from premortem.domain.scenario import Understanding
from premortem.errors import InputError

AGENT = "test-generator-agent"
"""Who augmented a test, in its attributes."""
NO_CODE = CsCode(classes=())
_OTHER_FRAMEWORKS = frozenset({"Fact", "Theory", "Test", "TestCase"})
OFFERED_MAX = 8
"""Handlers that an error offers."""


class Provenance(Struct, frozen=True, kw_only=True):
    """What a test method says of where it comes from."""

    trace_id: str = ""
    edition: str = ""


UNTRACED = Provenance()


class SuggestedMethod(Struct, frozen=True, kw_only=True):
    """A test method that is not there yet."""

    name: str
    test_kind: TestKind
    class_name: str
    """The class it belongs into; empty: no handler is known."""
    source: str
    """The whole method with its attributes, from column 0."""
    usings: tuple[str, ...]
    question: CodeQuestion
    expects: str
    """What a correct service does, in words."""
    stated: str = ""
    """Where the code says so; empty: it does not, so the test may show a gap."""
    open_points: tuple[str, ...] = ()
    """What could not be arranged: the test is inconclusive until a person does."""


def suggest_test_method(
    prompt: str,
    handler: str = "",
    dto: Dto | None = None,
    *,
    code: CsCode = NO_CODE,
    dtos: Sequence[Dto] = (),
    roles: Collection[str] = (),
    operations: Sequence[ListedOperation] = (),
    provenance: Provenance = UNTRACED,
    understood: Understanding | None = None,
    broad: bool = False,
) -> SuggestedMethod:
    """The MSTest method that answers PROMPT for HANDLER with its request DTO.

    CODE is the service's and its tests' C#; without it the method is written against what is
    usual. DTOS: those of the code, where DTO is not given. OPERATIONS: of an OpenAPI document, for
    where they listen, if the code's controllers do not tell. BROAD: suggested because it is
    alike, so it names the role only. Raises InputError: the question cannot be read, the handler
    is not there, or the failure mode does not show in one test method.
    """
    known = (*roles, *roles_in(code))
    states = [value for found in code.classes for value in found.values]
    handling = _handler(handler, prompt, code, dtos)
    taken = dto or _request_of(handling, dtos)
    question = read_code_question(
        prompt,
        handler=handling.name if handling is not None else handler,
        dto=taken,
        roles=known,
        states=states,
        understood=understood,
    )
    if question.failure_mode in HTTP_MODES:
        route = route_for(question, code) or listed_route(question, operations)
        return _over_http(question, taken, dtos, code, route, provenance, broad=broad)
    if question.failure_mode not in UNIT_MODES:
        raise InputError(
            f"{question.failure_mode} does not show in one test method; ask for a scenario"
        )
    if handling is None and _handlers(code):
        raise InputError(
            f"no handler fits the question alone; name one: {_offered(_handlers(code))}"
        )
    return _unit(question, handling or _assumed(handler, taken), taken, code, provenance)


def append_suggested(
    source: bytes | None, method: SuggestedMethod, *, path: str, namespace: str = ""
) -> Change:
    """SOURCE, the test file at PATH, with METHOD in its class. Raises InputError."""
    if not method.class_name:
        raise InputError(f"{method.name} belongs to no known handler; name one")
    return append_test_method(
        source,
        method.class_name,
        method.source,
        path=path,
        usings=method.usings,
        namespace=namespace,
        test_kind=method.test_kind,
    )


def _handler(name: str, prompt: str, code: CsCode, dtos: Sequence[Dto]) -> CsClass | None:
    """The handler NAME of CODE; without a name the one that the question's words name best.

    Its own words count more than those of its request's fields; where two fit alike, none is
    meant. Raises InputError when CODE has handlers, but not this one.
    """
    handlers = _handlers(code)
    if name:
        found = code.named(name) or code.named(f"{name}Handler")
        if found is None and handlers:
            raise InputError(f"the code has no handler {name}; it has {_offered(handlers)}")
        return found
    said = {stem(w) for w in tokens(prompt)}
    scored: list[tuple[int, CsClass]] = []
    for handler in handlers:
        words = {stem(w) for w in tokens(" ".join(handler_words(handler.name)))}
        request = _request_of(handler, dtos)
        fields = [f for f in request.fields if _field_said(f.name, said)] if request else []
        score = 10 * (words <= said) + 3 * len(words & said) + 2 * len(fields)
        if score:
            scored.append((score, handler))
    best = max((score for score, _ in scored), default=0)
    fitting = [handler for score, handler in scored if score == best]
    return fitting[0] if len(fitting) == 1 else None


def _field_said(name: str, said: set[str]) -> bool:
    """Whether the words SAID speak of the field NAME: by all of its words, or by its last."""
    words = [stem(w) for w in tokens(name)]
    return bool(words) and words[-1] != "id" and words[-1] in said


def _handlers(code: CsCode) -> list[CsClass]:
    return [c for c in code.classes if c.kind == "class" and c.name.endswith("Handler")]


def _offered(handlers: Sequence[CsClass]) -> str:
    return ", ".join(h.name for h in handlers[:OFFERED_MAX])


def _request_of(handler: CsClass | None, dtos: Sequence[Dto]) -> Dto | None:
    """The object that HANDLER's method takes."""
    if handler is None:
        return None
    taken = {bare_type(p.type) for m in handler.methods if m.public for p in m.parameters}
    return next((d for d in dtos if d.name in taken and d.language == "csharp"), None)


def _assumed(name: str, dto: Dto | None) -> CsClass:
    """A handler as they usually are, where its code is not at hand."""
    request = (CsParameter(name="request", type=dto.name),) if dto is not None else ()
    handle = CsMethod(name="Handle", returns="Task<Result>", parameters=request, public=True)
    return CsClass(name=name or "Handler", kind="class", origin="assumed", methods=(handle,))


def _unit(
    question: CodeQuestion,
    handler: CsClass,
    dto: Dto | None,
    code: CsCode,
    provenance: Provenance,
) -> SuggestedMethod:
    tests = _tests_of(handler, code)
    class_name = f"{handler.name}Tests" if handler.name != "Handler" else ""
    class_name = tests.name if tests is not None else class_name
    if tests is None and handler.origin == "assumed":
        held = CsParameter(name="handler", type=handler.name)
        tests = CsClass(name=class_name, kind="class", origin="assumed", fields=(held,))
    method = handled_by(handler, question.verb)
    scene = Scene(code=code, handler=handler, method=method, dto=dto, tests=tests)
    elsewhere = _refused_before(question, handler, dto, code)
    if elsewhere is not None and dto is not None and question.condition is not None:
        return generate_validator_test(
            question.field,
            question.condition,
            dto,
            code=code,
            validators=(elsewhere,),
            provenance=provenance,
            prompt=question.prompt,
        )
    body = unit_body(question, scene)
    word: Word | None = habit(m.name for m in tests.methods) if tests is not None else None
    name = unit_name(question, subject=method.name.removesuffix("Async"), word=word)
    awaited = method.awaited
    expects = body.expectation.exception or body.expectation.message or "it is refused"
    return SuggestedMethod(
        name=name,
        test_kind="unit",
        class_name=class_name,
        source=method_source(name, body.lines, code, provenance, awaited=awaited),
        usings=_needed(code, handler, dto, tests, awaited=awaited),
        question=question,
        expects=expects,
        stated=body.expectation.source,
        open_points=body.open_points,
    )


def _tests_of(handler: CsClass, code: CsCode) -> CsClass | None:
    """The class that tests HANDLER: by its name, or because it makes one.

    Raises InputError when it is written for another framework than MSTest.
    """
    made = re.compile(rf"\bnew {re.escape(handler.name)}\b")
    named = [code.named(f"{handler.name}{end}") for end in ("Tests", "Test", "Should", "Specs")]
    making = [
        c
        for c in code.classes
        if any(a.name == "TestClass" for a in c.attributes)
        and (
            any(bare_type(f.type) == handler.name for f in c.fields)
            or any(made.search(m.source) for m in c.methods)
        )
    ]
    found = next((c for c in (*named, *making) if c is not None), None)
    marks = {a.name for m in (found.methods if found else ()) for a in m.attributes}
    foreign = sorted(marks & _OTHER_FRAMEWORKS)
    if found is not None and foreign and "TestMethod" not in marks:
        raise InputError(
            f"{found.name} ({found.origin}) marks its tests with [{foreign[0]}]; only MSTest "
            f"methods are written: ask for a scenario, or for a class of MSTest"
        )
    return found


def _refused_before(
    question: CodeQuestion, handler: CsClass, dto: Dto | None, code: CsCode
) -> Validator | None:
    """The validator that refuses QUESTION's value before HANDLER sees it; None: it validates
    itself, or nothing does. A test of such a handler would fail and show nothing."""
    if dto is None or question.condition is None or not question.known_field:
        return None
    source = " ".join([*(m.source for m in handler.methods), *(f.type for f in handler.fields)])
    if "alidat" in source or expected_refusal(question, handler, None).source:
        return None
    wanted = f"AbstractValidator<{dto.name}>"
    for found in code.classes:
        if any(base.split(".")[-1] == wanted for base in found.bases):
            rules = tuple((f.name, rule) for f in dto.fields for rule in f.rules)
            return Validator(name=found.name, dto=dto.name, rules=rules, origin=found.origin)
    return None


def _over_http(
    question: CodeQuestion,
    dto: Dto | None,
    dtos: Sequence[Dto],
    code: CsCode,
    route: Route | None,
    provenance: Provenance,
    *,
    broad: bool,
) -> SuggestedMethod:
    if question.failure_mode == "forbidden_role" and not question.role:
        raise InputError("the question does not say who does it; name a role, or nobody signed in")
    found = route
    guessed: tuple[str, ...] = ()
    if found is None:
        if code.classes:
            said = f"{question.verb} {question.entity}".strip()
            guessed = (f"no controller says where to {said}: the path is a guess",)
        path = "/".join(["/api", *question.entity.split(), question.verb]).rstrip("/")
        found = Route(method="Post", path=path)
    taken = next((d for d in dtos if d.name == bare_type(found.body)), dto)
    tests = next((c for c in code.classes if _tests_over_http(c, found)), None)
    status = 401 if question.role == ANONYMOUS or question.failure_mode == "invalid_token" else 403
    if question.failure_mode == "wrong_type":
        status = 400
        when = value_condition(question.field or question.entity, "WrongType")
        name = f"{found.method}_ShouldReturn400_When{when}"
    elif question.failure_mode == "invalid_token":
        name = f"{found.method}_ShouldReturn401_WhenTokenIsInvalid"
    else:
        name = access_name(question, method=found.method, status=status, broad=broad)
    scene = HttpScene(code=code, route=found, dto=taken, tests=tests)
    lines, open_points = http_body(question, scene, status=status, open_points=guessed)
    thing = "".join(w.capitalize() for w in question.entity.split())
    return SuggestedMethod(
        name=name,
        test_kind="integration",
        class_name=tests.name if tests is not None else f"{thing}ApiTests" if thing else "",
        source=method_source(name, lines, code, provenance, awaited=True),
        usings=(*USINGS, *_own_attributes(code)),
        question=question,
        expects=f"it is answered with {status}",
        stated=f"[Authorize(Roles = {', '.join(found.roles)})]" if found.roles else "",
        open_points=open_points,
    )


def _tests_over_http(found: CsClass, route: Route) -> bool:
    """Whether FOUND is a test class that asks ROUTE's part of the service."""
    part = route.path.rstrip("/").rsplit("/", 1)[0]
    marked = any(a.name == "TestClass" for a in found.attributes)
    return marked and any(f'"{part}' in m.source for m in found.methods)


def method_source(
    name: str, lines: Sequence[str], code: CsCode, provenance: Provenance, *, awaited: bool
) -> str:
    """A whole test method from its statements, with the attributes that tell of its origin."""
    said = [("TraceId", provenance.trace_id), ("Edition", provenance.edition)]
    attributes = ["[TestMethod]"]
    for key, value in [*said, ("AugmentedBy", AGENT)]:
        if value and (not code.classes or code.named(f"{key}Attribute") is not None):
            attributes.append(f"[{key}({csharp_text(value)})]")
        elif value:
            attributes.append(f"[TestProperty({csharp_text(key)}, {csharp_text(value)})]")
    returns = "async Task" if awaited else "void"
    body = [f"    {line}" if line else "" for statement in lines for line in statement.split("\n")]
    return "\n".join([*attributes, f"public {returns} {name}()", "{", *body, "}"])


def _own_attributes(code: CsCode) -> tuple[str, ...]:
    """The namespaces of the code's attributes for provenance."""
    named = (code.named(f"{key}Attribute") for key in ("TraceId", "Edition", "AugmentedBy"))
    return tuple(dict.fromkeys(c.namespace for c in named if c is not None and c.namespace))


def _needed(
    code: CsCode, handler: CsClass, dto: Dto | None, tests: CsClass | None, *, awaited: bool
) -> tuple[str, ...]:
    """The namespaces that a unit test of HANDLER names."""
    known = [handler.namespace]
    declared = code.named(dto.name) if dto is not None else None
    known += [declared.namespace] if declared is not None else []
    if tests is None or tests.origin != "assumed":
        known += [c.namespace for c in _spoken_of(code, handler)]
    needed = [*(["System.Threading.Tasks"] if awaited else []), *known, *_own_attributes(code)]
    return tuple(n for n in dict.fromkeys(needed) if n)


def _spoken_of(code: CsCode, handler: CsClass) -> list[CsClass]:
    """What HANDLER throws and is made of."""
    names = [r.name for r in handler.refusals if r.kind == "exception"]
    names += [bare_type(p.type) for p in handler.constructor]
    return [c for name in names if (c := code.named(name)) is not None]


def generate_validator_test(
    field: str,
    condition: Condition,
    dto: Dto,
    *,
    code: CsCode = NO_CODE,
    validators: Sequence[Validator] = (),
    provenance: Provenance = UNTRACED,
    prompt: str = "",
) -> SuggestedMethod:
    """A test that FIELD of DTO in CONDITION (`Zero`) is refused: by its validator, if one is
    among VALIDATORS, else by its attributes. PROMPT: the question that led to it.

    Raises InputError: DTO has no such field, or its type cannot hold such a value.
    """
    known = field_of(dto, field)
    validator = next((v for v in validators if v.dto == dto.name), None)
    lines, rule = validator_body(dto, known, condition, code, validator)
    name = f"Validate_ShouldReject_When{value_condition(known.name, condition)}"
    spaces = [c.namespace for n in (dto.name, validator.name if validator else "")
              if n and (c := code.named(n)) is not None]  # fmt: skip
    question = CodeQuestion(
        prompt=prompt,
        failure_mode=mode_of_condition(condition),
        entity=" ".join(tokens(dto.name)),
        field=known.name,
        condition=condition,
        known_field=True,
    )
    usings = (*validator_usings(validator), *spaces, *_own_attributes(code))
    return SuggestedMethod(
        name=name,
        test_kind="unit",
        class_name=f"{validator.name if validator is not None else dto.name}Tests",
        source=method_source(name, lines, code, provenance, awaited=False),
        usings=tuple(u for u in dict.fromkeys(usings) if u),
        question=question,
        expects=rule.message if rule is not None and rule.message else "it is refused",
        stated=rule.source if rule is not None else "",
    )


def suggest_python_test(
    prompt: str,
    sources: Mapping[str, bytes],
    handler: str = "",
    *,
    understood: Understanding | None = None,
    trace_id: str = "",
    edition: str = "",
) -> SuggestedFunction:
    """The pytest function that answers PROMPT for HANDLER, wherever in SOURCES it is.

    SOURCES: Python by file name, relative to where imports start: `shop/refunds.py`. TRACE_ID and
    EDITION are told in it. Raises InputError: no handler there takes an object of its module, or
    the question shows in no one function.
    """
    last: InputError | None = None
    for name, source in sources.items():
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        try:
            return suggest_pytest_function(
                prompt,
                source,
                module=module,
                handler=handler,
                understood=understood,
                trace_id=trace_id,
                edition=edition,
            )
        except NoHandler as error:
            last = error
    raise last or InputError("there is no Python to test; name a folder with handlers")


def names_from_assertions(assertions: Sequence[Assertion]) -> tuple[str, ...]:
    """What tests of ASSERTIONS are called where only the object is known, no handler.

    What lies beyond a bound is the handler's to refuse, what is malformed or missing the
    validator's: `Handle_ShouldFail_WhenAmountIsZero`, `Validate_ShouldReject_WhenCurrencyIsEmpty`.
    """
    return tuple(
        f"{'Handle_ShouldFail' if a.failure_mode == 'boundary' else 'Validate_ShouldReject'}"
        f"_When{value_condition(a.field, a.condition)}"
        for a in assertions
    )
