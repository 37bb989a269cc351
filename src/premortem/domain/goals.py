"""What a run is to reach beside its load: what `[goals]` of a plan file says. Values only."""

from __future__ import annotations

from msgspec import Struct

from premortem.domain.coverage import StatusClass, ValueClass


class Goals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[goals]`: the cases of each slice are made with what came of earlier ones.

    What is favoured gets `favour` times the energy of all else; nothing is left out for it.
    """

    coverage: bool = False
    """Look for what was not tried yet and for answers that are news. False: no goals."""
    operations: tuple[str, ...] = ()
    """Operation ids to favour."""
    places: tuple[str, ...] = ()
    """`body:/amount`, `query:limit`: of any operation that has them."""
    roles: tuple[str, ...] = ()
    value_classes: tuple[ValueClass, ...] = ()
    statuses: tuple[StatusClass, ...] = ()
    """Favours operations that have not answered so yet: `2xx`, `5xx`."""
    favour: float = 4.0
    give_up_after: int = 12
    """Cases in a row without news after which one way to alter an operation, or all of them
    together times this, are let be until all else is."""
    slice_requests: int = 150
    """Requests that are made at a time. What comes of a slice is known to the slice after next."""
    sequences: float = 0.0
    """Share of a slice's requests that goes to whole sequences, whatever news they bring. 0: as
    much as news earns them; with the source `security` a fifth."""
