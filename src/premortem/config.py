"""premortem.toml, parsed once into one frozen value.

Relative paths in it are relative to the file. `${NAME}` in credentials stands for an
environment variable and is resolved when it is needed, never stored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from premortem.domain.invariant import parse_invariant
from premortem.domain.stated import parse_stated
from premortem.errors import ConfigError

FILE_NAME = "premortem.toml"


class StoreConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[store]`."""

    path: str = ".premortem/store.db"
    url: str = ""
    """`postgresql://user:${PASSWORD}@host/database`, in place of `path`; the database is the
    store's alone."""
    key_file: str = ".premortem/key"
    """Made with mode 0600 at the first use; PREMORTEM_KEY takes precedence."""
    lock_wait_s: float = 5.0


class CaptureConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[capture]`: what of a recording is kept."""

    hosts: tuple[str, ...] = ()
    """`host` or `host:port`; empty: the target's host, or all when there is no target. `*`: all."""
    methods: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    """`200`, `4xx`; empty: all."""
    include_paths: tuple[str, ...] = ()
    """Globs; empty: all."""
    exclude_paths: tuple[str, ...] = ()
    static_assets: bool = False
    """Keep images, style sheets, scripts and fonts."""
    session_header: str = ""
    """A header that tells clients' visits apart; empty: credentials, cookies, then address."""
    role_header: str = ""
    body_bytes_max: int = 32 * 1024 * 1024
    """A larger body is dropped from its exchange, and counted."""
    spool: str = ".premortem/spool"
    """Where the proxy and the middleware write what they record until the store takes it in."""
    sample: float = 1.0
    """The share of clients, minute by minute, whose requests they record; within [0, 1]."""
    operation_per_minute_max: int = 0
    """Exchanges of one method, path form and status class that they record; 0: all."""
    rotate_bytes: int = 64 * 1024 * 1024
    """A spool's segment of this size is closed, and a new one begun."""
    rotate_s: float = 300.0
    keep_bytes: int = 1024 * 1024 * 1024
    """Of segments that wait; the oldest are removed beyond that, and counted."""
    keep_days: float = 7.0
    keep_segments: int = 1000


class RedactRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[redact.rules]]`: what else is replaced, by the form of a value or by its field's name."""

    name: str
    """What the counts call it."""
    pattern: str = ""
    """A regular expression; what it finds in a text is replaced."""
    field: str = ""
    """Or: a glob for field names, as they are written or with their words joined by `_`."""
    where: tuple[Literal["body", "header", "query", "path"], ...] = ()
    """Empty: everywhere."""
    replace: Literal["token", "keep-format", "drop"] = "token"


class RedactConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[redact]`: beyond the built-in rules."""

    fields: tuple[str, ...] = ()
    """Further field names whose values never reach the disk."""
    headers: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    """Field names that are kept although a rule matches."""
    allow_values: tuple[str, ...] = ()
    """Regular expressions; a value that one describes from end to end is kept."""
    allow_paths: tuple[str, ...] = ()
    """Globs; of requests to these paths only headers and cookies are redacted."""
    personal: bool = True
    """Replace personal data; `false` leaves credentials alone to be replaced."""
    keep: tuple[str, ...] = ()
    """Classes of personal data that stay: name, address, birth, email, phone, ip, position,
    device, national-id, card, account, sensitive."""
    rules: tuple[RedactRule, ...] = ()


class Reset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to bring the target back to a fresh state: a command or a request."""

    command: str = ""
    """Run by the shell in the directory of premortem.toml."""
    request: str = ""
    """`POST /_test/reset`."""
    role: str = ""
    """Whose credentials the request carries."""
    timeout_s: float = 60.0


class TargetConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[target]`: the service under test."""

    base_url: str = ""
    """`http://127.0.0.1:8700`, with a path prefix if it has one."""
    disposable: bool = False
    """Its data may be changed. Without it only safe methods are sent."""
    ready: str = "/"
    """Path that answers, with any status, once the target is up."""
    ready_timeout_s: float = 30.0
    reset: Reset = Reset()
    spec: str = ""
    """OpenAPI document, or a GraphQL schema (SDL or an introspection's answer): a file."""
    graphql_spec: str = ""
    """A GraphQL schema beside the OpenAPI document."""
    graphql_path: str = "/graphql"
    """Where the operations of a GraphQL schema are served."""
    ca: str = ""
    """PEM file with further certificate authorities."""
    proxy: str = ""
    """`http://host:port`."""
    http: Literal["1.1", "2"] = "1.1"
    """`2` needs the extra `http2`: by ALPN over TLS, by prior knowledge without."""
    tenant_header: str = ""
    """Header by which requests tell their tenant; for `context.user.tenant` of a plan."""
    clock_header: str = ""
    """Header by which one request tells a test service what time it is, `X-Test-Now`."""
    edition_header: str = ""
    """Header by which requests tell their edition; recorded ones are tagged with it."""
    rate_per_second_max: float = 200.0
    response_bytes_max: int = 16 * 1024 * 1024
    log: str = ""
    """The file it writes its log to; followed during a run."""
    log_command: str = ""
    """In place of a file: a command that prints the log, `docker logs -f --since 0s api`; run by
    the shell in the directory of premortem.toml."""
    trace: bool = False
    """Send `traceparent` (W3C Trace Context), so that its traces and log can be joined."""


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[roles.NAME.login]`: a request whose answer holds the token."""

    request: str = "POST /login"
    json: Mapping[str, str] = {}
    form: Mapping[str, str] = {}
    token: str = "/token"  # noqa: S105 - a JSON pointer
    """JSON pointer into the answer."""
    header: str = "Authorization"
    prefix: str = "Bearer "


class RoleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[roles.NAME]`: one way to sign in; all values may be `${ENV}`, secrets must be."""

    header: Mapping[str, str] = {}
    basic: str = ""
    """`user:${PASSWORD}`."""
    bearer: str = ""
    cookie: str = ""
    login: Login | None = None
    match: str = ""
    """What captured credentials look like that are this role's: a user name, or a claim."""

    @property
    def identities(self) -> tuple[str, ...]:
        """Names it signs in with, as far as they stand in the file: secrets are variables."""
        found = [self.basic.partition(":")[0]]
        if self.login is not None:
            found += [*self.login.json.values(), *self.login.form.values()]
        return tuple(name for name in found if name and not _VARIABLE.search(name))


class ModelConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[models.NAME]`: a language model that the source `llm` may use."""

    engine: Literal["llamacpp", "openai"] = "openai"
    """`llamacpp` runs a GGUF file in this process; `openai` asks an endpoint."""
    use: bool = False
    """Use this one where several are configured; without any, the built-in one is used."""
    path: str = ""
    """`llamacpp`: the GGUF file; empty: the one that `premortem models fetch` brings."""
    threads: int = 1
    slots: int = 8
    """`llamacpp`: requests worked on at once; their prompts are evaluated once in each."""
    context_tokens: int = 1280
    """`llamacpp`: of one slot, prompt and answer together."""
    base_url: str = ""
    """`openai`: up to and including `/v1`."""
    model: str = ""
    key: str = ""
    """`${NAME}` of an environment variable; empty: none is sent."""
    remote: bool = False
    """`base_url` is not this machine, and may see redacted requests."""
    concurrency_max: int = 4
    rate_per_minute_max: float = 0.0
    """0: no limit."""
    timeout_s: float = 60.0
    retries_max: int = 4
    temperature: float = 0.8
    mutate_share: float = 0.0
    """Of the cases of the source `mutate`, how many the model makes; within [0, 1]."""
    tokens_max: int = 2_000_000
    """Of one command, in and out; then no more is asked."""
    seconds_max: float = 900.0
    """Of one command, spent on asking."""
    cost_max: float = 0.0
    """In the prices' currency, of one command; 0: no limit."""
    price_in: float = 0.0
    """Per million tokens of prompt."""
    price_out: float = 0.0


class MetricConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[metrics.NAME]`: what the target says of itself; `target.NAME` in a plan."""

    kind: Literal["scrape", "prometheus", "otlp"]
    """`scrape` reads a page of metrics, `prometheus` asks a server, `otlp` listens."""
    url: str = ""
    """`scrape`: the page; `prometheus`: the server's base, `http://127.0.0.1:9090`."""
    query: str = ""
    """`prometheus`: PromQL for one moment."""
    series: str = ""
    """`scrape`, `otlp`: `process_cpu_seconds_total{job="api"}`; also !=, =~ and !~."""
    listen: str = ""
    """`otlp`: `127.0.0.1:4318`, where the target's exporter sends to (OTLP/HTTP)."""
    rate: bool = False
    """A counter: its growth per second, whatever restarts."""
    scale: float = 1.0
    """The value is multiplied by it: 100 makes a share a percentage."""
    combine: Literal["sum", "max", "min", "mean"] = "sum"
    """Several series match."""
    required: bool = True
    """`require_metrics` of a plan is about this one, too."""
    bearer: str = ""
    """`${NAME}`: sent with each request; `otlp`: what the exporter has to send."""
    ca: str = ""
    """PEM file with further certificate authorities."""
    interval_s: float = 1.0
    timeout_s: float = 2.0
    stale_s: float = 10.0
    """An older value is none."""
    response_bytes_max: int = 16 * 1024 * 1024


class CheckConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[checks]`: what answers are held against."""

    off: tuple[str, ...] = ()
    """Names of checks that are left out everywhere."""
    off_for: Mapping[str, tuple[str, ...]] = {}
    """Operation id, or a glob (`GET /reports/*`) -> names of checks that are left out there."""
    response_ms_max: float = 0.0
    """A slower answer is a finding; 0: no limit."""
    files: tuple[str, ...] = ()
    """Python files with checks of your own; they are run, so they have to be yours."""
    invariants: tuple[str, ...] = ()
    """What must hold of answers, a line each: `GET /reports/tax: due == tax - refunded`."""
    rules: tuple[str, ...] = ()
    """What must hold of the order of requests and of who sends them, a line each:
    `POST /invoices/{invoice_id}/late-fee: once`; see `domain.stated`."""
    blueprints: tuple[str, ...] = ()
    """Files (YAML, JSON, Markdown) with `rules` and `states` that the target is held to."""
    suggested: bool = True
    """Rules that traffic or specification suggests are tried, too."""


class TokenConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tokens]`: the JSON Web Tokens that the target takes, for security tests that forge them."""

    forge: bool = True
    """False: tokens are left as they are."""
    key: str = ""
    """`${NAME}` of the variable with the key that signs them, PEM or a secret: what has expired or
    is for somebody else can be made with it alone. Empty: only what needs no key is tried."""
    algorithm: str = ""
    """`RS256`; empty: the one of the token that is forged."""
    public: str = ""
    """Where the keys that verify them are: a path of the target, or a file (JWK set, PEM). Empty:
    a path that ends in `jwks.json`, if the target is known to have one."""


class SecurityConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[security]`: what security tests may be sent to, and how much."""

    hosts: tuple[str, ...] = ()
    """Hosts beside this machine that they may be sent to: naming one says that its data is
    nobody's, and that its owner agrees."""
    burst_max: int = 30
    """Requests sent in a row to see whether a limit holds."""
    attempts_max: int = 0
    """Wrong passwords in a row after which a login has to refuse more with 429 or 403; 0: nobody
    says."""


class CoverageConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[coverage]`: what else is read of what a run reached in the target."""

    code: str = ""
    """The target's code coverage: a file of coverage.py (`.coverage` or JSON), LCOV, Cobertura or
    JaCoCo XML."""
    code_command: str = ""
    """Run by the shell before each reading, `docker exec api coverage json -o /shared/c.json`."""
    code_interval_s: float = 0.0
    """Seconds between readings while a run goes on; 0: at its end alone."""
    traces: str = ""
    """`127.0.0.1:4319`, where the target's exporter sends its traces to (OTLP/HTTP)."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of premortem.toml."""

    store: StoreConfig = StoreConfig()
    capture: CaptureConfig = CaptureConfig()
    redact: RedactConfig = RedactConfig()
    target: TargetConfig = TargetConfig()
    roles: Mapping[str, RoleConfig] = {}
    models: Mapping[str, ModelConfig] = {}
    metrics: Mapping[str, MetricConfig] = {}
    checks: CheckConfig = CheckConfig()
    coverage: CoverageConfig = CoverageConfig()
    tokens: TokenConfig = TokenConfig()
    security: SecurityConfig = SecurityConfig()
    features: str = "features"
    """Where scenarios are written."""
    bindings: str = "premortem.bindings.toml"
    directory: str = "."
    """Where premortem.toml lies; not written in it."""

    @property
    def identities(self) -> frozenset[str]:
        """Names that any of the roles signs in with; generated cases leave those accounts alone."""
        return frozenset(name for role in self.roles.values() for name in role.identities)

    def path(self, name: str) -> Path:
        """NAME relative to the configuration's directory."""
        return Path(self.directory) / name


def find(start: Path) -> Path | None:
    """premortem.toml in the folder START or the nearest one above it, or None."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def load(path: Path) -> Config:
    """The configuration in PATH. Raises ConfigError with file and place."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; run `premortem init` to write one"
        ) from None
    try:
        config = msgspec.toml.decode(data, type=Config)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: {error}; mend it there or compare with `premortem init`"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    said = data.decode("utf-8")
    _refuse_lines("invariants", config.checks.invariants, parse_invariant, said, path)
    _refuse_lines("rules", config.checks.rules, parse_stated, said, path)
    return msgspec.structs.replace(config, directory=str(path.parent))


def _refuse_lines(
    name: str, lines: Iterable[str], parse: Callable[[str], object], text: str, path: Path
) -> None:
    """Raise ConfigError, with the line, for one of LINES of `checks.NAME` that means nothing."""
    for written in lines:
        try:
            parse(written)
        except ValueError as error:
            line = next((i for i, said in enumerate(text.splitlines(), 1) if written in said), 1)
            raise ConfigError(f"{path}, line {line}: checks.{name}: `{written}`: {error}") from None


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def resolve(text: str, *, environment: Mapping[str, str] = os.environ) -> str:
    """TEXT with every `${NAME}` replaced. Raises ConfigError when a variable is not set."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise ConfigError(f"the environment variable {name} is not set; export it first")
        return environment[name]

    return _VARIABLE.sub(value, text)
