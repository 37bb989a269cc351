"""Who may do what by C# attributes, FastAPI dependencies and OpenAPI documents."""

import json

import pytest

from premortem.agent.knowledge.access_csharp import access_in_csharp
from premortem.agent.knowledge.access_openapi import access_in_openapi
from premortem.agent.knowledge.access_placing import placed, shape
from premortem.agent.knowledge.access_python import access_in_python
from premortem.agent.knowledge.access_sources import read_access
from premortem.domain.access import NOBODY, AccessRule, merged
from premortem.domain.traffic import Operation, OperationProfile
from premortem.errors import InputError
from tests.shared import ROOT

ROLES = ("Guest", "FinanceManager", "CFO")


def who(rules, operation):
    made = merged(rules, roles=ROLES)
    decided = {role: made.decide(operation, role) for role in (*ROLES, NOBODY)}
    return {role: found.grant for role, found in decided.items() if found}


def allowed(rules, operation):
    return {role for role, grant in who(rules, operation).items() if grant == "allowed"}


CONTROLLER = b"""
namespace A;
public static class Roles
{ public const string Cfo = "CFO"; public const string Fm = "FinanceManager"; }
[ApiController]
[Route("api/[controller]")]
[Authorize]
public class InvoiceController : ControllerBase
{
    [HttpGet("{id:int}")]
    public IActionResult Get(int id) => Ok();

    [HttpPost("approve")]
    [Authorize(Roles = Roles.Cfo + "," + Roles.Fm)]
    public IActionResult Approve() => Ok();

    [HttpPost("{id}/lock")]
    [Authorize(Roles = "CFO,FinanceManager")]
    [Authorize(Roles = "CFO")]
    public IActionResult Lock(int id) => Ok();

    [HttpGet("health")]
    [AllowAnonymous]
    public IActionResult Health() => Ok();

    [HttpDelete("{id}")]
    [Authorize(Policy = "CanDelete")]
    public IActionResult Delete(int id) => Ok();

    [HttpPut("{id}")]
    [Authorize(Policy = "Unknown")]
    public IActionResult Put(int id) => Ok();

    [Authorize(Roles = "CFO")]
    private void NoRoute() { }
}
"""
PROGRAM = b"""
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddAuthorization(options =>
    options.AddPolicy("CanDelete", policy => policy.RequireRole("CFO", "Guest")));
var app = builder.Build();
app.MapPost("/minimal/{id:int}", (int id) => id).RequireAuthorization(p => p.RequireRole("CFO"));
app.MapGet("/open", () => 1).AllowAnonymous();
app.MapGet("/mine", () => 1).RequireAuthorization();
app.MapGet("/unsaid", () => 1);
"""


@pytest.fixture(scope="module")
def csharp():
    return access_in_csharp({"src/InvoiceController.cs": CONTROLLER, "Program.cs": PROGRAM})


def test_attributes_of_class_and_method_hold_together(csharp):
    assert allowed(csharp, "GET /api/Invoice/{id}") == set(ROLES)
    assert allowed(csharp, "POST /api/Invoice/approve") == {"CFO", "FinanceManager"}
    assert allowed(csharp, "POST /api/Invoice/{id}/lock") == {"CFO"}
    assert allowed(csharp, "GET /api/Invoice/health") == {*ROLES, NOBODY}


def test_a_policy_is_what_it_requires_and_an_unknown_one_says_little(csharp):
    assert allowed(csharp, "DELETE /api/Invoice/{id}") == {"CFO", "Guest"}
    assert who(csharp, "PUT /api/Invoice/{id}") == {NOBODY: "denied"}


def test_routes_without_controllers_are_read(csharp):
    assert allowed(csharp, "POST /minimal/{id}") == {"CFO"}
    assert allowed(csharp, "GET /open") == {*ROLES, NOBODY}
    assert allowed(csharp, "GET /mine") == set(ROLES)
    assert who(csharp, "GET /unsaid") == {}


def test_a_rule_of_code_knows_its_place(csharp):
    place = next(r for r in csharp if r.operation_id.endswith("approve"))
    assert (place.place, place.handler) == ("InvoiceController.cs:13", "InvoiceController.Approve")


ROLES_PY = b"""
from enum import StrEnum
class Role(StrEnum):
    CFO = "CFO"
    FINANCE = "FinanceManager"
APPROVERS = (Role.CFO, Role.FINANCE)
def require_role(*roles): ...
class RoleChecker: ...
def current_user(): ...
def only_cfo(user = Depends(require_role(Role.CFO))): ...
"""
ROUTES_PY = b"""
from typing import Annotated
from fastapi import APIRouter, Depends, Security
from app.roles import APPROVERS, Role, RoleChecker, current_user, only_cfo, require_role

router = APIRouter(prefix="/invoices", dependencies=[Depends(current_user)])
Cfo = Annotated[User, Depends(RoleChecker([Role.CFO]))]
checked = RoleChecker(allowed=["Guest"])

@router.get("/{invoice_id}")
def read(invoice_id: str): ...

@router.post("/{invoice_id}/approve", dependencies=[Depends(require_role(*APPROVERS))])
async def approve(invoice_id: str): ...

@router.post("/{invoice_id}/lock")
def lock(invoice_id: str, user: Cfo): ...

@router.post("/{invoice_id}/unlock")
def unlock(invoice_id: str, user=Depends(only_cfo)): ...

@router.post("/{invoice_id}/note", dependencies=[Depends(checked)])
def note(invoice_id: str): ...

@router.get("/scoped")
def scoped(user=Security(current_user, scopes=["invoices:read", "x"])): ...
"""
MAIN_PY = b"""
from fastapi import Depends, FastAPI
from app import invoices
app = FastAPI()
app.include_router(invoices.router, prefix="/api", dependencies=[Depends(require_login)])

@app.get("/health")
def health(): ...

@app.get("/me")
def me(user=Depends(get_optional_user)): ...
"""


@pytest.fixture(scope="module")
def python():
    sources = {"app/roles.py": ROLES_PY, "app/invoices.py": ROUTES_PY, "app/main.py": MAIN_PY}
    return access_in_python(sources)


def test_dependencies_of_route_router_and_inclusion_hold_together(python):
    base = "/api/invoices/{invoice_id}"
    assert who(python, f"GET {base}") == {NOBODY: "denied"}
    assert allowed(python, f"POST {base}/approve") == {"CFO", "FinanceManager"}
    assert who(python, f"POST {base}/approve")["Guest"] == "denied"


def test_dependencies_are_followed_behind_names(python):
    base = "/api/invoices/{invoice_id}"
    assert allowed(python, f"POST {base}/lock") == {"CFO"}
    assert allowed(python, f"POST {base}/unlock") == {"CFO"}
    assert allowed(python, f"POST {base}/note") == {"Guest"}


def test_scopes_are_kept_and_say_no_role(python):
    rule = next(r for r in python if r.operation_id == "GET /api/invoices/scoped")
    assert rule.scopes == ("invoices:read", "x")
    assert who(python, "GET /api/invoices/scoped") == {NOBODY: "denied"}


def test_a_route_that_asks_for_nothing_says_nothing(python):
    assert not {"GET /health", "GET /me"} & {r.operation_id for r in python}


def document(**more):
    paths = {
        "/a": {
            "get": {"operationId": "list_a"},
            "post": {"x-roles": ["CFO"], "x-editions": ["pro"]},
        },
        "/open": {"get": {"security": []}},
        "/maybe": {"get": {"security": [{}, {"oauth": ["a:read"]}]}},
        "/scoped": {"get": {"security": [{"oauth": ["a:read"]}]}},
        "/all": {"get": {"x-roles": "authenticated"}},
    }
    return json.dumps({"openapi": "3.1.0", "paths": paths} | more, indent=1).encode()


def test_security_roles_and_editions_of_a_document():
    rules = access_in_openapi(document(security=[{"bearer": []}]), origin="openapi.json")
    assert who(rules, "GET /a") == {NOBODY: "denied"}
    assert allowed(rules, "POST /a") == {"CFO"}
    assert allowed(rules, "GET /open") == allowed(rules, "GET /maybe") == {*ROLES, NOBODY}
    assert allowed(rules, "GET /all") == set(ROLES)
    scoped = next(r for r in rules if r.operation_id == "GET /scoped")
    assert scoped.scopes == ("a:read",)
    made = merged(rules, roles=ROLES, editions=("lite", "pro"))
    assert made.decide("POST /a", "CFO", "lite").grant == "denied"
    assert {r.line for r in rules} - {0}


def test_a_document_that_says_nothing_of_security_makes_nothing_public():
    rules = access_in_openapi(document(), origin="openapi.json")
    assert who(rules, "GET /a") == {}


def operation(method, template):
    return OperationProfile(operation=Operation(method=method, template=template), count=0)


KNOWN = (
    operation("POST", "/api/v1/invoices/{invoice_id}/approve"),
    operation("POST", "/api/v1/refunds"),
    operation("GET", "/api/v1/refunds"),
    operation("PATCH", "/api/v1/customers/{id}"),
)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"operation_id": "POST /API/v1/invoices/{id}/approve"}, KNOWN[0].id),
        ({"operation_id": "POST /invoices/{x}/approve"}, KNOWN[0].id),
        ({"handler": "ApproveInvoiceHandler"}, KNOWN[0].id),
        ({"handler": "approve_invoice"}, KNOWN[0].id),
        ({"handler": "IssueRefundHandler"}, KNOWN[1].id),
        ({"handler": "UpdateCustomerCommand"}, KNOWN[3].id),
        ({"handler": "CancelRefundHandler"}, ""),
        ({"handler": "ApproveRefund"}, ""),
        ({"operation_id": "GET /elsewhere"}, "GET /elsewhere"),
    ],
    ids=str,
)
def test_rules_are_put_onto_the_operations_that_they_mean(said, found):
    rule = AccessRule(grant="allowed", source="blueprint", **said)
    assert [r.operation_id for r in placed([rule], KNOWN)] == [found]


def test_a_path_without_method_means_all_of_them():
    rule = AccessRule(grant="allowed", source="port", handler="/api/v1/refunds")
    assert {r.operation_id for r in placed([rule], KNOWN)} == {KNOWN[1].id, KNOWN[2].id}


def test_known_handlers_count_first():
    rule = AccessRule(grant="allowed", source="blueprint", handler="CancelRefundHandler")
    handlers = {"cancelRefund": "POST /refunds"}
    assert [r.operation_id for r in placed([rule], KNOWN, handlers)] == ["POST /refunds"]
    assert shape("post", "/A/{x}/") == "POST /a/{}"


def test_the_samples_sources_agree():
    found = read_access(ROOT / "examples" / "payments")
    assert {rule.source for rule in found.rules} == {"blueprint", "openapi", "csharp"}
    assert set(found.sources) == {"blueprint.yaml", "openapi.yaml", "InvoiceController.cs"}
    assert found.editions == ("lite", "enterprise")
    assert not found.skipped


def test_what_cannot_be_read_is_said_and_the_rest_is_read(tmp_path):
    (tmp_path / "AuthorizationMap.yaml").write_text("roles: [a\n")
    (tmp_path / "blueprint.yaml").write_text("handlers: {A: {roles_allowed: [CFO]}}\n")
    (tmp_path / "broken.py").write_text("router = APIRouter(\n")
    found = read_access(tmp_path)
    assert found.sources == ("blueprint.yaml",)
    assert len(found.skipped) == 2
    with pytest.raises(InputError):
        read_access(tmp_path / "nowhere")


COMPOSED = b"""
public static class Roles
{
    public const string Cfo = "CFO"; public const string Fm = "FinanceManager";
    public const string Both = Cfo + "," + Roles.Fm;
    public const string All = $"{Both},{Roles.Guest}"; public const string Guest = "Guest";
    public static readonly string Odd = Load("x");
}
[ApiController]
[Route("x")]
[Authorize(Roles = Roles.All)]
public class XController : ControllerBase
{
    [HttpPost("both"), Authorize(Roles = Roles.Both)]
    public IActionResult Both() => Ok();
    [HttpPost("all")]
    public IActionResult All() => Ok();
    [HttpPost("odd"), Authorize(Roles = Roles.Odd)]
    public IActionResult Odd() => Ok();
    [HttpPost("named"), Authorize(Roles = nameof(Kind.Guest))]
    public IActionResult Named() => Ok();
    // [HttpPost("never"), Authorize(Roles = "Pirate")]
}
"""


def test_constants_that_are_put_together_are_worked_out_and_others_are_no_roles():
    rules = access_in_csharp({"X.cs": COMPOSED})
    may = {}
    for rule in rules:
        if rule.grant == "allowed":
            may.setdefault(rule.operation_id, set()).add(rule.role)
    assert may == {
        "POST /x/both": {"CFO", "FinanceManager"},
        "POST /x/all": {"CFO", "FinanceManager", "Guest"},
        "POST /x/named": {"Guest"},
    }
    odd = [(r.role, r.grant) for r in rules if r.operation_id == "POST /x/odd"]
    assert odd == [(NOBODY, "denied")]
