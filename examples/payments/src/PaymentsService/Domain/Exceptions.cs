using System;

namespace PaymentsService.Domain
{
    public class InvoiceNotFoundException : Exception
    {
        public InvoiceNotFoundException(string id) : base("Invoice " + id + " does not exist")
        {
        }
    }

    public class InvoiceLockedException : Exception
    {
        public InvoiceLockedException(string id) : base("Invoice " + id + " is locked")
        {
        }
    }

    public class DuplicateRefundException : Exception
    {
        public DuplicateRefundException(string id) : base("Invoice " + id + " has this refund")
        {
        }
    }
}
