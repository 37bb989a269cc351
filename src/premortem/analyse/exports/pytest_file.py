"""A finding as a file for pytest that runs alone: the standard library and pytest."""

from __future__ import annotations

import inspect
import json
import pprint
import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from msgspec import Struct

from premortem.analyse.excerpt import printable
from premortem.analyse.exports import judging, sending, shapes
from premortem.analyse.exports.expecting import Expected, expected_of
from premortem.analyse.exports.expressions import Call, literal
from premortem.config import Config, RoleConfig
from premortem.domain.run import Case, Finding
from premortem.domain.traffic import OperationProfile, Profile

LINE_CHARS_MAX = 96
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Unwritable(Struct, frozen=True, kw_only=True):
    """Why a finding has no test of its own."""

    why: str


class Setting(Struct, frozen=True, kw_only=True):
    """What all exported files of one project need."""

    config: Config
    profile: Profile
    accounts: tuple[Case, ...] = ()
    """What makes the roles' accounts after a reset."""
    secrets: Mapping[str, str] = {}
    """What stands for a credential in stored requests -> the variable that holds it."""

    def operation(self, finding: Finding) -> OperationProfile | None:
        """What is known of the operation of FINDING."""
        return self.profile.operation(finding.operation_id)


def file_name(finding: Finding) -> str:
    """`test_post_invoices_83da0536.py`."""
    return f"{function_name(finding)}.py"


def function_name(finding: Finding) -> str:
    """`test_post_invoices_83da0536`."""
    words = re.sub(r"[^a-z0-9]+", "_", finding.operation_id.lower()).strip("_")
    return f"test_{words[:60].strip('_')}_{finding.id}"


def pytest_file(finding: Finding, setting: Setting) -> str | Unwritable:
    """FINDING as the text of a Python file; it fails while the service is wrong.

    Base URL and credentials come from environment variables; none stands in the file.
    """
    expected = expected_of(finding, setting.operation(finding))
    if expected.untold:
        return Unwritable(why=expected.untold)
    cases = finding.sequence.cases
    roles = _roles({case.role for case in (*cases, *setting.accounts) if case.role}, setting.config)
    variables = sorted({*_VARIABLE.findall(json.dumps(roles)), *_used(setting, cases)})
    parts = [
        _head(finding, setting, variables),
        _constants(setting.config, roles, expected),
        _source(sending),
        *([_source(shapes)] if expected.shapes else []),
        *([_source(judging)] if expected.judging else []),
        _fresh(setting),
        _test(finding, expected, setting),
    ]
    return _imports_first("\n\n\n".join(part.strip("\n") for part in parts)) + "\n"


def _head(finding: Finding, setting: Setting, variables: list[str]) -> str:
    needed = " ".join(f"{name}=..." for name in variables)
    base = setting.config.target.base_url
    lines = [
        f"{finding.operation_id}: {finding.title}",
        "",
        finding.verdict.evidence,
        "",
        f"Written by Premortem from its finding {finding.id} ({finding.check}). It fails while the",
        "service is wrong and passes once it is right; it needs Python 3.11 and pytest, no more:",
        "",
        f"    {needed + ' ' if needed else ''}pytest {file_name(finding)}",
        "",
        f"PREMORTEM_BASE_URL names another service than {base}.",
    ]
    if setting.config.target.reset.request:
        lines += [
            "PREMORTEM_RESET names the request that brings it to a fresh state, `POST /reset`;",
            f"for {base} it is the one of premortem.toml.",
        ]
    elif setting.config.target.reset.command:
        lines += ["Bring the service to a fresh state first, as premortem.toml says."]
    text = "\n".join(printable(line) for line in lines).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{text}\n"""'


def _constants(config: Config, roles: dict[str, Any], expected: Expected) -> str:
    base = config.target.base_url
    reset = config.target.reset.request
    lines = [
        f"DEFAULT_URL = {literal(base)}",
        'BASE_URL = os.environ.get("PREMORTEM_BASE_URL", DEFAULT_URL)',
        f"RESET = os.environ.get(\n    "
        f'"PREMORTEM_RESET", {literal(reset)} if BASE_URL == DEFAULT_URL else ""\n)',
        f"RESET_ROLE = {literal(config.target.reset.role)}",
        f"ROLES: dict[str, dict[str, Any]] = {pprint.pformat(roles, width=90, sort_dicts=False)}",
    ]
    for name, value in expected.constants.items():
        shown = pprint.pformat(value, width=90, sort_dicts=False)
        lines.append(f"{name}: Any = {shown}" if name.isupper() else f"{name} = {shown}")
    return "\n".join(lines)


def _roles(names: Iterable[str], config: Config) -> dict[str, Any]:
    return {
        name: _shown_role(name, config.roles[name])
        for name in sorted({*names, config.target.reset.role} - {""})
        if name in config.roles
    }


def _shown_role(name: str, role: RoleConfig) -> dict[str, Any]:
    """How ROLE signs in, secrets as variables: a literal one does not go into a file."""
    made: dict[str, Any] = {}
    if role.header:
        made["header"] = {k: _hidden(v, name, k) for k, v in role.header.items()}
    if role.basic:
        user, _, password = role.basic.partition(":")
        made["basic"] = f"{user}:{_hidden(password, name, 'password')}"
    if role.bearer:
        made["bearer"] = _hidden(role.bearer, name, "token")
    if role.cookie:
        key, _, value = role.cookie.partition("=")
        made["cookie"] = f"{key}={_hidden(value, name, 'cookie')}"
    if role.login is not None:
        login = role.login
        made["login"] = {
            "request": login.request,
            "json": {k: _hidden(v, name, k) for k, v in login.json.items()},
            "form": {k: _hidden(v, name, k) for k, v in login.form.items()},
            "token": login.token,
            "header": login.header,
            "prefix": login.prefix,
        }
    return made


_NAMES = re.compile(r"user|login|name|mail|account|grant|client_?id|scope|realm|tenant", re.I)


def _hidden(text: str, role: str, key: str) -> str:
    if not text or _VARIABLE.search(text) or (_NAMES.search(key) and "secret" not in key.lower()):
        return text
    return "${" + re.sub(r"[^A-Za-z0-9]+", "_", f"ROLE_{role}_{key}").upper() + "}"


def _used(setting: Setting, cases: Iterable[Case]) -> set[str]:
    """Variables of credentials that stand in requests."""
    found = set()
    for case in (*cases, *setting.accounts):
        text = " ".join(Call(case, secrets=setting.secrets).keywords())
        found |= set(_VARIABLE.findall(text))
    return found


def _source(module: ModuleType) -> str:
    """The text of MODULE, without its docstring and its `__future__` line."""
    return inspect.getsource(module).split("from __future__ import annotations\n", 1)[1]


def _imports_first(text: str) -> str:
    """TEXT with the imports that stand in it at its beginning, each once."""
    head, _, rest = text.partition('"""\n\n')
    found = re.findall(r"^(?:import \S+|from \S+ import .+)$", rest, re.MULTILINE)
    rest = re.sub(r"^(?:import \S+|from \S+ import .+)\n", "", rest, flags=re.MULTILINE)
    plain = sorted({line for line in found if line.startswith("import ")})
    named: dict[str, set[str]] = {}
    for line in found:
        if line.startswith("from "):
            module, _, names = line.removeprefix("from ").partition(" import ")
            named.setdefault(module, set()).update(n.strip() for n in names.split(","))
    lines = [*plain, *(f"from {m} import {', '.join(sorted(n))}" for m, n in sorted(named.items()))]
    rest = re.sub(r"\n{4,}", "\n\n\n", rest.strip("\n"))
    imports = "\n".join(lines)
    return f'{head}"""\n\nfrom __future__ import annotations\n\n{imports}\n\n{rest}'


def _fresh(setting: Setting) -> str:
    lines = [
        "SERVICE = Service(BASE_URL, ROLES)",
        "",
        "",
        "def fresh() -> None:",
        '    """Bring the service to a fresh state, where it is said how."""',
        "    if RESET:",
        '        method, _, path = RESET.partition(" ")',
        "        answer = SERVICE.send(method, path.strip(), role=RESET_ROLE)",
        '        assert answer.status < 400, f"the reset was answered {answer.status}"',
        "        SERVICE.forget()",
    ]
    for case in setting.accounts:
        if not case.bindings:
            words = Call(case, secrets=setting.secrets).keywords()
            lines.append(_call("        SERVICE.send", words))
    lines += [
        "",
        "",
        "def said(answer: Answer, wanted: str) -> str:",
        '    """What is wrong with ANSWER."""',
        '    shown = answer.body[:500].decode("utf-8", "replace")',
        '    return f"answered {answer.status} {shown!r}; a correct service answers: {wanted}"',
    ]
    return "\n".join(lines)


def _test(finding: Finding, expected: Expected, setting: Setting) -> str:
    lines = [
        f"def {function_name(finding)}() -> None:",
        f"    {_docstring(finding.title)}",
        "    fresh()",
        "    answers: list[Answer] = []",
    ]
    last_path = ""
    for group in finding.sequence.groups:
        calls = [Call(case, secrets=setting.secrets) for case in group]
        last_path = calls[-1].path()
        if len(group) == 1:
            lines.append(_call("    answers.append(SERVICE.send", calls[0].keywords()) + ")")
            continue
        lines.append("    answers += SERVICE.at_once(")
        lines += [_call("        dict", call.keywords()) + "," for call in calls]
        lines.append("    )")
    lines.append("    last = answers[-1]")
    if any("paths[-1]" in line for line in expected.lines):
        lines.append(f"    paths = [{last_path}]")
    lines += [f"    {line}" for line in expected.lines]
    return "\n".join(lines)


def _docstring(text: str) -> str:
    shown = printable(text).replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{shown}."""'


def _call(start: str, words: list[str]) -> str:
    line = f"{start}({', '.join(words)})"
    if len(line) <= LINE_CHARS_MAX:
        return line
    indent = " " * (len(start) - len(start.lstrip()) + 4)
    inner = "".join(f"{indent}{word},\n" for word in words)
    return f"{start}(\n{inner}{indent[4:]})"
