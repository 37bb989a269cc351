"""What people decided about proposed scenarios: a log that is only appended to."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import insert, select

from premortem.domain.proposal import Judgement
from premortem.store.batch import next_number
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.tables import judgements

JUDGEMENTS_READ_MAX = 100_000
"""The latest ones: more than a year of one every minute of working time. Older ones count no
more, as if nobody had ever been asked."""


def place_of_judgement(seq: int) -> str:
    """What binds a sealed value to its row."""
    return f"judgement {seq}"


class Judgements:
    """Appends and reads them."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def add(self, given: Iterable[Judgement]) -> None:
        """Append GIVEN in one transaction: all of them, or none."""
        with self._database.writing() as connection:
            for judgement in given:
                seq = next_number(connection, judgements.c.seq)
                sealed = self._cipher.seal_value(judgement, place=place_of_judgement(seq))
                row = {
                    "seq": seq,
                    "scenario_id": judgement.scenario_id,
                    "at": judgement.at,
                    "payload": sealed,
                }
                connection.execute(insert(judgements).values(row))

    def log(self, *, scenario_id: str = "", limit: int = JUDGEMENTS_READ_MAX) -> list[Judgement]:
        """The latest LIMIT, oldest first: of one scenario, or of all."""
        query = select(judgements.c.seq, judgements.c.payload)
        if scenario_id:
            query = query.where(judgements.c.scenario_id == scenario_id)
        with self._database.reading() as connection:
            newest = query.order_by(judgements.c.seq.desc()).limit(limit)
            rows = connection.execute(newest).all()
        return [
            self._cipher.open_value(row.payload, Judgement, place=place_of_judgement(row.seq))
            for row in reversed(rows)
        ]
