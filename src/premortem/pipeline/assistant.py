"""`python -m premortem.pipeline.assistant`: a further controller of a run that goes on."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import msgspec

from premortem.capture import Redactor
from premortem.config import Config
from premortem.domain.run import Sequence
from premortem.pipeline.assembling import Cases, assembled, resumed
from premortem.pipeline.assistants import read_order, wait_for_end
from premortem.pipeline.conducting import down, executor_for, run_batch, steady, up
from premortem.pipeline.secrets import clean_result
from premortem.pipeline.supplying import Supply
from premortem.pipeline.timing import scheduled
from premortem.run import Gathered
from premortem.store import Store, open_store


def main() -> None:
    """Work on the run of the order on standard input until it is over or the input ends."""
    order = read_order()
    stop = threading.Event()
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    config = order.config
    with open_store(config.store, Path(config.directory)) as store:
        live = store.queue.run(order.run_id)
        plan = msgspec.structs.replace(live.plan, profile=live.profile_version)
        supply = Supply(plan, config=config, store=store, clock=lambda: live.started_at)
        assist(order.run_id, order.name, supply, config=config, store=store, stop=stop)


def _watch(stop: threading.Event) -> None:
    wait_for_end()
    stop.set()


def assist(
    run_id: str,
    name: str,
    supply: Cases,
    *,
    config: Config,
    store: Store,
    stop: threading.Event,
) -> None:
    """Be the controller NAME of a run that another one leads, until it is over."""
    now = steady()
    live = store.queue.run(run_id)
    plan = msgspec.structs.replace(live.plan, profile=live.profile_version)
    plan, schedule = scheduled(plan, store)
    run = resumed(msgspec.structs.replace(live, plan=plan), schedule, config=config)
    executor = executor_for(run, config)
    parts = assembled(
        run,
        supply,
        name=name,
        turn="",
        config=config,
        store=store,
        executor=executor,
        stop=stop,
        clean=partial(clean_result, Redactor(store.redaction_key, config.redact)),
        now=now,
        elapsed_s=live.plan_s(now()),
        leads=False,
    )
    try:
        for _ in up(parts):
            pass
        parts.controller.join()
        for event in parts.controller.run():
            if isinstance(event, Gathered):
                _keep(store, supply, run_id, event)
        parts.controller.last_word()
    finally:
        down(parts, executor)


def _keep(store: Store, supply: Cases, run_id: str, event: Gathered) -> None:
    """The sequences of failed results, for who reproduces them."""
    failed = [result for result in event.results if result.verdicts]
    found = [supply.sequence(result.sequence_id) for result in failed]
    sequences: list[Sequence] = [sequence for sequence in found if sequence is not None]
    if sequences:
        store.save_sequences(run_batch(run_id), sequences)


if __name__ == "__main__":
    main()
