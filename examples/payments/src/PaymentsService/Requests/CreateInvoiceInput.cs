namespace PaymentsService.Requests
{
    public class CreateInvoiceInput
    {
        public string Number { get; set; }

        public string CustomerId { get; set; }

        public decimal Amount { get; set; }

        public string Currency { get; set; }
    }
}
