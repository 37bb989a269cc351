using System.Net.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using PaymentsService.Controllers;

namespace PaymentsService.IntegrationTests
{
    /// <summary>The service in this process, with clients that are signed in as a role.</summary>
    public class ServiceFactory : WebApplicationFactory<InvoiceController>
    {
        public HttpClient CreateClientWithRole(string role)
        {
            var client = CreateClient();
            client.DefaultRequestHeaders.Add("X-Role", role);
            return client;
        }
    }
}
