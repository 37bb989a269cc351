using System.Threading.Tasks;
using PaymentsService.Domain;
using PaymentsService.Requests;

namespace PaymentsService.Handlers
{
    public class CapturePaymentHandler
    {
        private readonly Ledger ledger;

        public CapturePaymentHandler(Ledger ledger)
        {
            this.ledger = ledger;
        }

        public Task<Result<Payment>> Handle(PaymentRequest request)
        {
            if (request.Amount <= 0)
            {
                return Refused("InvalidAmount", "Amount must be greater than 0");
            }

            if (ledger.Invoice(request.InvoiceId) == null)
            {
                return Refused("InvoiceNotFound", "No such invoice");
            }

            if (ledger.HasPayment(request.Reference))
            {
                return Refused("DuplicatePayment", "This payment was captured already");
            }

            var payment = new Payment
            {
                Id = "payment-" + request.Reference,
                InvoiceId = request.InvoiceId,
                Reference = request.Reference,
                Amount = request.Amount,
                Currency = request.Currency
            };
            ledger.Add(payment);
            return Task.FromResult(Result<Payment>.Success(payment));
        }

        private static Task<Result<Payment>> Refused(string code, string message)
        {
            return Task.FromResult(Result<Payment>.Failure(code, message));
        }
    }
}
