namespace PaymentsService.Domain
{
    public enum InvoiceStatus
    {
        Draft,
        Approved,
        Locked,
        Paid
    }

    public enum RefundStatus
    {
        Requested,
        Approved,
        Denied,
        Cancelled
    }

    public class Invoice
    {
        public string Id { get; set; }

        public string Number { get; set; }

        public string CustomerId { get; set; }

        public decimal Amount { get; set; }

        public string Currency { get; set; }

        public InvoiceStatus Status { get; set; }
    }

    public class Payment
    {
        public string Id { get; set; }

        public string InvoiceId { get; set; }

        public string Reference { get; set; }

        public decimal Amount { get; set; }

        public string Currency { get; set; }
    }

    public class Refund
    {
        public string Id { get; set; }

        public string InvoiceId { get; set; }

        public decimal RefundAmount { get; set; }

        public RefundStatus Status { get; set; }
    }
}
