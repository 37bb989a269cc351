"""What every HTML report is made with."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from premortem.analyse import excerpt


def environment() -> Environment:
    """For `analyse/templates`: what is put into one is escaped, a missing name is an error."""
    made = Environment(
        loader=PackageLoader("premortem.analyse"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown"] = excerpt.printable
    made.filters["number"] = lambda value: f"{value:,}"
    return made
