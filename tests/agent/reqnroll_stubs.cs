// What the made class uses of Reqnroll, in its shape, and a runner for three steps.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace Reqnroll
{
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class BindingAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class StepDefinitionAttribute : Attribute
    {
        public StepDefinitionAttribute(string expression) { Expression = expression; }
        public string Expression { get; private set; }
    }

    public enum StepDefinitionType { Given, When, Then }
    public sealed class StepInfo { public StepDefinitionType StepDefinitionType { get; set; } }
    public sealed class ScenarioStepContext { public StepInfo StepInfo = new StepInfo(); }
    public sealed class ScenarioInfo { public string Title { get { return "Größe \"x\""; } } }

    public sealed class ScenarioContext
    {
        public ScenarioStepContext StepContext = new ScenarioStepContext();
        public ScenarioInfo ScenarioInfo = new ScenarioInfo();
    }

    public sealed class DataTableRow
    {
        private readonly string[] _cells;
        public DataTableRow(string[] cells) { _cells = cells; }
        public ICollection<string> Values { get { return _cells; } }
    }

    public sealed class DataTable
    {
        public DataTable(params string[] header) { Header = header; Rows = new List<DataTableRow>(); }
        public ICollection<string> Header { get; private set; }
        public List<DataTableRow> Rows { get; private set; }
    }
}

public static class Program
{
    private static readonly Reqnroll.ScenarioContext Context = new Reqnroll.ScenarioContext();

    public static void Main(string[] arguments)
    {
        using (var steps = new Till.Specs.PremortemSteps(Context))
        {
            Say(steps, "Given", "a sale of {string} was made", "12.50");
            Say(steps, "Given", "the edition is {string}", "pro");
            Say(steps, "When", "{string} sends {string} to {string} {int} times at once",
                "ann", "POST", "/sales/${sale_id}/refund", 3);
            Say(steps, "Then", "exactly {int} responses have status {int}", 1, 201);
            Say(steps, "Then", "the event {string} is recorded {int} times", "SaleRefunded", 1);
            var table = new Reqnroll.DataTable("state", "amount");
            table.Rows.Add(new Reqnroll.DataTableRow(new[] { "refunded", "12.5" }));
            Say(steps, "Then", "the table {string} has {int} rows where:", "sales", 1, table);
            Say(steps, "When", "{string} sends {string} to {string} with:", "ann", "POST", "/sales",
                "{\"amount\": 0, \"currency\": \"EUR\", \"note\": \"ü\\n\"}");
            Say(steps, "Then", "the response status is {int}", 422);
            Say(steps, "Then", "nothing changed in the table {string}", "sales");
            Say(steps, "Then", "the response status is {int}", 201);
        }
    }

    private static void Say(object steps, string keyword, string expression, params object[] values)
    {
        Context.StepContext.StepInfo.StepDefinitionType =
            (Reqnroll.StepDefinitionType)Enum.Parse(typeof(Reqnroll.StepDefinitionType), keyword);
        foreach (MethodInfo method in steps.GetType().GetMethods())
        {
            var said = (Reqnroll.StepDefinitionAttribute[])method.GetCustomAttributes(
                typeof(Reqnroll.StepDefinitionAttribute), false);
            bool fits = method.GetParameters().Select(p => p.ParameterType)
                .SequenceEqual(values.Select(v => v.GetType()));
            if (said.Any(s => s.Expression == expression) && fits)
            {
                try
                {
                    method.Invoke(steps, values);
                    Console.WriteLine("passed");
                }
                catch (TargetInvocationException error)
                {
                    Console.WriteLine(error.InnerException.GetType().Name + ": " + error.InnerException.Message);
                }
                return;
            }
        }
        Console.WriteLine("no step: " + expression);
    }
}
