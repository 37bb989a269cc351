"""Errors as logs show them: exception and innermost own frame, from the trace that a language
prints (Python, Java and its kin, JavaScript on Node, .NET, Go).

What is a program's own is told from where libraries lie and what they are called. A program that
is installed as a package lies among libraries itself: then what is no part of the language and no
known framework counts as its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

Severity = Literal["", "debug", "info", "warning", "error"]
"""Of a line of a log; empty: it does not say."""
Language = Literal["", "python", "java", "node", "dotnet", "go"]

TRACE_CHARACTERS_MAX = 200_000
"""Of one trace that are read; frames come first or last, so both ends are kept."""
MESSAGE_CHARACTERS_MAX = 500
FRAMES_MAX = 2000


class Frame(Struct, frozen=True, kw_only=True):
    """A place in a program."""

    file: str = ""
    """As the trace has it; empty: it does not say."""
    function: str = ""
    line: int = 0
    """0: it does not say."""

    @property
    def name(self) -> str:
        """`ledger/money.py:to_cents`: file without the directories that differ between machines,
        and function; no line, since lines move with every change."""
        tail = "/".join(re.split(r"[/\\]", self.file)[-2:])
        return ":".join(part for part in (tail, self.function) if part)


class LogError(Struct, frozen=True, kw_only=True):
    """An error that a program wrote about."""

    exception: str
    """Its type, `ZeroDivisionError`; with its package where the language writes it."""
    message: str = ""
    frame: Frame | None = None
    """The innermost frame of the program's own; without any, the innermost of all."""
    own: bool = False
    """`frame` is the program's own."""
    language: Language = ""

    @property
    def signature(self) -> str:
        """What tells defects apart: `ZeroDivisionError at ledger/reports.py:statement`."""
        return f"{self.exception} at {self.frame.name}" if self.frame else self.exception


class LogLine(Struct, frozen=True, kw_only=True):
    """One record of a log: a line, with the lines of a trace that belong to it."""

    template_id: str
    """8 hex digits: equal for records that differ only in values."""
    severity: Severity
    text: str
    error: LogError | None = None
    trace_id: str = ""
    """32 hex digits of the trace context that it names; empty: none."""


_FRAMEWORKS: Mapping[str, frozenset[str]] = {
    "python": frozenset(
        {
            *("aiohttp", "aiosqlite", "alembic", "anyio", "asgiref", "asyncpg", "attr", "bottle"),
            *("celery", "click", "colander", "cornice", "cryptography", "dateutil", "django"),
            *("elasticsearch", "falcon", "fastapi", "flask", "gevent", "google", "graphene"),
            *("graphql", "greenlet", "grpc", "gunicorn", "h11", "httptools", "httpx", "hypercorn"),
            *("itsdangerous", "jinja2", "jsonschema", "jwt", "litestar", "logging_color_formatter"),
            *("loguru", "markupsafe", "marshmallow", "multipart", "mako", "msgspec", "MySQLdb"),
            *("ninja", "numpy", "opentelemetry", "orjson", "pandas", "peewee", "psycopg"),
            *("psycopg2", "pydantic", "pydantic_core", "pydantic_settings", "pymongo", "pymysql"),
            *("pyramid", "python_multipart", "redis", "requests", "rest_framework", "sanic"),
            *("sentry_sdk", "simplejson", "sqlalchemy", "sqlmodel", "starlette", "strawberry"),
            *("structlog", "tenacity", "tornado", "tortoise", "transaction", "translationstring"),
            *("twisted", "urllib3", "uvicorn", "uvloop", "venusian", "waitress", "webob"),
            *("webargs", "werkzeug", "wsgiref", "yarl", "zope"),
        }
    ),
    "node": frozenset(
        {
            *("@apollo", "@fastify", "@grpc", "@hapi", "@nestjs", "@opentelemetry", "@prisma"),
            *("@sentry", "ajv", "async", "async-mutex", "aws-sdk", "axios", "better-sqlite3"),
            *("body-parser", "busboy", "connect", "cookie-parser", "cors", "express"),
            *("express-session", "fastify", "finalhandler", "generic-pool", "graphql"),
            *("graphql-tools", "helmet", "ioredis", "joi", "jsonwebtoken", "keyv", "knex", "koa"),
            *("lodash", "lodash-es", "mongodb", "mongoose", "multer", "mysql2", "mysql", "nanoid"),
            *("next", "p-queue", "passport", "pg", "pg-pool", "pino", "pino-http", "qs"),
            *("raw-body", "redis", "rxjs", "send", "sequelize", "sharp", "sqlite3", "superagent"),
            *("tarn", "typeorm", "undici", "vm2", "winston", "ws", "zod"),
        }
    ),
}
"""Packages that are nobody's own program, by the folder below `site-packages`, `node_modules`."""
_PACKAGE = re.compile(r"[/\\](?:site-packages|dist-packages|node_modules)[/\\](@?[\w.-]+)")


def error_in(text: str) -> LogError | None:
    """The error whose trace stands in TEXT; None: there is no trace. Of several that caused each
    other it is the one at the root, but for Python, where the last one is what got out."""
    if "\n" not in text:
        return None
    if len(text) > TRACE_CHARACTERS_MAX:
        half = TRACE_CHARACTERS_MAX // 2
        text = f"{text[:half]}\n{text[-half:]}"
    for sign, read in _READERS:
        if sign.search(text):
            found = read(text)
            if found is not None:
                return found
    return None


def _error(
    language: Language,
    exception: str,
    message: str,
    frames: list[Frame],
    own: Callable[[Frame], bool],
) -> LogError:
    """FRAMES: the innermost first."""
    chosen = next((frame for frame in frames if own(frame)), None)
    if chosen is None:
        chosen = next((frame for frame in frames if _installed(frame, language)), None)
    return LogError(
        exception=exception,
        message=message.strip()[:MESSAGE_CHARACTERS_MAX],
        frame=chosen or (frames[0] if frames else None),
        own=chosen is not None,
        language=language,
    )


def _installed(frame: Frame, language: str) -> bool:
    """It may be of a program that is installed as a package."""
    packages = _PACKAGE.findall(frame.file)
    return bool(packages) and packages[-1] not in _FRAMEWORKS.get(language, frozenset())


# Python: `traceback` of the standard library; exception groups have a margin of `|`.

_PYTHON_SIGN = re.compile(r"Traceback \(most recent call last\):")
_PYTHON_FRAME = re.compile(r'^\s*File "([^"\n]+)", line (\d+)(?:, in (.+?))?\s*$', re.MULTILINE)
_PYTHON_ERROR = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")
_MARGIN = re.compile(r"^[ ]*[|+][ ]?", re.MULTILINE)
_PYTHON_LIBRARY = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\][Ll]ib[/\\]python\d|[/\\]python\d[\d.]*[/\\]lib[/\\]"
    r"|^<|[/\\]Python\d+[/\\]Lib[/\\]"
)


def _python(text: str) -> LogError | None:
    text = _MARGIN.sub("", text)
    blocks = _PYTHON_SIGN.split(text)[1:]
    for block in reversed(blocks):
        frames = [
            Frame(file=file, function=function, line=int(line))
            for file, line, function in _PYTHON_FRAME.findall(block)[-FRAMES_MAX:]
        ]
        named = _python_exception(block)
        if named is not None:
            frames = frames[::-1]
            if len(blocks) > 1 and not any(map(_python_own, frames)):
                # What a framework raises anew has none of the program's frames: they are above.
                frames = [*_python_above(text), *frames]
            return _error("python", *named, frames, lambda f: not _PYTHON_LIBRARY.search(f.file))
    return None


def _python_own(frame: Frame) -> bool:
    return not _PYTHON_LIBRARY.search(frame.file) or _installed(frame, "python")


def _python_above(text: str) -> list[Frame]:
    found = _PYTHON_FRAME.findall(text)[-FRAMES_MAX:]
    frames = [Frame(file=file, function=name, line=int(line)) for file, line, name in found]
    return [frame for frame in reversed(frames) if _python_own(frame)]


def _python_exception(block: str) -> tuple[str, str] | None:
    for line in block.splitlines():
        if not line or line[0].isspace():
            continue
        found = _PYTHON_ERROR.match(line)
        if found is not None:
            return found[1].rpartition(".")[2], found[2] or ""
    return None


# Java, Kotlin, Scala: `Throwable.printStackTrace`.

_JAVA_SIGN = re.compile(
    r"^\s*at [\w.$/@<>-]+\((?:[\w$-]+\.(?:java|kt|scala|groovy|clj)\b|Native|Unk)", re.M
)
_JAVA_FRAME = re.compile(r"^\s*at (?:[\w.@-]*/)*([\w.$<>-]+)\(([^:()]*)(?::(\d+))?\)", re.M)
_JAVA_HEAD = re.compile(
    r"(?:^|[\s:])((?:[a-z_][\w$]*\.)+[A-Z][\w$]*|[A-Z]\w*(?:Exception|Error))(?:: ([^\n]*))?$", re.M
)
_JAVA_LIBRARY = re.compile(
    r"^(?:javax?|jdk|sun|com\.sun|jakarta|kotlinx?|scala|groovy|clojure|reactor|rx)\."
    r"|^(?:org\.(?:springframework|apache|hibernate|eclipse|jboss|glassfish|postgresql|slf4j|h2|"
    r"mariadb|mongodb|jooq|aspectj|codehaus|thymeleaf|junit|jetbrains|wildfly)|"
    r"io\.(?:netty|undertow|micronaut|quarkus|vertx|ktor|micrometer|grpc|projectreactor|lettuce)|"
    r"com\.(?:zaxxer|fasterxml|mysql|google\.(?:common|gson|inject)|mongodb|oracle|microsoft)|"
    r"net\.bytebuddy|ch\.qos|akka|play\.(?:api|core))\."
)


def _java(text: str) -> LogError | None:
    causes = re.split(r"^\s*Caused by: ", text, flags=re.M)
    root = causes[-1]
    head = root.split("\n", 1)[0] if len(causes) > 1 else ""
    named = _JAVA_HEAD.search(head) if head else _java_head(root)
    if named is None:
        return None
    frames = [frame for part in reversed(causes) for frame in _java_frames(part)][:FRAMES_MAX]
    return _error(
        "java", named[1], named[2] or "", frames, lambda f: not _JAVA_LIBRARY.match(f.function)
    )


def _java_head(text: str) -> re.Match[str] | None:
    first = _JAVA_FRAME.search(text)
    heads = list(_JAVA_HEAD.finditer(text[: first.start()].rstrip() if first else text))
    return heads[-1] if heads else None


def _java_frames(text: str) -> Iterator[Frame]:
    for function, file, line in _JAVA_FRAME.findall(text):
        yield Frame(file=file, function=function, line=int(line or 0))


# JavaScript: V8's `Error.stack`.

_NODE_SIGN = re.compile(
    r"^\s*at (?:.+ \()?(?:file://|node:|[/\\]|[A-Za-z]:\\|internal/)[^\n]*:\d+:\d+\)?", re.M
)
_NODE_FRAME = re.compile(
    r"^\s*at (?:(?:async )?(.+?) \()?((?:file://|node:)?[^()\n]+?):(\d+):\d+\)?", re.M
)
_NODE_HEAD = re.compile(
    r"(?:^|[\s:\]])(?:Uncaught )?([A-Z]\w*(?:\.\w+)*)(?: \[\w+\])?: ([^\n]*)", re.M
)
_NODE_LIBRARY = re.compile(r"[/\\]node_modules[/\\]|^node:|^internal/|^native |^<anonymous>")


def _node(text: str) -> LogError | None:
    causes = re.split(r"\[cause\]: ", text)
    named: re.Match[str] | None = None
    for part in reversed(causes):
        first = _NODE_FRAME.search(part)
        heads = list(_NODE_HEAD.finditer(part[: first.start()] if first else part))
        if heads:
            # What stands before the error is the log's own: `ERROR: TypeError: ...` has both.
            named = next((h for h in heads if h[1] not in _LEVEL_WORDS), None)
        if named is not None:
            break
    found = [pair for part in reversed(causes) for pair in _NODE_FRAME.findall(part)]
    if named is None or not found:
        return None
    frames = [
        Frame(file=file.removeprefix("file://"), function=name, line=int(line))
        for name, file, line in found[:FRAMES_MAX]
    ]
    return _error("node", named[1], named[2], frames, lambda f: not _NODE_LIBRARY.search(f.file))


_LEVEL_WORDS = frozenset({"ERROR", "Error", "WARN", "WARNING", "FATAL", "INFO", "DEBUG"}) - {
    "Error"
}


# .NET: `Exception.ToString`.

_DOTNET_SIGN = re.compile(r"^\s*at [^\n(]+\([^\n)]*\)(?: in [^\n]+:line \d+)?\s*$", re.M)
_DOTNET_FRAME = re.compile(r"^\s*at ([^\n(]+)\([^\n)]*\)(?: in ([^\n]+):line (\d+))?", re.M)
_DOTNET_HEAD = re.compile(
    r"(?:^|[\s>:])((?:[A-Z]\w*\.)*[A-Z]\w*Exception)(?: \([^)\n]*\))?: ([^\n]*)"
)
_DOTNET_LIBRARY = re.compile(
    r"^(?:System|Microsoft|Npgsql|MySql|Dapper|Newtonsoft|Serilog|MediatR|AutoMapper|Swashbuckle|"
    r"StackExchange|FluentValidation|Polly|Grpc|MassTransit|Hangfire)\."
)


def _dotnet(text: str) -> LogError | None:
    first = _DOTNET_FRAME.search(text)
    head = text[: first.start()] if first else text
    # The innermost exception is named last and its frames come first.
    heads = list(_DOTNET_HEAD.finditer(head))
    if not heads:
        return None
    named = heads[-1]
    frames = [
        Frame(file=file, function=function.strip(), line=int(line or 0))
        for function, file, line in _DOTNET_FRAME.findall(text)[:FRAMES_MAX]
    ]
    message = named[2].split(" ---> ")[0]
    return _error(
        "dotnet", named[1], message, frames, lambda f: not _DOTNET_LIBRARY.match(f.function)
    )


# Go: `runtime` on a panic, and `net/http`, which recovers from one.

_GO_SIGN = re.compile(r"^goroutine \d+ \[[^\]]*\]:", re.M)
_GO_FRAME = re.compile(r"^(\S[^\n]*)\([^\n]*\)\n\t([^\n]+?):(\d+)", re.M)
_GO_PANIC = re.compile(r"panic(?: serving [^\n]*?\d)?: ([^\n]*)")
_GO_LIBRARY = re.compile(r"/pkg/mod/|/vendor/|/go[\d.]*/src/|^runtime/|/libexec/src/")
_GO_RUNTIME = re.compile(r"^(?:runtime|net/http|reflect|sync|testing)[./]|^panic$")
_GO_KIND = re.compile(r"^(?:runtime error|[\w.*]+)(?=: )")


def _go(text: str) -> LogError | None:
    panic = _GO_PANIC.search(text)
    if panic is None:
        return None
    routine = text[_GO_SIGN.search(text).start() :]  # type: ignore[union-attr]
    routine = routine.split("\n\n", 1)[0]
    frames = [
        Frame(file=file, function=function, line=int(line))
        for function, file, line in _GO_FRAME.findall(routine)[:FRAMES_MAX]
    ]
    message = re.sub(r" \[recovered\]$", "", panic[1])
    kind = _GO_KIND.match(message)
    return _error(
        "go",
        f"panic: {kind[0]}" if kind is not None else "panic",
        message[kind.end() + 2 :] if kind is not None else message,
        frames,
        lambda f: not (_GO_LIBRARY.search(f.file) or _GO_RUNTIME.match(f.function)),
    )


_READERS: tuple[tuple[re.Pattern[str], Callable[[str], LogError | None]], ...] = (
    (_PYTHON_SIGN, _python),
    (_GO_SIGN, _go),
    (_JAVA_SIGN, _java),
    (_NODE_SIGN, _node),
    (_DOTNET_SIGN, _dotnet),
)
"""In this order: the signs of the later ones are the weaker ones."""
