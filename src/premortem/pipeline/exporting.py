"""Findings -> files that run or are read without Premortem."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from msgspec import Struct

from premortem.analyse.exports import (
    Setting,
    Unwritable,
    allure,
    curl_script,
    file_name,
    har,
    junit,
    pytest_file,
    sarif,
)
from premortem.config import Config, RoleConfig
from premortem.domain.run import Finding
from premortem.domain.tokens import make_email_token, make_token
from premortem.errors import InputError
from premortem.pipeline.accounts import account_cases
from premortem.pipeline.generate import recorded
from premortem.send.auth import RESTORE_LENGTH_MIN
from premortem.store import Store

Format = Literal["pytest", "curl", "har", "junit", "sarif", "allure"]
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Exported(Struct, frozen=True, kw_only=True):
    """What was written."""

    files: tuple[str, ...]
    left_out: Mapping[str, str] = {}
    """Finding id -> why it has no file of that form."""


def export_findings(
    findings: Sequence[Finding],
    *,
    form: Format,
    directory: Path,
    config: Config,
    store: Store,
    environment: Mapping[str, str] = os.environ,
) -> Exported:
    """Write FINDINGS into DIRECTORY, which is made; files that are there are replaced.

    None of the files holds a credential: those that stand in requests become the variables of
    ENVIRONMENT that they come from. Raises InputError when nothing can be written.
    """
    made: dict[str, str] = {}
    left_out: dict[str, str] = {}
    own = version("premortem")
    match form:
        case "pytest":
            settings: dict[str, Setting] = {}
            for finding in findings:
                if finding.run_id not in settings:
                    settings[finding.run_id] = _setting(finding, config, store, environment)
                text = pytest_file(finding, settings[finding.run_id])
                _put(made, left_out, finding, file_name(finding), text)
        case "curl":
            for finding in findings:
                _put(made, left_out, finding, f"{finding.id}.sh", curl_script(finding))
        case "har":
            made["findings.har"] = har(findings, base_url=config.target.base_url, version=own)
        case "junit":
            made["findings.xml"] = junit(findings)
        case "sarif":
            spec = config.target.spec
            document = "premortem.toml" if Path(spec).is_absolute() or not spec else spec
            made["findings.sarif"] = sarif(findings, version=own, document=document)
        case "allure":
            made |= allure(findings)
    return Exported(files=_written(made, directory), left_out=left_out)


def _put(
    made: dict[str, str],
    left_out: dict[str, str],
    finding: Finding,
    name: str,
    text: str | Unwritable,
) -> None:
    if isinstance(text, Unwritable):
        left_out[finding.id] = text.why
    else:
        made[name] = text


def _written(made: Mapping[str, str], directory: Path) -> tuple[str, ...]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write into {directory}: {error.strerror}") from None
    return tuple(str(directory / name) for name in made)


def _setting(
    finding: Finding, config: Config, store: Store, environment: Mapping[str, str]
) -> Setting:
    profile = store.profile(store.run(finding.run_id).profile_version)
    key = store.redaction_key
    accounts = account_cases(profile, recorded(store, profile), config=config, redaction_key=key)
    return Setting(
        config=config,
        profile=profile,
        accounts=accounts,
        secrets=credential_names(config.roles.values(), key=key, environment=environment),
    )


def credential_names(
    roles: Iterable[RoleConfig], *, key: bytes, environment: Mapping[str, str]
) -> dict[str, str]:
    """What stands for a credential in stored requests -> the variable that it comes from.

    KEY: of the redaction. Variables that are not set, and short ones, are left out: nothing is
    restored for them either.
    """
    texts: list[str] = []
    for role in roles:
        texts += [*role.header.values(), role.basic, role.bearer, role.cookie]
        if role.login is not None:
            texts += [*role.login.json.values(), *role.login.form.values()]
    made: dict[str, str] = {}
    forms: tuple[Callable[[bytes, str], str], ...] = (make_token,)
    for name in {name for text in texts for name in _VARIABLE.findall(text)}:
        value = environment.get(name, "")
        if len(value) < RESTORE_LENGTH_MIN:
            continue
        for form in (*forms, make_email_token) if "@" in value else forms:
            made[form(key, value)] = name
    return made
