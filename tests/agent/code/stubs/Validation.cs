using System;
using System.Collections.Generic;
using System.Linq;
using System.Linq.Expressions;
using System.Text.RegularExpressions;

namespace FluentValidation.Results
{
    public class ValidationFailure
    {
        public string PropertyName { get; set; }

        public string ErrorMessage { get; set; }
    }

    public class ValidationResult
    {
        public List<ValidationFailure> Errors { get; } = new List<ValidationFailure>();

        public bool IsValid
        {
            get { return Errors.Count == 0; }
        }
    }
}

namespace FluentValidation
{
    using FluentValidation.Results;

    public class Rule<T, P>
    {
        internal readonly List<Tuple<Func<P, bool>, string>> Checks =
            new List<Tuple<Func<P, bool>, string>>();

        public Rule<T, P> That(Func<P, bool> holds)
        {
            Checks.Add(Tuple.Create(holds, "is not valid"));
            return this;
        }

        public Rule<T, P> WithMessage(string message)
        {
            var last = Checks.Count - 1;
            Checks[last] = Tuple.Create(Checks[last].Item1, message);
            return this;
        }

        public Rule<T, P> NotNull()
        {
            return That(value => value != null);
        }

        public Rule<T, P> NotEmpty()
        {
            return That(value => value != null && !value.Equals(default(P)) && !value.Equals(""));
        }

        public Rule<T, P> GreaterThan(P bound)
        {
            return That(value => Comparer<P>.Default.Compare(value, bound) > 0);
        }

        public Rule<T, P> LessThanOrEqualTo(P bound)
        {
            return That(value => Comparer<P>.Default.Compare(value, bound) <= 0);
        }

        public Rule<T, P> MaximumLength(int most)
        {
            return That(value => value == null || value.ToString().Length <= most);
        }

        public Rule<T, P> Length(int exactly)
        {
            return That(value => value == null || value.ToString().Length == exactly);
        }

        public Rule<T, P> Matches(string pattern)
        {
            return That(value => value == null || Regex.IsMatch(value.ToString(), pattern));
        }
    }

    public abstract class AbstractValidator<T>
    {
        private readonly List<Action<T, ValidationResult>> rules =
            new List<Action<T, ValidationResult>>();

        protected Rule<T, P> RuleFor<P>(Expression<Func<T, P>> property)
        {
            var rule = new Rule<T, P>();
            var name = ((MemberExpression)property.Body).Member.Name;
            var read = property.Compile();
            rules.Add((instance, result) =>
            {
                foreach (var check in rule.Checks.Where(c => !c.Item1(read(instance))))
                {
                    result.Errors.Add(
                        new ValidationFailure { PropertyName = name, ErrorMessage = check.Item2 });
                }
            });
            return rule;
        }

        public ValidationResult Validate(T instance)
        {
            var result = new ValidationResult();
            rules.ForEach(rule => rule(instance, result));
            return result;
        }
    }
}

namespace System.ComponentModel.DataAnnotations
{
    using System.Reflection;

    public abstract class ValidationAttribute : Attribute
    {
        public string ErrorMessage { get; set; }

        public abstract bool IsValid(object value);
    }

    public class RequiredAttribute : ValidationAttribute
    {
        public override bool IsValid(object value)
        {
            return value != null && !value.Equals("");
        }
    }

    public class MaxLengthAttribute : ValidationAttribute
    {
        private readonly int most;

        public MaxLengthAttribute(int most)
        {
            this.most = most;
        }

        public override bool IsValid(object value)
        {
            return value == null || value.ToString().Length <= most;
        }
    }

    public class ValidationContext
    {
        public ValidationContext(object instance)
        {
            Instance = instance;
        }

        public object Instance { get; }
    }

    public class ValidationResult
    {
        public IEnumerable<string> MemberNames { get; set; }
    }

    public static class Validator
    {
        public static bool TryValidateObject(
            object instance, ValidationContext context, ICollection<ValidationResult> errors, bool all)
        {
            foreach (var property in context.Instance.GetType().GetProperties())
            {
                foreach (var attribute in property.GetCustomAttributes<ValidationAttribute>())
                {
                    if (!attribute.IsValid(property.GetValue(instance)))
                    {
                        errors.Add(new ValidationResult { MemberNames = new[] { property.Name } });
                    }
                }
            }

            return errors.Count == 0;
        }
    }
}
