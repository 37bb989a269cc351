using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PaymentsService.Domain;
using PaymentsService.Requests;
using PaymentsService.Validators;

namespace PaymentsService.Handlers
{
    public class CreateInvoiceHandler
    {
        private readonly Ledger ledger;
        private readonly CreateInvoiceInputValidator validator = new CreateInvoiceInputValidator();

        public CreateInvoiceHandler(Ledger ledger)
        {
            this.ledger = ledger;
        }

        public Task<Result<Invoice>> Handle(CreateInvoiceInput input, CancellationToken stop)
        {
            var checkedInput = validator.Validate(input);
            if (!checkedInput.IsValid)
            {
                var message = checkedInput.Errors.First().ErrorMessage;
                return Task.FromResult(Result<Invoice>.Failure("Invalid", message));
            }

            if (ledger.HasInvoice(input.Number))
            {
                return Task.FromResult(
                    Result<Invoice>.Failure("InvoiceExists", "There is such an invoice already"));
            }

            var invoice = new Invoice
            {
                Id = "invoice-" + input.Number,
                Number = input.Number,
                CustomerId = input.CustomerId,
                Amount = input.Amount,
                Currency = input.Currency,
                Status = InvoiceStatus.Draft
            };
            ledger.Add(invoice);
            return Task.FromResult(Result<Invoice>.Success(invoice));
        }
    }
}
