"""Nothing that changes data goes to a target that nobody marked disposable."""

from __future__ import annotations

from collections.abc import Iterable

from premortem.config import TargetConfig
from premortem.domain.run import SAFE_METHODS, Sequence
from premortem.errors import UnsafeTarget


def refuse_unsafe(sequences: Iterable[Sequence], target: TargetConfig) -> None:
    """Raise UnsafeTarget for the first unsafe method if TARGET is not disposable."""
    if target.disposable:
        return
    for sequence in sequences:
        for case in sequence.cases:
            if case.request.method not in SAFE_METHODS:
                raise UnsafeTarget(
                    target=target.base_url,
                    method=case.request.method,
                    operation_id=case.operation_id,
                )
