using System;
using System.Threading.Tasks;

namespace Microsoft.VisualStudio.TestTools.UnitTesting
{
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class TestClassAttribute : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestMethodAttribute : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestInitializeAttribute : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class TestPropertyAttribute : Attribute
    {
        public TestPropertyAttribute(string name, string value)
        {
            Name = name;
            Value = value;
        }

        public string Name { get; }

        public string Value { get; }
    }

    public class AssertFailedException : Exception
    {
        public AssertFailedException(string message) : base(message)
        {
        }
    }

    public class AssertInconclusiveException : Exception
    {
        public AssertInconclusiveException(string message) : base(message)
        {
        }
    }

    public static class Assert
    {
        public static void IsTrue(bool condition)
        {
            if (!condition) throw new AssertFailedException("IsTrue failed");
        }

        public static void IsFalse(bool condition)
        {
            if (condition) throw new AssertFailedException("IsFalse failed");
        }

        public static void IsNotNull(object value, string message)
        {
            if (value == null) throw new AssertFailedException(message);
        }

        public static void AreEqual<T>(T expected, T actual)
        {
            if (!Equals(expected, actual))
            {
                throw new AssertFailedException("expected " + expected + ", was " + actual);
            }
        }

        public static void Inconclusive(string message)
        {
            throw new AssertInconclusiveException(message);
        }

        public static T ThrowsException<T>(Action action) where T : Exception
        {
            try
            {
                action();
            }
            catch (Exception raised)
            {
                return Exactly<T>(raised);
            }

            throw new AssertFailedException("nothing was thrown");
        }

        public static async Task<T> ThrowsExceptionAsync<T>(Func<Task> action) where T : Exception
        {
            try
            {
                await action();
            }
            catch (Exception raised)
            {
                return Exactly<T>(raised);
            }

            throw new AssertFailedException("nothing was thrown");
        }

        private static T Exactly<T>(Exception raised) where T : Exception
        {
            if (raised.GetType() == typeof(T)) return (T)raised;
            throw new AssertFailedException("threw " + raised.GetType().Name);
        }
    }
}
