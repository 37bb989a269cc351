"""Runs in progress: their pace, their stop, their controllers, and the slices these share."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from premortem.domain.live import Controller, LiveRun, PlanSlice, SliceState
from premortem.errors import InputError
from premortem.store.batch import next_number
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.insertion import insert_rows
from premortem.store.queue_rows import (
    place_of_controller,
    place_of_run,
    row_id,
    slice_state,
)
from premortem.store.tables import controllers, live_runs, slices


class LiveRuns:
    """Writes and reads them."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self._known: dict[str, tuple[int, LiveRun]] = {}

    def begin(self, run: LiveRun, given: Iterable[PlanSlice]) -> None:
        """Enter RUN with its slices; what is there already, with the same plan, stays."""
        with self._database.writing() as connection:
            row = connection.execute(_of_run(run.id)).first()
            if row is not None:
                if self._opened(row).plan != run.plan:
                    raise InputError(f"there is a run {run.id} already, of another plan")
                return
            seq = next_number(connection, live_runs.c.seq)
            payload = self._cipher.seal_value(run, place=place_of_run(run.id))
            values = {"seq": seq, "id": run.id, "status": run.status, "results": 0}
            connection.execute(insert(live_runs).values(values | {"payload": payload}))
            self._enter(connection, seq, given)

    def add_slices(self, run_id: str, given: Iterable[PlanSlice]) -> None:
        """Enter further slices of the plan; those that are there already stay."""
        seq, _ = self.known(run_id)
        with self._database.sharing() as connection:
            self._enter(connection, seq, given)

    def _enter(self, connection: Connection, seq: int, given: Iterable[PlanSlice]) -> None:
        held = set(connection.execute(select(slices.c.number).where(slices.c.run == seq)).scalars())
        rows = [
            {
                "id": row_id(seq, part.number),
                "run": seq,
                "number": part.number,
                "first": part.first,
                "cases": part.count,
                "start_s": part.start_s,
                "end_s": part.end_s,
                "status": "unclaimed",
                "controller": "",
                "lease_until": 0.0,
            }
            for part in given
            if part.number not in held
        ]
        if rows:
            insert_rows(connection, slices, rows)

    def run(self, run_id: str) -> LiveRun:
        """The run as it is now. Raises InputError when there is none."""
        with self._database.reading() as connection:
            row = connection.execute(_of_run(run_id)).first()
        if row is None:
            raise InputError(
                f"no run {run_id!r} is or was in progress; `premortem runs` lists those that ended"
            )
        run = self._opened(row)
        self._known[run_id] = row.seq, run
        return run

    def known(self, run_id: str) -> tuple[int, LiveRun]:
        """The run's number, and the run as it was when it was read first: its plan stays."""
        if run_id not in self._known:
            self.run(run_id)
        return self._known[run_id]

    def unended(self) -> list[LiveRun]:
        """Runs that have not ended, newest first: going on, or broken off."""
        query = select(live_runs).where(live_runs.c.status != "ended")
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(live_runs.c.seq.desc())).all()
        return [self._opened(row) for row in rows]

    def _opened(self, row: Row[Any]) -> LiveRun:
        return self._cipher.open_value(row.payload, LiveRun, place=place_of_run(row.id))

    def changed(self, connection: Connection, run_id: str, **fields: Any) -> LiveRun:
        """Change FIELDS of a run within a transaction; what it is then."""
        row = connection.execute(_of_run(run_id).with_for_update()).one()
        run = self._opened(row)
        if run.status == "ended":
            fields["status"] = "ended"  # for good
        run = replace(run, **fields)
        payload = self._cipher.seal_value(run, place=place_of_run(run.id))
        connection.execute(
            update(live_runs)
            .where(live_runs.c.seq == row.seq)
            .values(status=run.status, payload=payload)
        )
        return run

    def stop(self, run_id: str, *, reason: str) -> LiveRun:
        """Ask the run to stop; the first reason stays."""
        self.known(run_id)
        with self._database.sharing() as connection:
            row = connection.execute(_of_run(run_id).with_for_update()).one()
            run = self._opened(row)
            if run.status != "running":
                return run
            return self.changed(connection, run_id, status="stopping", stop_reason=reason)

    def pace(self, run_id: str, *, speed: float, elapsed_s: float, now: float) -> LiveRun:
        """From NOW on the plan's clock, which shows ELAPSED_S, runs at SPEED."""
        self.known(run_id)
        given = {"speed": speed, "elapsed_s": elapsed_s, "paced_at": now}
        with self._database.sharing() as connection:
            return self.changed(connection, run_id, **given)

    # Controllers and slices

    def heartbeat(
        self,
        run_id: str,
        controller_id: str,
        *,
        now: float,
        lease_s: float,
        standing: bytes | None = None,
    ) -> LiveRun:
        """CONTROLLER_ID lives, and keeps the slice that it holds; the run as it is now.

        STANDING: what it tells the others; None: what it told before.
        """
        seq, _ = self.known(run_id)
        mine = (controllers.c.run == seq) & (controllers.c.name == controller_id)
        held = (slices.c.run == seq) & (slices.c.status == "claimed")
        held &= slices.c.controller == controller_id
        with self._database.sharing() as connection:
            values: dict[str, Any] = {"seen_at": now}
            if standing is not None:
                place = place_of_controller(seq, controller_id)
                values["standing"] = self._cipher.seal(standing, place=place)
            if not connection.execute(update(controllers).where(mine).values(values)).rowcount:
                values = {"run": seq, "name": controller_id, "standing": b""} | values
                connection.execute(insert(controllers).values(values))
            connection.execute(update(slices).where(held).values(lease_until=now + lease_s))
            return self._opened(connection.execute(_of_run(run_id)).one())

    def controllers(self, run_id: str) -> list[Controller]:
        """All that worked on the run, by name."""
        seq, _ = self.known(run_id)
        query = select(controllers).where(controllers.c.run == seq).order_by(controllers.c.name)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Controller(id=row.name, seen_at=row.seen_at, standing=self._standing(row))
            for row in rows
        ]

    def _standing(self, row: Row[Any]) -> bytes:
        if not row.standing:
            return b""
        return self._cipher.open(row.standing, place=place_of_controller(row.run, row.name))

    def drop_controller(self, run_id: str, controller_id: str) -> None:
        """It is known to be gone: what it has claimed is free, and it is no longer listed."""
        seq, _ = self.known(run_id)
        held = (slices.c.run == seq) & (slices.c.status == "claimed")
        held &= slices.c.controller == controller_id
        with self._database.sharing() as connection:
            free = {"status": "unclaimed", "controller": "", "lease_until": 0.0}
            connection.execute(update(slices).where(held).values(free))
            mine = (controllers.c.run == seq) & (controllers.c.name == controller_id)
            connection.execute(delete(controllers).where(mine))

    def claim(
        self, run_id: str, controller_id: str, *, now: float, lease_s: float, due_before_s: float
    ) -> PlanSlice | None:
        """The next slice for a controller, which holds one at a time."""
        seq, _ = self.known(run_id)
        ours = slices.c.run == seq
        held = and_(ours, slices.c.status == "claimed", slices.c.controller == controller_id)
        lapsed = and_(slices.c.status == "claimed", slices.c.lease_until < now)
        free = and_(
            ours,
            or_(slices.c.status == "unclaimed", lapsed),
            slices.c.start_s < due_before_s,
        )
        with self._database.sharing() as connection:
            status = select(live_runs.c.status).where(live_runs.c.seq == seq)
            if connection.execute(status).scalar_one() != "running":
                return None
            row = None
            for wanted in (held, free):
                query = select(slices).where(wanted).order_by(slices.c.number).limit(1)
                row = connection.execute(query.with_for_update(skip_locked=True)).first()
                if row is not None:
                    break
            if row is None:
                return None
            claim = update(slices).where(slices.c.id == row.id)
            connection.execute(
                claim.values(status="claimed", controller=controller_id, lease_until=now + lease_s)
            )
            return slice_state(row).slice

    def slice_states(self, run_id: str) -> list[SliceState]:
        """All slices of a run, in order."""
        seq, _ = self.known(run_id)
        query = select(slices).where(slices.c.run == seq).order_by(slices.c.number)
        with self._database.reading() as connection:
            return [slice_state(row) for row in connection.execute(query)]

    def slices_left(self, connection: Connection, seq: int) -> int:
        """Slices that are not cut."""
        left = (slices.c.run == seq) & (slices.c.status != "cut")
        return connection.execute(select(func.count()).where(left)).scalar_one()


def _of_run(run_id: str) -> Select[Any]:
    return select(live_runs).where(live_runs.c.id == run_id)


NO_LIMIT_S = inf
"""For `due_before_s`: whatever is next."""
