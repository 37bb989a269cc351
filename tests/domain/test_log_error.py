"""Exception and innermost own frame, from the traces that languages print."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from premortem.domain.log_error import error_in

JAVA = """\
2024-03-01 10:00:00.123 ERROR 1 --- [exec-1] o.a.c.[dispatcherServlet] : it threw
org.springframework.dao.DataIntegrityViolationException: could not execute statement
\tat org.springframework.orm.jpa.vendor.HibernateJpaDialect.convert(HibernateJpaDialect.java:276)
\tat com.acme.billing.InvoiceService.pay(InvoiceService.java:88)
\tat java.base/java.lang.Thread.run(Thread.java:833)
Caused by: org.hibernate.exception.ConstraintViolationException: duplicate key
\tat org.hibernate.exception.internal.Delegate.convert(Delegate.java:109)
\tat com.acme.billing.InvoiceRepository.save(InvoiceRepository.java:31)
\t... 12 more
"""
NODE = """\
[10:00:00.123] ERROR: Cannot read properties of undefined
TypeError: Cannot read properties of undefined (reading 'id')
    at Object.get (/app/node_modules/knex/lib/client.js:12:9)
    at ItemsService.readOne (file:///app/dist/services/items.js:210:31)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at async /app/dist/controllers/items.js:88:20
"""
DOTNET = """\
fail: Microsoft.AspNetCore.Server.Kestrel[13]
      System.InvalidOperationException: cannot pay
       ---> System.NullReferenceException: Object reference not set to an instance of an object.
         at System.Linq.Enumerable.First[TSource](IEnumerable`1 source)
         at Acme.Billing.Invoices.Total(Int32 id) in /src/Billing/Invoices.cs:line 41
         --- End of inner exception stack trace ---
         at Acme.Billing.Payments.Pay(Int32 id) in /src/Billing/Payments.cs:line 12
"""
GO = """\
2024/03/01 10:00:00 http: panic serving 127.0.0.1:51234: runtime error: index out of range [5]
goroutine 19 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1868 +0xb9
panic({0x6a1c20?, 0xc0000b6018?})
\t/usr/local/go/src/runtime/panic.go:920 +0x270
github.com/gin-gonic/gin.(*Context).Next(...)
\t/root/go/pkg/mod/github.com/gin-gonic/gin@v1.9.1/context.go:174
acme/billing.(*Server).pay(0xc00010e000, {0x7000, 0x1})
\t/src/billing/server.go:57 +0x1d
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3086 +0x5cb
"""


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (
            JAVA,
            "org.hibernate.exception.ConstraintViolationException at "
            "InvoiceRepository.java:com.acme.billing.InvoiceRepository.save",
        ),
        (NODE, "TypeError at services/items.js:ItemsService.readOne"),
        (
            DOTNET,
            "System.NullReferenceException at Billing/Invoices.cs:Acme.Billing.Invoices.Total",
        ),
        (GO, "panic: runtime error at billing/server.go:acme/billing.(*Server).pay"),
    ],
    ids=["java", "node", "dotnet", "go"],
)
def test_a_trace_names_the_error_at_its_root_and_the_programs_innermost_frame(text, signature):
    error = error_in(text)

    assert error is not None
    assert error.own
    assert error.signature == signature


def test_a_trace_of_python_is_read_as_python_prints_it(tmp_path: Path):
    script = tmp_path / "service.py"
    script.write_text(
        "import json\n"
        "def parse(text):\n"
        "    return json.loads(text)\n"
        "def handle():\n"
        "    try:\n"
        "        return {}['amount']\n"
        "    except KeyError:\n"
        "        parse('{')\n"
        "handle()\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    error = error_in(f"ERROR: Exception in application\n{run.stderr}")

    assert error is not None
    assert error.exception == "JSONDecodeError"
    assert error.frame is not None
    assert (error.frame.function, error.frame.line, error.own) == ("parse", 3, True)
    assert error.message.startswith("Expecting property name")


def test_an_exception_group_is_read_down_to_what_is_in_it(tmp_path: Path):
    script = tmp_path / "service.py"
    script.write_text(
        "def work():\n"
        "    1 / 0\n"
        "try:\n"
        "    work()\n"
        "except ZeroDivisionError as error:\n"
        "    raise ExceptionGroup('several', [error])\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    error = error_in(run.stderr)

    assert error is not None
    assert error.frame is not None
    assert (error.exception, error.frame.function) == ("ZeroDivisionError", "work")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_a_trace_of_node_is_read_as_node_prints_it(tmp_path: Path):
    script = tmp_path / "service.js"
    script.write_text(
        "function total(x) { return x.lines.length }\n"
        "try { JSON.parse('{') } catch (error) {\n"
        "  try { total({}) } catch (cause) { console.error(new Error('no total', { cause })) }\n"
        "}\n"
    )
    run = subprocess.run(["node", script], capture_output=True, text=True, check=False)

    error = error_in(run.stderr)

    assert error is not None
    assert error.frame is not None
    assert (error.exception, error.frame.function) == ("TypeError", "total")


def test_without_a_frame_of_its_own_the_innermost_of_all_is_named():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/usr/lib/python3.12/asyncio/runners.py", line 118, in run\n'
        "    return self._loop.run_until_complete(task)\n"
        '  File "/v/lib/python3.12/site-packages/uvicorn/server.py", line 70, in serve\n'
        "    await self._serve(sockets)\n"
        "RuntimeError: boom\n"
    )

    error = error_in(text)

    assert error is not None
    assert error.frame is not None
    assert (error.frame.function, error.own) == ("serve", False)


def test_a_program_that_is_installed_is_told_from_frameworks_beside_it():
    packages = "/v/lib/python3.12/site-packages"
    text = (
        "Traceback (most recent call last):\n"
        f'  File "{packages}/starlette/routing.py", line 10, in app\n'
        f'  File "{packages}/shop/orders.py", line 7, in total\n'
        f'  File "{packages}/sqlalchemy/engine.py", line 9, in execute\n'
        '  File "<sqlalchemy generated warned() wrapper>", line 1, in _flush\n'
        '  File "/usr/lib/python3.12/re/__init__.py", line 5, in search\n'
        "TypeError: expected string\n"
    )

    error = error_in(text)

    assert error is not None
    assert (error.signature, error.own) == ("TypeError at shop/orders.py:total", True)


def test_what_a_framework_raises_anew_leads_to_the_frame_below_it():
    packages = "/v/lib/python3.12/site-packages"
    text = (
        "Traceback (most recent call last):\n"
        '  File "/srv/shop/orders.py", line 7, in total\n'
        "ValueError: no price\n"
        "\nThe above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n"
        f'  File "{packages}/strawberry/schema.py", line 3, in execute\n'
        "GraphQLError: no price\n"
    )

    error = error_in(text)

    assert error is not None
    assert error.signature == "GraphQLError at shop/orders.py:total"


def test_ordinary_lines_hold_no_error():
    for text in ("GET /invoices 200", "ERROR: no such user", "at the end (of it all): 3", ""):
        assert error_in(text) is None
