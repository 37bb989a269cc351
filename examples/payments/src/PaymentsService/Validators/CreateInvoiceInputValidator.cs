using FluentValidation;
using PaymentsService.Requests;

namespace PaymentsService.Validators
{
    public class CreateInvoiceInputValidator : AbstractValidator<CreateInvoiceInput>
    {
        public CreateInvoiceInputValidator()
        {
            RuleFor(x => x.Number).NotEmpty().Matches("^INV-[0-9]{4}$");
            RuleFor(x => x.CustomerId).NotEmpty().WithMessage("CustomerId is required");
            RuleFor(x => x.Amount).GreaterThan(0).LessThanOrEqualTo(1000000);
            RuleFor(x => x.Currency).NotEmpty().Length(3);
        }
    }
}
