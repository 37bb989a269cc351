using System.Linq;
using System.Threading.Tasks;
using PaymentsService.Domain;
using PaymentsService.Requests;
using PaymentsService.Validators;

namespace PaymentsService.Handlers
{
    public class IssueRefundHandler
    {
        private readonly Ledger ledger;
        private readonly RefundRequestValidator validator = new RefundRequestValidator();

        public IssueRefundHandler(Ledger ledger)
        {
            this.ledger = ledger;
        }

        public Task<Result<Refund>> Handle(RefundRequest request)
        {
            var checkedRequest = validator.Validate(request);
            if (!checkedRequest.IsValid)
            {
                var message = checkedRequest.Errors.First().ErrorMessage;
                return Task.FromResult(Result<Refund>.Failure("Invalid", message));
            }

            var invoice = ledger.Invoice(request.InvoiceId);
            if (invoice == null)
            {
                throw new InvoiceNotFoundException(request.InvoiceId);
            }

            if (invoice.Status == InvoiceStatus.Locked)
            {
                throw new InvoiceLockedException(invoice.Id);
            }

            if (ledger.RefundsOf(invoice.Id).Any(r => r.RefundAmount == request.RefundAmount))
            {
                throw new DuplicateRefundException(invoice.Id);
            }

            var refund = new Refund
            {
                Id = "refund-" + (ledger.RefundCount + 1),
                InvoiceId = invoice.Id,
                RefundAmount = request.RefundAmount,
                Status = RefundStatus.Requested
            };
            ledger.Add(refund);
            return Task.FromResult(Result<Refund>.Success(refund));
        }
    }
}
