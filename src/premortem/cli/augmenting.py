"""`premortem augment`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from premortem.agent.emit.files import replace
from premortem.cli.asking import question_signal
from premortem.cli.context import COMMON, EXIT_CLEAN, Common, print_json, say, show, warn
from premortem.cli.progress import spinner
from premortem.domain.proposal import Signal
from premortem.errors import InputError

if TYPE_CHECKING:
    from premortem.pipeline.augmenting import Augmented
    from premortem.pipeline.skills.skill import Performed

PATCHES = ".premortem/patches"
"""Below the configuration's folder."""


def augment(
    *question: str,
    context: Path | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    handler: str = "",
    everything: Annotated[bool, Parameter(name="--all")] = False,
    run: bool = False,
    write: bool = False,
    root: Path | None = None,
    service: str = "",
    by: Annotated[str, Parameter(name="--as")] = "",
    common: Common = COMMON,
) -> int:
    """Turn a question into all of its tests: scenarios, test methods, what is told of them.

    Eight skills in order: the question with its handler, object, roles and
    tests; what of it is untested; what kinds of test close that; the tests;
    the files; the files read again; the logs; a summary.

    It ends as a patch for git, or, with --write, as files. The same question
    again adds nothing. With a handler and no question it looks for what is
    missing by itself.

    For example:

        premortem augment "What if refund is issued twice?"
        premortem augment --context prompt.json --write
        premortem augment --handler CreateInvoiceHandler

    Parameters
    ----------
    question
        What could go wrong, in a sentence.
    context
        A JSON file with what the question came with, as for `premortem ask`;
        or YAML with qa_prompt, existing_coverage and telemetry.
    settings
        field=value to send, the value as JSON or as text;
        as often as you like.
    handler
        The class behind the operation: its tests are looked at.
    everything
        Close whatever else is found missing around the question, too.
    run
        Run each scenario at the target first; junk is left out.
    write
        Write the files; without it they stay a patch.
    root
        The folder of sources and tests; default: the configuration's.
    service
        PaymentsService: new files go into its folders.
        Default: the one whose tests are there.
    by
        Whose question it is; without it, your name on this machine.
    """
    signal = _signal(" ".join(question), context, settings, handler)
    named = {"service": service, "run": run, "write": write, "asked_by": by or getpass.getuser()}
    return _augmented(signal, common, root, close="all" if everything else "asked", **named)


def _augmented(signal: Signal, common: Common, root: Path | None, **recipe: Any) -> int:
    """SIGNAL augmented by a RECIPE of these fields, and told."""
    # Only here: reading code takes libraries that other commands start without.
    from premortem.pipeline import augmenting
    from premortem.pipeline.skills import open_room

    config = common.load()
    augmented: augmenting.Augmented | None = None
    performed: list[Performed] = []
    with open_room(config, root=root) as room, spinner("augmenting", quiet=common.json):
        for event in augmenting.augment(signal, room=room, recipe=augmenting.Recipe(**recipe)):
            if isinstance(event, augmenting.Augmented):
                augmented = event
            else:
                performed.append(event)
    if augmented is None:
        return EXIT_CLEAN
    patch = _keep(augmented, Path(config.directory).resolve())
    if common.json:
        print_json({**msgspec.structs.asdict(augmented), "patch_file": patch})
    else:
        for one in performed:
            _print(one)
        _print_end(augmented, patch)
    return EXIT_CLEAN


def _signal(question: str, context: Path | None, settings: tuple[str, ...], handler: str) -> Signal:
    """What is asked; a handler alone asks for whatever is missing. Raises InputError."""
    if context is not None and context.suffix in (".yaml", ".yml"):
        return _enriched(context)
    signal = question_signal(question, context, settings)
    signal = msgspec.structs.replace(signal, handler=signal.handler or handler)
    if signal.text:
        return signal
    if not signal.handler:
        raise InputError("say what could go wrong, or name a handler: premortem augment --help")
    return msgspec.structs.replace(signal, kind="self")


def _enriched(path: Path) -> Signal:
    from premortem.pipeline.skills.notes import read_enriched

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; name a YAML file in UTF-8") from None
    return read_enriched(text, source=str(path))


def _print(one: Performed) -> None:
    tries = f", tried again: {one.retry_reason}" if one.retry_count else ""
    say((f"{one.skill:<24} {one.duration_ms:6.0f} ms{tries}", "dim"))


def _keep(augmented: Augmented, folder: Path) -> str:
    """Where the patch was put; empty: there is none, or its files were written."""
    if augmented.written or not augmented.patch:
        return ""
    path = folder / PATCHES / augmented.patch_name
    replace(path, augmented.patch.encode())
    return str(path)


def _print_end(augmented: Augmented, patch: str) -> None:
    if augmented.artifacts:
        show(augmented.markdown)
    for why in augmented.generated.left_out:
        warn((f"left out: {why}", "yellow"))
    for gap in augmented.open_gaps:
        say((f"also untested: {gap.what}", "dim"))
    if augmented.artifacts:
        _print_coverage(augmented)
    for artifact in augmented.artifacts:
        say(f"{artifact.action}: ", (artifact.path, "bold"))
    if patch:
        say("patch: ", (f"git -C {augmented.repository} apply {patch}", "bold"))
    elif not augmented.artifacts:
        say("nothing is new: every test is there already")


def _print_coverage(augmented: Augmented) -> None:
    """What the tests covered before and cover now, and how many there are of each thing."""
    made = augmented.augmentation
    if made.before is None or made.after is None:
        return
    if made.after.coverage:  # 0: nothing is declared that it could be a share of
        told = f"{made.before.coverage:.0f}% -> {made.after.coverage:.0f}%"
        about = (made.signal.handler, "bold")
        say("coverage of ", about, f": {told} ({made.coverage_delta:+.0f} points)")
    grown = [row for row in made.coverage_rows if row.before != row.after]
    for row in grown:
        say((f"  tests of {row.by} {row.name}: {row.before} -> {row.after}", "dim"))
