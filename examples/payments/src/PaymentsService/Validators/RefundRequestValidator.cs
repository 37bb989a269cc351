using FluentValidation;
using PaymentsService.Requests;

namespace PaymentsService.Validators
{
    public class RefundRequestValidator : AbstractValidator<RefundRequest>
    {
        public RefundRequestValidator()
        {
            RuleFor(x => x.InvoiceId).NotEmpty().WithMessage("Invoice is required");
            RuleFor(x => x.RefundAmount)
                .GreaterThan(0).WithMessage("Refund amount must be positive");
            RuleFor(x => x.Reason)
                .MaximumLength(200)
                .WithMessage("Reason too long");
        }
    }
}
