using System;

namespace PaymentsService.UnitTests
{
    /// <summary>Ties a test to the production trace that it came from.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TraceIdAttribute : Attribute
    {
        public TraceIdAttribute(string value)
        {
            Value = value;
        }

        public string Value { get; }
    }

    /// <summary>Who or what added a test.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class AugmentedByAttribute : Attribute
    {
        public AugmentedByAttribute(string value)
        {
            Value = value;
        }

        public string Value { get; }
    }

    /// <summary>The edition that a test is about.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class EditionAttribute : Attribute
    {
        public EditionAttribute(string value)
        {
            Value = value;
        }

        public string Value { get; }
    }
}
