"""What each kind of source says of its fields."""

import json

import pytest

from premortem.agent.knowledge.csharp import dtos_in_csharp, read_csharp
from premortem.agent.knowledge.ddl import dtos_in_ddl
from premortem.agent.knowledge.fluent_validation import read_validators, with_validators
from premortem.agent.knowledge.openapi_dto import dtos_in_json_schema, dtos_in_openapi
from premortem.agent.knowledge.python_source import dtos_in_python
from premortem.agent.knowledge.reading import read_code
from premortem.errors import InputError
from tests.shared import ROOT


def csharp(text):
    sources = {"A.cs": text.encode()}
    dtos = with_validators(dtos_in_csharp(read_csharp(sources)), read_validators(sources))
    return {dto.name: dto for dto in dtos}


def rules(field):
    return [(r.kind, r.value, r.message) for r in field.rules]


def test_attributes_of_csharp_are_rules_with_place_and_message():
    dto = csharp("""
namespace Shop;
public enum Kind { Gift, Sale }
public static class Limits { public const int Most = 40; }
public record Order(
    [property: Required] string Id,
    [Range(1, Limits.Most, ErrorMessage = "1 to 40")] int Pieces,
    Kind? Kind = null)
{
    [StringLength(10, MinimumLength = 2), RegularExpression(@"^\\d+$")]
    public required string Code { get; init; }
    [EmailAddress] public string? Mail { get; set; }
    public decimal? Rest { get; set; }
    public List<string> Tags { get; set; } = new();
    public string Shown => Code;
}
""")["Order"]
    assert [f.name for f in dto.fields] == [
        "Id", "Pieces", "Kind", "Code", "Mail", "Rest", "Tags",
    ]  # fmt: skip
    assert rules(dto.field("Id")) == [("required", "", "")]
    assert rules(dto.field("pieces")) == [("minimum", "1", "1 to 40"), ("maximum", "40", "1 to 40")]
    assert rules(dto.field("Kind")) == [("one_of", "Gift|Sale", "")]
    assert rules(dto.field("Code")) == [
        ("required", "", ""),
        ("min_length", "2", ""),
        ("max_length", "10", ""),
        ("pattern", "^\\d+$", ""),
    ]
    assert (dto.field("Mail").nullable, dto.field("Rest").type) == (True, "number")
    assert dto.field("Tags").type == "array"
    assert dto.field("Code").rules[1].source == "A.cs:10 [StringLength]"


def test_fluent_validation_gives_rules_messages_and_keeps_conditions_apart():
    dto = csharp("""
public class Order { public decimal Amount { get; set; } public string Code { get; set; }
  public string Note { get; set; } public int Pieces { get; set; } }
public class OrderValidator : AbstractValidator<Order> {
  private const decimal Most = 500m;
  public OrderValidator() {
    RuleFor(o => o.Amount).GreaterThan(0).WithMessage("{PropertyName} must be positive")
        .LessThanOrEqualTo(Most);
    RuleFor(x => x.Code).NotEmpty().Length(3, 5).Matches("^[A-Z]+$").WithMessage($"no {1}");
    RuleFor(x => x.Note).MaximumLength(9).When(x => x.Amount > 5);
    When(x => x.Amount > 9, () => { RuleFor(x => x.Pieces).GreaterThan(2); });
    RuleFor(x => x.Pieces).InclusiveBetween(1, 9).Must(BeOdd);
  } }
""")["Order"]
    assert rules(dto.field("Amount")) == [
        ("greater_than", "0", "Amount must be positive"),
        ("maximum", "500", ""),
    ]
    assert rules(dto.field("Code")) == [
        ("required", "empty", ""),
        ("min_length", "3", ""),
        ("max_length", "5", ""),
        ("pattern", "^[A-Z]+$", ""),
    ]
    assert [r.kind for r in dto.field("Note").rules] == ["custom"]
    assert [r.kind for r in dto.field("Pieces").rules] == [
        "custom", "minimum", "maximum", "custom",
    ]  # fmt: skip


def test_broken_csharp_tells_what_it_can():
    dto = csharp("public class A { public int N { get; set; } }\npublic class B { int (")["A"]
    assert dto.field("N").type == "integer"


def test_python_models_dataclasses_and_attrs_tell_their_rules():
    source = b"""
from typing import Annotated, Literal, Optional
from enum import Enum
class Kind(str, Enum):
    GIFT = "gift"
    SALE = "sale"
Amount = Annotated[Decimal, Field(gt=0, le=Decimal("99.5"))]
class Base(BaseModel):
    id: UUID
class Order(Base):
    amount: Amount
    kind: Kind = Kind.GIFT
    code: Annotated[str, StringConstraints(pattern="^[A-Z]+$", max_length=3)]
    note: Optional[str] = Field(None, max_length=9)
    level: Literal["low", "high"]
    pieces: PositiveInt | None = None
    made: ClassVar[int] = 0
@dataclass
class Row:
    n: int
    tags: list[str] = field(default_factory=list)
@attrs.define
class Part:
    weight: float = attrs.field(validator=[attrs.validators.gt(0), attrs.validators.le(9)])
    unit: str = attrs.field(default="kg", validator=attrs.validators.in_(["kg", "g"]))
class Plain:
    x: int
"""
    found = {d.name: d for d in dtos_in_python(source, origin="m.py")}
    assert set(found) == {"Base", "Order", "Row", "Part"}
    order = found["Order"]
    assert order.fields[0].name == "id"
    assert [r[:2] for r in rules(order.field("amount"))] == [
        ("required", ""),
        ("greater_than", "0"),
        ("maximum", "99.5"),
    ]
    assert [r[:2] for r in rules(order.field("kind"))] == [("one_of", "gift|sale")]
    assert [r[:2] for r in rules(order.field("level"))] == [
        ("required", ""),
        ("one_of", "low|high"),
    ]
    assert order.field("note").nullable
    assert [r[:2] for r in rules(order.field("note"))] == [("max_length", "9")]
    assert [r[0] for r in rules(order.field("code"))] == ["required", "pattern", "max_length"]
    assert order.field("pieces").type == "integer"
    assert [r[:2] for r in rules(found["Part"].field("weight"))] == [
        ("required", ""),
        ("greater_than", "0"),
        ("maximum", "9"),
    ]
    assert [r[:2] for r in rules(found["Part"].field("unit"))] == [("one_of", "kg|g")]
    assert rules(found["Row"].field("tags")) == []


def test_openapi_follows_references_all_of_and_both_kinds_of_exclusive_bounds():
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/orders": {
                "post": {
                    "operationId": "placeOrder",
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {"n": {"type": "integer"}},
                                }
                            }
                        }
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Money": {"type": "number", "exclusiveMinimum": 0},
                "Base": {
                    "type": "object",
                    "required": ["id"],
                    "properties": {"id": {"type": "string"}},
                },
                "Order": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Base"},
                        {
                            "required": ["total"],
                            "properties": {
                                "total": {"$ref": "#/components/schemas/Money"},
                                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                                "old": {"type": "number", "minimum": 1, "exclusiveMinimum": True},
                            },
                        },
                    ]
                },
                "Loop": {"$ref": "#/components/schemas/Loop"},
            }
        },
    }
    found = {d.name: d for d in dtos_in_openapi(json.dumps(document).encode(), origin="api.json")}
    assert set(found) == {"Base", "Order", "placeOrderRequest"}
    order = found["Order"]
    assert [r[:2] for r in rules(order.field("total"))] == [("required", ""), ("greater_than", "0")]
    assert order.field("note").nullable
    assert order.field("note").type == "string"
    assert [r[:2] for r in rules(order.field("old"))] == [("greater_than", "1")]


def test_a_json_schema_is_called_as_its_title_says():
    schema = b"""{"title": "Pay", "required": ["n"],
        "properties": {"n": {"type": "string", "minLength": 1}}}"""
    (dto,) = dtos_in_json_schema(schema, origin="x.json")
    assert dto.name == "Pay"
    assert rules(dto.fields[0]) == [("required", "empty", "")]


def test_columns_say_what_they_must_hold():
    (table,) = dtos_in_ddl(
        b"""CREATE TABLE refunds (
  id SERIAL PRIMARY KEY,
  amount NUMERIC(10,2) NOT NULL CHECK (amount > 0 AND amount <= 500),
  code CHAR(3) NOT NULL, made_at DATE, kind TEXT DEFAULT 'a' CHECK (kind IN ('a','b')),
  n INT CHECK (n BETWEEN 1 AND 9), w INT CHECK (0 < w), odd INT CHECK (odd % 2 = 1),
  CONSTRAINT c CHECK (n > -1), CHECK (amount > n)
); SELECT 1;""",
        origin="a.sql",
        dialect="postgres",
    )
    said = {f.name: [(r.kind, r.value) for r in f.rules] for f in table.fields}
    assert said["amount"] == [
        ("required", ""),
        ("precision", "10,2"),
        ("greater_than", "0"),
        ("maximum", "500"),
    ]
    assert said["code"] == [("required", ""), ("max_length", "3")]
    assert said["kind"] == [("one_of", "a|b")]
    assert said["n"] == [("minimum", "1"), ("maximum", "9"), ("greater_than", "-1")]
    assert said["w"] == [("greater_than", "0")]
    assert said["odd"][0][0] == "custom"
    assert table.field("madeAt").type == "string"


@pytest.mark.parametrize(
    ("read", "source", "said"),
    [
        (dtos_in_openapi, b"[1]", "holds no object"),
        (dtos_in_openapi, b"{", "neither JSON nor YAML"),
        (dtos_in_ddl, b"CREATE TABLE (((", "cannot be read as SQL"),
        (dtos_in_python, b"class A(", "cannot be read as Python"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(read, source, said):
    with pytest.raises(InputError, match=said):
        read(source, origin="the-file")


def test_a_folder_is_read_as_a_whole_and_what_fails_is_said(tmp_path):
    (tmp_path / "ok.sql").write_text("CREATE TABLE t (a INT NOT NULL);")
    (tmp_path / "bad.py").write_text("class A(BaseModel")
    (tmp_path / "notes.yaml").write_text("a: 1")
    (tmp_path / "old.cs").write_bytes(b"class A { } // \xfc")
    (tmp_path / "recording.json").write_bytes(b"[" + b" " * 3_000_000 + b"]")
    code = read_code(tmp_path)
    assert [d.name for d in code.dtos] == ["t"]
    assert code.sources == ("ok.sql",)
    assert [line.split(" ")[0] for line in sorted(code.skipped)] == [
        "bad.py:1",
        "old.cs",
        "recording.json",
    ]
    with pytest.raises(InputError, match="there is no folder or file"):
        read_code(tmp_path / "none")


def test_the_samples_sources_agree_on_the_refund():
    code = read_code(ROOT / "examples" / "payments")
    for language in ("csharp", "openapi", "blueprint"):
        dto = code.dto("RefundRequest", language=language)
        assert dto.field("RefundAmount").type == "number"
    amount = code.dto("RefundRequest", language="csharp").field("refund_amount")
    assert ("greater_than", "0", "Refund amount must be positive") in rules(amount)
    assert code.blueprint.handler("CreateInvoiceHandler").roles_allowed == ("FinanceManager", "CFO")
