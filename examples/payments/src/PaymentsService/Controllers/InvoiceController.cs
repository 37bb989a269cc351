using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using PaymentsService.Domain;
using PaymentsService.Handlers;
using PaymentsService.Requests;

namespace PaymentsService.Controllers
{
    [ApiController]
    [Route("api/[controller]")]
    public class InvoiceController : ControllerBase
    {
        private readonly CreateInvoiceHandler create;
        private readonly Ledger ledger;

        public InvoiceController(CreateInvoiceHandler create, Ledger ledger)
        {
            this.create = create;
            this.ledger = ledger;
        }

        [HttpPost]
        [Authorize(Roles = "FinanceManager,CFO")]
        public async Task<IActionResult> Create([FromBody] CreateInvoiceInput input)
        {
            var result = await create.Handle(input, CancellationToken.None);
            return result.IsSuccess ? (IActionResult)Ok(result.Value) : BadRequest(result.Error);
        }

        [HttpPost("approve")]
        [Authorize(Roles = "CFO")]
        public IActionResult Approve([FromBody] ApproveInvoiceRequest request)
        {
            var invoice = ledger.Invoice(request.InvoiceId);
            if (invoice == null)
            {
                return NotFound();
            }

            invoice.Status = InvoiceStatus.Approved;
            return Ok(invoice);
        }
    }

    public class ApproveInvoiceRequest
    {
        public string InvoiceId { get; set; }
    }
}
