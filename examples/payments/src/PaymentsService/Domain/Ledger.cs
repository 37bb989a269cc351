using System.Collections.Generic;
using System.Linq;

namespace PaymentsService.Domain
{
    /// <summary>What the service remembers; in memory, for the sample's sake.</summary>
    public class Ledger
    {
        private readonly Dictionary<string, Invoice> invoices = new Dictionary<string, Invoice>();
        private readonly List<Payment> payments = new List<Payment>();
        private readonly Dictionary<string, Refund> refunds = new Dictionary<string, Refund>();

        public void Add(Invoice invoice)
        {
            invoices[invoice.Id] = invoice;
        }

        public void Add(Payment payment)
        {
            payments.Add(payment);
        }

        public void Add(Refund refund)
        {
            refunds[refund.Id] = refund;
        }

        public Invoice Invoice(string id)
        {
            Invoice found;
            return invoices.TryGetValue(id ?? "", out found) ? found : null;
        }

        public Refund Refund(string id)
        {
            Refund found;
            return refunds.TryGetValue(id ?? "", out found) ? found : null;
        }

        public bool HasInvoice(string number)
        {
            return invoices.Values.Any(invoice => invoice.Number == number);
        }

        public bool HasPayment(string reference)
        {
            return payments.Any(payment => payment.Reference == reference);
        }

        public IEnumerable<Refund> RefundsOf(string invoiceId)
        {
            return refunds.Values.Where(refund => refund.InvoiceId == invoiceId);
        }

        public int RefundCount
        {
            get { return refunds.Count; }
        }
    }
}
