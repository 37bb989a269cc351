"""A finding as a shell script with one curl line."""

from __future__ import annotations

from premortem.analyse.excerpt import printable
from premortem.analyse.exports.pytest_file import Unwritable
from premortem.domain.run import Finding


def curl_script(finding: Finding) -> str | Unwritable:
    """FINDING as a script for a POSIX shell; of one request only, for a shell cannot take values
    out of one answer into the next request without further tools."""
    if len(finding.sequence.cases) > 1:
        number = len(finding.sequence.cases)
        return Unwritable(
            why=f"it takes {number} requests, with values of one answer in the next; use "
            "--format pytest"
        )
    title = printable(f"{finding.operation_id}: {finding.title}").replace("\n", " ")
    evidence = printable(finding.verdict.evidence).replace("\n", " ")
    return (
        f"#!/bin/sh\n# {title}\n# {evidence}\n"
        f"# Premortem's finding {finding.id}; variables hold the credentials.\nset -u\n"
        f"{finding.curl}\n"
    )
