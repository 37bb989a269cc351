"""Code in another manner: records, a mediator, mocks, file-scoped namespaces."""

import pytest

from premortem.agent.code.code_tests import suggest_python_test, suggest_test_method
from premortem.agent.knowledge.csharp import dtos_in_csharp, read_csharp
from premortem.agent.knowledge.fluent_validation import read_validators, with_validators
from premortem.errors import InputError

SOURCES = {
    "Orders.cs": b"""
namespace Shop.Orders;
public record ShipOrder(Guid OrderId, string Carrier, int Parcels) : IRequest<Result>;
public class ShipOrderValidator : AbstractValidator<ShipOrder> {
  public ShipOrderValidator() { RuleFor(x => x.Parcels).InclusiveBetween(1, 20); }
}
public enum OrderState { Placed, Shipped, Cancelled }
public class Order { public Guid Id { get; private set; } public OrderState State { get; set; } }
public class ShipOrderHandler : IRequestHandler<ShipOrder, Result> {
  private readonly IOrders _orders;
  public ShipOrderHandler(IOrders orders) => _orders = orders;
  public async Task<Result> Handle(ShipOrder request, CancellationToken stop) {
    var order = await _orders.Find(request.OrderId) ?? throw new OrderNotFoundException();
    if (order.State == OrderState.Cancelled) return Result.Fail("OrderCancelled");
    if (request.Carrier == "") return Result.Fail("NoCarrier", "A carrier is needed");
    return Result.Ok();
  }
}
public class PackOrderHandler { public void Handle(string id) { } }
[TestClass]
public class ShipOrderHandlerTests {
  private readonly Mock<IOrders> _orders = new();
  private ShipOrderHandler Sut => new(_orders.Object);
  private readonly ShipOrder _command = new(Guid.NewGuid(), "DHL", 1);
  [TestMethod]
  public async Task Handle_ShouldSucceed_WhenOrderIsPlaced() {
    _orders.Setup(o => o.Find(It.IsAny<Guid>())).ReturnsAsync(
        new Order { State = OrderState.Placed });
    var outcome = await Sut.Handle(_command, default);
    Assert.IsTrue(outcome.IsSuccess);
  }
}
"""
}


def suggested(prompt, handler=""):
    code = read_csharp(SOURCES)
    dtos = with_validators(dtos_in_csharp(code), read_validators(SOURCES))
    return suggest_test_method(prompt, handler, code=code, dtos=dtos)


def test_the_state_is_put_where_the_test_makes_the_thing():
    made = suggested("What if an order is shipped after it was cancelled?")
    assert made.name == "Ship_ShouldFail_WhenAlreadyCancelled"
    assert "new Order { State = OrderState.Cancelled })" in made.source
    assert "await Sut.Handle(_command, default);" in made.source
    assert made.stated.endswith("OrderCancelled")
    assert not made.open_points


def test_what_the_handler_leaves_to_its_validator_is_asked_of_that():
    made = suggested("What if the parcels are negative?")
    assert made.name == "Validate_ShouldReject_WhenParcelsIsNegative"
    assert made.class_name == "ShipOrderValidatorTests"
    assert "Parcels: -1" in made.source


def test_what_the_handler_refuses_itself_is_asked_of_it():
    made = suggested("What if the carrier is empty?")
    assert made.name == "Handle_ShouldReject_WhenCarrierIsEmpty"
    assert 'var changed = _command with { Carrier = "" };' in made.source
    assert '"A carrier is needed", result.Error.Message' in made.source


def test_a_mock_that_remembers_nothing_makes_a_repetition_inconclusive():
    made = suggested("What if an order is shipped twice?")
    assert "Assert.Inconclusive(" in made.source
    assert "a mock and remembers nothing" in made.open_points[0]


def test_a_question_that_fits_no_handler_alone_asks_for_one():
    with pytest.raises(InputError, match="name one: ShipOrderHandler, PackOrderHandler"):
        suggested("What if it is sent twice?")


def test_a_python_handler_is_found_in_whatever_module_it_is():
    source = b"""
from dataclasses import dataclass
@dataclass
class Booking:
    seats: int
def book_seat(booking: Booking) -> None: ...
"""
    sources = {"shop/__init__.py": b"", "shop/seats.py": source}
    made = suggest_python_test("What if the seats are negative?", sources)
    assert made.name == "test_book_seat_is_refused_when_seats_is_negative"
    assert "from shop.seats import Booking, book_seat" in made.imports
    with pytest.raises(InputError, match="has no handler"):
        suggest_python_test("What if it is sent twice?", {"a.py": b""})


def test_tests_of_another_framework_are_left_alone_and_said():
    source = b"""public class PackHandler { public void Handle(string id) { } }
public class PackHandlerTests { [Fact] public void Works() { } }"""
    code = read_csharp({"a.cs": source})
    with pytest.raises(InputError, match=r"marks its tests with \[Fact\]"):
        suggest_test_method("What if a pack is sent twice?", "PackHandler", code=code)


def test_parts_of_a_class_and_what_a_result_inherits_are_seen_together():
    sources = {
        "A.cs": b"""namespace N {
            public partial class PackHandler { public PackResult Handle(Pack p) {
                return Refused("TooMany", "Too many pieces"); } } }""",
        "B.cs": b"""namespace N {
            public partial class PackHandler { PackResult Refused(string a, string b) {
                return null; } }
            public class Pack { public int Pieces { get; set; } }
            public class Base { public bool Succeeded { get; } public string Message { get; } }
            public class PackResult : Base { } }""",
    }
    code = read_csharp(sources)
    made = suggest_test_method(
        "What if the pieces are negative?", "PackHandler", code=code, dtos=dtos_in_csharp(code)
    )
    assert [c.name for c in code.classes].count("PackHandler") == 1
    assert "Assert.IsFalse(result.Succeeded);" in made.source
    assert "public void Handle_ShouldFail_WhenPiecesIsNegative()" in made.source
