using System.Net;
using System.Net.Http.Json;
using System.Threading.Tasks;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using PaymentsService.UnitTests;

namespace PaymentsService.IntegrationTests
{
    [TestClass]
    public class InvoiceApiTests
    {
        private readonly ServiceFactory factory = new ServiceFactory();
        private readonly object validPayload = new { InvoiceId = "invoice-1" };

        [TestMethod]
        public async Task Post_ShouldReturn404_WhenCFOApprovesUnknownInvoice()
        {
            var client = factory.CreateClientWithRole("CFO");

            var response = await client.PostAsJsonAsync("/api/invoice/approve", validPayload);

            Assert.AreEqual(HttpStatusCode.NotFound, response.StatusCode);
        }
    }
}
