namespace PaymentsService.Requests
{
    public class PaymentRequest
    {
        public string InvoiceId { get; set; }

        public string Reference { get; set; }

        public decimal Amount { get; set; }

        public string Currency { get; set; }
    }
}
