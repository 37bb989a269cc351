"""Which of the faults in DEFECTS.md are switched on."""

from __future__ import annotations

from collections.abc import Iterable

DEFECT_IDS = tuple(f"L{number:02}" for number in range(1, 31))
WEAKNESS_IDS = ("API4", "API7", "API9", "API10")
"""Those of WEAKNESSES.md, by the item of the OWASP list that they are of; `all` leaves them off."""


class Defects:
    """The switched-on defects. Mutable, because the test hook switches them at run time."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._on: frozenset[str] = frozenset()
        self.switch(ids)

    @classmethod
    def parse(cls, text: str) -> Defects:
        """Read `L01,L06`, `all` or nothing. Raises ValueError for an unknown id."""
        if text.strip() == "all":
            return cls(DEFECT_IDS)
        return cls(part.strip() for part in text.split(",") if part.strip())

    def on(self, defect_id: str) -> bool:
        """Whether `defect_id` is switched on."""
        return defect_id in self._on

    def switch(self, ids: Iterable[str]) -> None:
        """Exactly `ids` are on from now on. Raises ValueError for an unknown id."""
        wanted = frozenset(ids)
        unknown = sorted(wanted - {*DEFECT_IDS, *WEAKNESS_IDS})
        if unknown:
            raise ValueError(
                f"no such defect: {', '.join(unknown)}; there are {DEFECT_IDS[0]} to "
                f"{DEFECT_IDS[-1]}, and {', '.join(WEAKNESS_IDS)}"
            )
        self._on = wanted

    def ids(self) -> list[str]:
        """The switched-on ids, sorted."""
        return sorted(self._on)
