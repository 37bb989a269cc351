"""What sources say against each other, held beside what a run found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from msgspec import Struct

from premortem.analyse import active
from premortem.config import Config
from premortem.domain.run import Finding, RunSummary
from premortem.domain.source_findings import SourceFinding, source_findings
from premortem.errors import ConfigError, InputError
from premortem.pipeline.access import access_of
from premortem.pipeline.securing import SECURITY
from premortem.store import Store


class Contradicting(Struct, frozen=True, kw_only=True):
    """The contradictions between sources that nobody ignores."""

    found: tuple[SourceFinding, ...] = ()
    """The gravest first."""
    trouble: str = ""
    """Why sources could not be read; empty: they could."""


def contradicting(
    config: Config, store: Store, run: RunSummary, findings: Iterable[Finding], *, today: date
) -> Contradicting:
    """What the files beside CONFIG, its specification, recorded traffic in STORE and RUN say
    against each other; what its FINDINGS show already is left out, and so are what other runs
    saw, and what is ignored on TODAY. Nothing of a run without security tests: others are not
    about who may, and reading all files takes seconds."""
    if not run.plan.sources.get(SECURITY):
        return Contradicting()
    try:
        access = access_of(config, store, folder=Path(config.directory))
    except (InputError, ConfigError) as error:
        return Contradicting(trouble=str(error))
    quiet = active(store.ignored(), today)
    mine = (
        one
        for one in access.contradictions
        if one.against.source != "run" or one.against.run_id == run.id
    )
    found = source_findings(mine, shown=findings)
    return Contradicting(found=tuple(f for f in found if f.id not in quiet))
