using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Reflection;
using System.Threading.Tasks;

namespace Microsoft.AspNetCore.Authorization
{
    public class AuthorizeAttribute : Attribute
    {
        public string Roles { get; set; }
    }
}

namespace Microsoft.AspNetCore.Mvc
{
    public interface IActionResult
    {
    }

    public class StatusResult : IActionResult
    {
        public HttpStatusCode Status { get; set; }
    }

    public class ApiControllerAttribute : Attribute
    {
    }

    public class FromBodyAttribute : Attribute
    {
    }

    public class RouteAttribute : Attribute
    {
        public RouteAttribute(string template)
        {
            Template = template;
        }

        public string Template { get; }
    }

    public class HttpPostAttribute : Attribute
    {
        public HttpPostAttribute(string template = "")
        {
            Template = template;
        }

        public string Template { get; }
    }

    public abstract class ControllerBase
    {
        protected IActionResult Ok(object value)
        {
            return new StatusResult { Status = HttpStatusCode.OK };
        }

        protected IActionResult NotFound()
        {
            return new StatusResult { Status = HttpStatusCode.NotFound };
        }

        protected IActionResult BadRequest(object value)
        {
            return new StatusResult { Status = HttpStatusCode.BadRequest };
        }
    }
}

namespace System.Net.Http
{
    public class HttpResponseMessage
    {
        public HttpStatusCode StatusCode { get; set; }
    }

    public class HttpRequestHeaders : Dictionary<string, string>
    {
    }

    public class HttpClient
    {
        public HttpRequestHeaders DefaultRequestHeaders { get; } = new HttpRequestHeaders();

        internal Func<string, object, string, HttpStatusCode> Serve { get; set; }
    }
}

namespace System.Net.Http.Json
{
    public static class HttpClientJsonExtensions
    {
        public static Task<HttpResponseMessage> PostAsJsonAsync<T>(
            this HttpClient client, string path, T payload)
        {
            string role;
            client.DefaultRequestHeaders.TryGetValue("X-Role", out role);
            var status = client.Serve(path, payload, role);
            return Task.FromResult(new HttpResponseMessage { StatusCode = status });
        }
    }
}

namespace Microsoft.AspNetCore.Mvc.Testing
{
    using System.Net.Http;
    using Microsoft.AspNetCore.Authorization;

    /// <summary>Serves one controller: routes, roles and bodies as far as the sample needs them.</summary>
    public class WebApplicationFactory<T> where T : ControllerBase
    {
        public HttpClient CreateClient()
        {
            return new HttpClient { Serve = Serve };
        }

        private static HttpStatusCode Serve(string path, object payload, string role)
        {
            var prefix = typeof(T).GetCustomAttribute<RouteAttribute>().Template;
            var name = typeof(T).Name.Replace("Controller", "").ToLowerInvariant();
            prefix = "/" + prefix.Replace("[controller]", name);
            foreach (var action in typeof(T).GetMethods())
            {
                var post = action.GetCustomAttribute<HttpPostAttribute>();
                if (post == null || path != (prefix + "/" + post.Template).TrimEnd('/')) continue;
                var authorize = action.GetCustomAttribute<AuthorizeAttribute>();
                if (authorize != null && role == null) return HttpStatusCode.Unauthorized;
                if (authorize != null && !authorize.Roles.Split(',').Contains(role))
                {
                    return HttpStatusCode.Forbidden;
                }

                return Answered(action, payload);
            }

            return HttpStatusCode.NotFound;
        }

        private static HttpStatusCode Answered(MethodInfo action, object payload)
        {
            var taken = action.GetParameters()[0].ParameterType;
            var body = Activator.CreateInstance(taken);
            foreach (var given in payload.GetType().GetProperties())
            {
                var wanted = taken.GetProperty(given.Name);
                if (wanted == null) continue;
                if (wanted.PropertyType != given.PropertyType) return HttpStatusCode.BadRequest;
                wanted.SetValue(body, given.GetValue(payload));
            }

            var made = new Dictionary<Type, object>();
            var answer = action.Invoke(Made(typeof(T), made), new[] { body });
            var task = answer as Task<IActionResult>;
            return ((StatusResult)(task == null ? answer : task.Result)).Status;
        }

        private static object Made(Type type, Dictionary<Type, object> made)
        {
            object known;
            if (made.TryGetValue(type, out known)) return known;
            var maker = type.GetConstructors()[0];
            var given = maker.GetParameters().Select(p => Made(p.ParameterType, made)).ToArray();
            return made[type] = maker.Invoke(given);
        }
    }
}
