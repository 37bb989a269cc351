using System.Threading;
using System.Threading.Tasks;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using PaymentsService.Domain;
using PaymentsService.Handlers;
using PaymentsService.Requests;

namespace PaymentsService.UnitTests
{
    [TestClass]
    public class CreateInvoiceHandlerTests
    {
        private readonly CreateInvoiceHandler handler = new CreateInvoiceHandler(new Ledger());

        [TestMethod]
        public async Task Handle_ShouldCreateInvoice_WhenInputIsValid()
        {
            var input = new CreateInvoiceInput
            {
                Number = "INV-0001",
                CustomerId = "customer-1",
                Amount = 250m,
                Currency = "EUR"
            };

            var result = await handler.Handle(input, CancellationToken.None);

            Assert.IsTrue(result.IsSuccess);
        }
    }
}
