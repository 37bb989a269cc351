using System.Threading.Tasks;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using PaymentsService.Domain;
using PaymentsService.Handlers;
using PaymentsService.Requests;

namespace PaymentsService.UnitTests
{
    [TestClass]
    public class CapturePaymentHandlerTests
    {
        private readonly Ledger ledger = new Ledger();

        [TestMethod]
        public async Task Handle_ShouldCapturePayment_WhenRequestIsValid()
        {
            ledger.Add(new Invoice { Id = "invoice-1", Amount = 100m, Currency = "EUR" });
            var handler = new CapturePaymentHandler(ledger);
            var input = new PaymentRequest
            {
                InvoiceId = "invoice-1",
                Reference = "pay-1",
                Amount = 100m,
                Currency = "EUR"
            };

            var result = await handler.Handle(input);

            Assert.IsTrue(result.IsSuccess);
        }
    }
}
