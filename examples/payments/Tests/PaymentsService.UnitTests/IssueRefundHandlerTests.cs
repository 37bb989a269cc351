using System.Threading.Tasks;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using PaymentsService.Domain;
using PaymentsService.Handlers;
using PaymentsService.Requests;

namespace PaymentsService.UnitTests
{
    [TestClass]
    public class IssueRefundHandlerTests
    {
        private Ledger ledger;
        private IssueRefundHandler handler;

        [TestInitialize]
        public void Arrange()
        {
            ledger = new Ledger();
            ledger.Add(new Invoice { Id = "invoice-1", Amount = 100m, Currency = "EUR" });
            handler = new IssueRefundHandler(ledger);
        }

        [TestMethod]
        public async Task Handle_ShouldIssueRefund_WhenRequestIsValid()
        {
            var result = await handler.Handle(ValidRequest());

            Assert.IsTrue(result.IsSuccess);
        }

        [TestMethod]
        public async Task Handle_ShouldThrow_WhenInvoiceIsUnknown()
        {
            var input = ValidRequest();
            input.InvoiceId = "invoice-404";

            await Assert.ThrowsExceptionAsync<InvoiceNotFoundException>(() => handler.Handle(input));
        }

        private static RefundRequest ValidRequest()
        {
            return new RefundRequest { InvoiceId = "invoice-1", RefundAmount = 50m, Reason = "Late" };
        }
    }
}
