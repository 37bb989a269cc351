using System;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using Microsoft.VisualStudio.TestTools.UnitTesting;

/// <summary>Runs every test method and prints a line for each: passed, failed, inconclusive.</summary>
public static class Runner
{
    public static int Main()
    {
        foreach (var type in typeof(Runner).Assembly.GetTypes().OrderBy(t => t.Name))
        {
            if (type.GetCustomAttribute<TestClassAttribute>() == null) continue;
            foreach (var test in type.GetMethods())
            {
                if (test.GetCustomAttribute<TestMethodAttribute>() == null) continue;
                Console.WriteLine(Run(type, test) + "\t" + type.Name + "." + test.Name);
            }
        }

        return 0;
    }

    private static string Run(Type type, MethodInfo test)
    {
        try
        {
            var instance = Activator.CreateInstance(type);
            foreach (var before in type.GetMethods())
            {
                if (before.GetCustomAttribute<TestInitializeAttribute>() != null)
                {
                    before.Invoke(instance, null);
                }
            }

            var running = test.Invoke(instance, null) as Task;
            if (running != null) running.GetAwaiter().GetResult();
            return "passed";
        }
        catch (Exception raised)
        {
            var cause = raised is TargetInvocationException ? raised.InnerException : raised;
            if (cause is AssertInconclusiveException) return "inconclusive";
            return "failed: " + cause.GetType().Name + " " + cause.Message.Replace("\n", " ");
        }
    }
}
