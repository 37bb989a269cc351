"""Trained models: their cards, and beside each its weights and, while it learns, its checkpoint.

Files lie in parts of at most 256 KiB, compressed and sealed like all that production said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from premortem.domain.trained import TrainedModel
from premortem.errors import InputError, NothingLearned, StoreError
from premortem.store.batch import next_number, starts_with
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.tables import trained_models, trained_parts

PART_BYTES = 256 * 1024
FILE_BYTES_MAX = 1024 * 1024 * 1024
TRAIN = "premortem train llm"

FileKind = Literal["weights", "state"]
"""`weights`: GGUF. `state`: where its training stands."""


def place_of_trained(model: str) -> str:
    """What binds a card to its place."""
    return f"trained model {model}"


def place_of_part(model: str, kind: str, number: int) -> str:
    """What binds a part of a file to its place."""
    return f"trained model {model} {kind} {number}"


class Registry:
    """Keeps and reads them."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def save(self, *cards: TrainedModel) -> None:
        """Keep CARDS, in place of earlier words on the same models: all of them, or none."""
        with self._database.writing() as connection:
            for card in cards:
                column = trained_models.c.model
                known = select(trained_models.c.seq).where(column == card.id)
                seq = connection.execute(known).scalar()
                connection.execute(delete(trained_models).where(column == card.id))
                row = {
                    "seq": seq or next_number(connection, trained_models.c.seq),
                    "model": card.id,
                    "profile": card.profile_version,
                    "created_at": card.created_at,
                    "payload": self._cipher.seal_value(card, place=place_of_trained(card.id)),
                }
                connection.execute(insert(trained_models).values(row))

    def cards(self, profile_version: str = "") -> list[TrainedModel]:
        """All, or those of one profile; newest first."""
        query = select(trained_models).order_by(trained_models.c.seq.desc())
        if profile_version:
            query = query.where(trained_models.c.profile == profile_version)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [self._card(row) for row in rows]

    def card(self, model: str) -> TrainedModel:
        """The model with that id, or the start of one. Raises NothingLearned when there is none
        at all, InputError for an unknown id."""
        column = trained_models.c.model
        with self._database.reading() as connection:
            query = select(trained_models).where(starts_with(column, model)).order_by(column)
            rows = list(connection.execute(query.limit(2)))
            if not rows and connection.execute(select(column).limit(1)).first() is None:
                raise NothingLearned(missing="trained model", command=TRAIN)
        if len(rows) > 1:
            raise InputError(f"more than one model starts with {model!r}; give more of its id")
        if not rows:
            raise InputError(f"no trained model {model!r}; list them with `premortem models list`")
        return self._card(rows[0])

    def promoted(self, profile_version: str) -> TrainedModel | None:
        """The model in use for that profile; None: the base alone."""
        return next((c for c in self.cards(profile_version) if c.state == "promoted"), None)

    def put_file(self, model: str, kind: FileKind, data: bytes) -> None:
        """Keep DATA beside the model, in place of what was there. Raises StoreError."""
        if len(data) > FILE_BYTES_MAX:
            raise StoreError(
                f"the model {model} has {len(data):,} bytes, at most {FILE_BYTES_MAX:,} are kept; "
                f"train with a lower --rank"
            )
        with self._database.writing() as connection:
            _drop(connection, model, kind)
            first = next_number(connection, trained_parts.c.id)
            for number, at in enumerate(range(0, len(data), PART_BYTES)):
                place = place_of_part(model, kind, number)
                row = {
                    "id": first + number,
                    "model": model,
                    "kind": kind,
                    "number": number,
                    "payload": self._cipher.seal(data[at : at + PART_BYTES], place=place),
                }
                connection.execute(insert(trained_parts).values(row))

    def file(self, model: str, kind: FileKind) -> bytes:
        """What was kept; empty: nothing was."""
        columns = trained_parts.c
        query = select(trained_parts).where(columns.model == model, columns.kind == kind)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(columns.number)).all()
        return b"".join(
            self._cipher.open(row.payload, place=place_of_part(model, kind, row.number))
            for row in rows
        )

    def drop_file(self, model: str, kind: FileKind) -> None:
        """Let go of it."""
        with self._database.writing() as connection:
            _drop(connection, model, kind)

    def _card(self, row: Any) -> TrainedModel:
        return self._cipher.open_value(row.payload, TrainedModel, place=place_of_trained(row.model))


def drop_models_of(connection: Connection, profile_versions: Iterable[str]) -> None:
    """Take out every model trained for one of these profiles, with its files."""
    for version in profile_versions:
        query = select(trained_models.c.model).where(trained_models.c.profile == version)
        for model in list(connection.execute(query).scalars()):
            connection.execute(delete(trained_parts).where(trained_parts.c.model == model))
        connection.execute(delete(trained_models).where(trained_models.c.profile == version))


def _drop(connection: Connection, model: str, kind: str) -> None:
    columns = trained_parts.c
    connection.execute(delete(trained_parts).where(columns.model == model, columns.kind == kind))
