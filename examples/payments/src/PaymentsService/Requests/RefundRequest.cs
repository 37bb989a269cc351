using System.ComponentModel.DataAnnotations;

namespace PaymentsService.Requests
{
    public class RefundRequest
    {
        [Required]
        public string InvoiceId { get; set; }

        [Required]
        public decimal RefundAmount { get; set; }

        [MaxLength(200)]
        public string Reason { get; set; }
    }

    public class CancelRefundRequest
    {
        [Required]
        public string RefundId { get; set; }

        [Required]
        public string Role { get; set; }
    }
}
