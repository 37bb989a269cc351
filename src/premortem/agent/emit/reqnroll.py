"""The step catalogue for Reqnroll: a C# class made from the same data, over the same engine.

The class only finds the steps; a child process (`premortem steps serve`) carries them out, so a
scenario means the same under Reqnroll as under behave and pytest-bdd.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from premortem.agent.steps.catalogue import CATALOGUE
from premortem.errors import InputError

_PARAMETER = re.compile(r"\{(string|int)\}")
_NAMESPACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")

_TEMPLATE = Path(__file__).with_name("reqnroll.template.cs")


def reqnroll_class(*, namespace: str = "Premortem.Specs", phrases: Collection[str] = ()) -> str:
    """C# source of a binding class for the catalogue and PHRASES.

    Raises InputError when NAMESPACE is none.
    """
    if _NAMESPACE.fullmatch(namespace) is None:
        raise InputError(f"{namespace!r} is no C# namespace; write it like Payments.Specs")
    template = _TEMPLATE.read_text(encoding="utf-8").replace("__NAMESPACE__", namespace)
    return template.replace("__STEPS__", "".join(_methods(phrases)))


def _methods(phrases: Collection[str]) -> Iterator[str]:
    for entry in CATALOGUE:
        below = "table" if entry.table else "docstring" if entry.docstring else ""
        name = "".join(part.capitalize() for part in entry.name.split("_"))
        yield _method(entry.expression, name, below)
        if below == "table":
            # Rows may stand there as JSON, too.
            yield _method(entry.expression, name + "Json", "docstring")
    for number, phrase in enumerate(phrases, start=1):
        yield _method(phrase, f"Phrase{number}", "")


def _method(expression: str, name: str, below: str) -> str:
    kinds = _PARAMETER.findall(expression)
    parameters = [f"{kind} {chr(ord('a') + i)}" for i, kind in enumerate(kinds)]
    arguments = ", ".join(chr(ord("a") + i) for i in range(len(kinds)))
    given = f"new object[] {{ {arguments} }}" if kinds else "new object[0]"
    more = ""
    if below == "docstring":
        parameters.append("string docstring")
        more = ", docstring"
    elif below == "table":
        parameters.append("DataTable table")
        more = ", table: table"
    text = expression.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'        [StepDefinition("{text}")]\n'
        f"        public void {name}({', '.join(parameters)})\n"
        f"        {{\n"
        f'            Perform("{text}", {given}{more});\n'
        f"        }}\n\n"
    )
