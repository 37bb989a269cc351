// Made by `premortem steps csharp` from Premortem's step catalogue: write it anew, do not edit it.
// Runs `premortem steps serve`; PREMORTEM_COMMAND names another command, PREMORTEM_CONFIG the
// configuration.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Text;
using Reqnroll;

namespace __NAMESPACE__
{
    /// <summary>A step does not hold, or could not be carried out.</summary>
    public sealed class PremortemStepException : Exception
    {
        public PremortemStepException(string message) : base(message) { }
    }

    [Binding]
    public sealed class PremortemSteps : IDisposable
    {
        private readonly ScenarioContext _context;
        private Process _engine;

        public PremortemSteps(ScenarioContext context)
        {
            _context = context;
        }

__STEPS__        public void Dispose()
        {
            if (_engine == null)
            {
                return;
            }
            Process engine = _engine;
            _engine = null;
            try
            {
                if (!engine.HasExited)
                {
                    Ask(engine, "{\"end\":true}");
                    engine.StandardInput.Close();
                }
            }
            finally
            {
                engine.WaitForExit(10000);
                engine.Dispose();
            }
        }

        private void Perform(
            string step, object[] arguments, string docstring = "", DataTable table = null)
        {
            string keyword = _context.StepContext.StepInfo.StepDefinitionType.ToString();
            var line = new StringBuilder("{\"keyword\":").Append(Text(keyword.ToLowerInvariant()));
            line.Append(",\"step\":").Append(Text(step)).Append(",\"arguments\":[");
            line.Append(string.Join(",", arguments.Select(Value))).Append("],\"docstring\":");
            line.Append(Text(docstring ?? "")).Append(",\"table\":[");
            if (table != null)
            {
                var rows = new List<IEnumerable<string>> { table.Header };
                rows.AddRange(table.Rows.Select(row => (IEnumerable<string>)row.Values));
                line.Append(string.Join(",", rows.Select(row => "[" + string.Join(",", row.Select(Text)) + "]")));
            }
            Ask(Engine(), line.Append("]}").ToString());
        }

        private Process Engine()
        {
            if (_engine == null)
            {
                string command = Environment.GetEnvironmentVariable("PREMORTEM_COMMAND") ?? "premortem";
                int space = command.IndexOf(' ');
                var start = new ProcessStartInfo
                {
                    FileName = space < 0 ? command : command.Substring(0, space),
                    Arguments = (space < 0 ? "" : command.Substring(space + 1) + " ") + "steps serve",
                    UseShellExecute = false,
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                };
                _engine = Process.Start(start);
                Ask(_engine, "{\"start\":" + Text(_context.ScenarioInfo.Title) + "}");
            }
            return _engine;
        }

        private static void Ask(Process engine, string line)
        {
            engine.StandardInput.Write(line + "\n");
            engine.StandardInput.Flush();
            string answer = engine.StandardOutput.ReadLine();
            if (answer == null)
            {
                throw new PremortemStepException("the engine ended; run `premortem steps serve` to see why");
            }
            if (answer != "{\"status\":\"passed\"}")
            {
                throw new PremortemStepException(answer);
            }
        }

        private static string Value(object value)
        {
            return value is int ? ((int)value).ToString(CultureInfo.InvariantCulture) : Text((string)value);
        }

        /// <summary>As JSON, in ASCII: the console's encoding does not matter.</summary>
        private static string Text(string value)
        {
            var text = new StringBuilder("\"");
            foreach (char c in value)
            {
                if (c == '"' || c == '\\')
                {
                    text.Append('\\').Append(c);
                }
                else if (c < ' ' || c > '~')
                {
                    text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                }
                else
                {
                    text.Append(c);
                }
            }
            return text.Append('"').ToString();
        }
    }
}
