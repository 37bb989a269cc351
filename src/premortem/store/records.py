"""The values of which there are few: profiles, runs, findings, what is ignored, scenarios.

Each is one sealed payload, bound to its table and id, beside the columns that find it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Column, Connection, Table, delete, func, insert, select, update

from premortem.domain.run import HISTORY_MAX, Finding, Ignored, RunSummary, Turn
from premortem.domain.scenario import Scenario, ScenarioVerdict
from premortem.domain.traffic import Profile
from premortem.domain.traffic_model import TrafficModel
from premortem.errors import InputError, NothingLearned
from premortem.store.batch import next_number, starts_with
from premortem.store.cipher import Cipher
from premortem.store.database import Database
from premortem.store.query import StoredScenario
from premortem.store.tables import findings, ignored, profiles, runs, scenarios, traffic_models

LATEST = "latest"


def place_of_traffic_model(profile_version: str) -> str:
    """What binds a traffic model to its place."""
    return f"traffic model {profile_version}"


class Records:
    """Writes and reads them."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def save_profile(self, profile: Profile) -> None:
        """Keep PROFILE; from now on it is the latest one."""
        row = {
            "version": profile.version,
            "created_at": profile.created_at,
            "exchanges": profile.exchanges,
            "payload": self._cipher.seal_value(profile, place=f"profile {profile.version}"),
        }
        with self._database.writing() as connection:
            _replace(connection, profiles, profiles.c.version, row)

    def profile(self, version: str) -> Profile:
        """The profile VERSION, the start of one, or `latest`."""
        missing = NothingLearned(missing="profile", command="premortem learn")
        row = self._one(profiles, profiles.c.version, version, what="profile", missing=missing)
        return self._cipher.open_value(row.payload, Profile, place=f"profile {row.version}")

    def profiles(self) -> list[tuple[str, float, int]]:
        """Newest first."""
        columns = (profiles.c.version, profiles.c.created_at, profiles.c.exchanges)
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).order_by(profiles.c.seq.desc()))
            return [(row.version, row.created_at, row.exchanges) for row in rows]

    def save_traffic_model(self, model: TrafficModel) -> None:
        """Keep MODEL, in place of an earlier one of its profile."""
        place = place_of_traffic_model(model.profile_version)
        row = {
            "profile": model.profile_version,
            "version": model.version,
            "created_at": model.created_at,
            "payload": self._cipher.seal_value(model, place=place),
        }
        with self._database.writing() as connection:
            _replace(connection, traffic_models, traffic_models.c.profile, row)

    def traffic_model(self, profile_version: str) -> TrafficModel | None:
        """The model of the profile; None: none was trained."""
        with self._database.reading() as connection:
            query = select(traffic_models).where(traffic_models.c.profile == profile_version)
            row = connection.execute(query).first()
        if row is None:
            return None
        place = place_of_traffic_model(row.profile)
        return self._cipher.open_value(row.payload, TrafficModel, place=place)

    def save_run(self, run: RunSummary) -> None:
        """Keep RUN, in place of an earlier word on the same one."""
        payload = self._cipher.seal_value(run, place=f"run {run.id}")
        row = {"id": run.id, "started_at": run.started_at, "payload": payload}
        with self._database.writing() as connection:
            _replace(connection, runs, runs.c.id, row)

    def run(self, run_id: str) -> RunSummary:
        """The run RUN_ID, the start of one, or `latest`."""
        missing = NothingLearned(missing="run", command="premortem run PLAN")
        row = self._one(runs, runs.c.id, run_id, what="run", missing=missing)
        return self._cipher.open_value(row.payload, RunSummary, place=f"run {row.id}")

    def runs(self) -> list[RunSummary]:
        """Newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.seq.desc())).all()
        return [
            self._cipher.open_value(row.payload, RunSummary, place=f"run {row.id}") for row in rows
        ]

    def run_id(self, run_id: str) -> str:
        """RUN_ID, with `latest` resolved; a run without a summary yet keeps its name."""
        return self.run(LATEST).id if run_id == LATEST else run_id

    def save_findings(self, given: Iterable[Finding]) -> None:
        """Keep what runs found; a finding known from before keeps its `first_seen_at` and its
        history; one that was fixed came back."""
        with self._database.writing() as connection:
            for finding in given:
                finding = self._with_history(connection, finding)
                earlier = connection.execute(
                    select(func.min(findings.c.first_seen_at)).where(
                        findings.c.id == finding.id, findings.c.first_seen_at > 0
                    )
                ).scalar()
                dates = [at for at in (earlier, finding.first_seen_at) if at]
                dated = replace(finding, first_seen_at=min(dates, default=0.0))
                row = {
                    "id": dated.id,
                    "run_id": dated.run_id,
                    "check": dated.check,
                    "severity": dated.severity,
                    "first_seen_at": dated.first_seen_at,
                    "payload": self._cipher.seal_value(dated, place=_finding_place(dated)),
                }
                same = (findings.c.id == dated.id) & (findings.c.run_id == dated.run_id)
                connection.execute(delete(findings).where(same))
                row["seq"] = next_number(connection, findings.c.seq)
                connection.execute(insert(findings).values(row))

    def _with_history(self, connection: Connection, finding: Finding) -> Finding:
        newest = select(findings).where(findings.c.id == finding.id)
        row = connection.execute(newest.order_by(findings.c.seq.desc()).limit(1)).first()
        history = self._finding(row).history if row is not None else ()
        if history and history[-1].state == "fixed":
            turn = Turn(state="back", at=finding.first_seen_at, run_id=finding.run_id)
            history = (*history, turn)
        return replace(finding, history=history[-HISTORY_MAX:])

    def turn_finding(self, finding_id: str, turn: Turn) -> None:
        """Keep TURN as the latest of the newest word on the finding. Raises InputError."""
        row = self._one(findings, findings.c.id, finding_id, what="finding", missing=None)
        finding = self._finding(row)
        turned = replace(finding, history=(*finding.history, turn)[-HISTORY_MAX:])
        payload = self._cipher.seal_value(turned, place=_finding_place(turned))
        with self._database.writing() as connection:
            connection.execute(
                update(findings).where(findings.c.seq == row.seq).values(payload=payload)
            )

    def findings(self, run_id: str | None) -> list[Finding]:
        """Those of one run in the order they were saved, or the newest of each, newest first."""
        query = select(findings)
        if run_id is None:
            newest = select(func.max(findings.c.seq)).group_by(findings.c.id)
            query = query.where(findings.c.seq.in_(newest)).order_by(findings.c.seq.desc())
        else:
            query = query.where(findings.c.run_id == run_id).order_by(findings.c.seq)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [self._finding(row) for row in rows]

    def finding(self, prefix: str) -> Finding:
        """The newest word on the finding whose id starts with PREFIX."""
        column = findings.c.id
        return self._finding(self._one(findings, column, prefix, what="finding", missing=None))

    def _finding(self, row: Any) -> Finding:
        place = f"finding {row.id} of {row.run_id}"
        return self._cipher.open_value(row.payload, Finding, place=place)

    def ignore(self, word: Ignored) -> None:
        """Keep WORD, in place of an earlier one on the same finding."""
        place = f"ignored {word.finding_id}"
        payload = self._cipher.seal_value(word, place=place)
        with self._database.writing() as connection:
            same = ignored.c.finding_id == word.finding_id
            connection.execute(delete(ignored).where(same))
            row = {"finding_id": word.finding_id, "at": word.at, "payload": payload}
            connection.execute(insert(ignored).values(row))

    def ignored(self) -> dict[str, Ignored]:
        """Finding id -> a person's word on it."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ignored).order_by(ignored.c.at)).all()
        return {
            row.finding_id: self._cipher.open_value(
                row.payload, Ignored, place=f"ignored {row.finding_id}"
            )
            for row in rows
        }

    def unignore(self, finding_id: str) -> bool:
        """Take the word back; whether there was one."""
        with self._database.writing() as connection:
            same = ignored.c.finding_id == finding_id
            return connection.execute(delete(ignored).where(same)).rowcount > 0

    def save_scenario(self, scenario: Scenario, verdict: ScenarioVerdict, at: float) -> None:
        """Keep SCENARIO with its latest verdict."""
        stored = StoredScenario(scenario=scenario, verdict=verdict, at=at)
        row = {
            "id": scenario.id,
            "outcome": verdict.outcome,
            "at": at,
            "payload": self._cipher.seal_value(stored, place=f"scenario {scenario.id}"),
        }
        with self._database.writing() as connection:
            _replace(connection, scenarios, scenarios.c.id, row)

    def scenarios(self) -> list[StoredScenario]:
        """Newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(scenarios).order_by(scenarios.c.seq.desc())).all()
        return [
            self._cipher.open_value(row.payload, StoredScenario, place=f"scenario {row.id}")
            for row in rows
        ]

    def _one(
        self,
        table: Table,
        column: Column[Any],
        text: str,
        *,
        what: str,
        missing: NothingLearned | None,
    ) -> Any:
        """The newest row that TEXT names: `latest`, an id, or the start of only one id."""
        newest = select(table).order_by(table.c.seq.desc()).limit(1)
        with self._database.reading() as connection:
            if missing is not None and connection.execute(newest).first() is None:
                raise missing
            if missing is not None and text == LATEST:
                return connection.execute(newest).one()
            query = select(column).where(starts_with(column, text)).distinct().order_by(column)
            ids = list(connection.execute(query.limit(2)).scalars())
            if text not in ids and len(ids) != 1:
                many = f"more than one {what} starts with {text!r}; give more of its id"
                none = f"no {what} {text!r}; {_LISTED.get(what, 'leave it out for the latest one')}"
                raise InputError(many if ids else none)
            chosen = text if text in ids else ids[0]
            return connection.execute(newest.where(column == chosen)).one()


_LISTED = {"finding": "list them with `premortem findings --all-runs`"}


def _finding_place(finding: Finding) -> str:
    return f"finding {finding.id} of {finding.run_id}"


def _replace(
    connection: Connection, table: Table, column: Column[Any], row: dict[str, Any]
) -> None:
    connection.execute(delete(table).where(column == row[column.name]))
    seq = next_number(connection, table.c.seq)
    connection.execute(insert(table).values(row | {"seq": seq}))
