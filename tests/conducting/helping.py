"""`python -m tests.conducting.helping RUN NAME BASE DIRECTORY`: a further controller of a test."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from premortem.pipeline.assistant import assist
from premortem.pipeline.assistants import wait_for_end
from tests.conducting.rig import Numbered, config, opened


class Helpers:
    """Starts one, as `pipeline.assistants.Assistants` does for learned plans."""

    def __init__(self, base: str, directory: Path) -> None:
        self._arguments = [base, str(directory)]
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def start(self, run_id: str) -> None:
        command = [sys.executable, "-m", "tests.conducting.helping", run_id, "c2"]
        process = subprocess.Popen([*command, *self._arguments], stdin=subprocess.PIPE)
        self._processes.append(process)

    def size(self, controllers: int) -> None:
        """There is one, whatever is wanted."""

    def close(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


def main() -> None:
    run_id, name, base, directory = sys.argv[1:]
    stop = threading.Event()
    threading.Thread(target=lambda: (wait_for_end(), stop.set()), daemon=True).start()
    with opened(Path(directory)) as store:
        assist(run_id, name, Numbered(), config=config(base), store=store, stop=stop)


if __name__ == "__main__":
    main()
