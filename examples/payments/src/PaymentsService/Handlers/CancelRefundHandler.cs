using System.Threading.Tasks;
using PaymentsService.Domain;
using PaymentsService.Requests;

namespace PaymentsService.Handlers
{
    /// <summary>It forgets to look at the refund's status: the sample's gap.</summary>
    public class CancelRefundHandler
    {
        private readonly Ledger ledger;

        public CancelRefundHandler(Ledger ledger)
        {
            this.ledger = ledger;
        }

        public Task<Result<Refund>> Handle(CancelRefundRequest request)
        {
            var refund = ledger.Refund(request.RefundId);
            if (refund == null)
            {
                return Task.FromResult(Result<Refund>.Failure("RefundNotFound", "No such refund"));
            }

            refund.Status = RefundStatus.Cancelled;
            return Task.FromResult(Result<Refund>.Success(refund));
        }
    }
}
