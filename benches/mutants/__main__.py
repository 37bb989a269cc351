"""How many of 200 faults, put into the ledger's handlers by rule, a tester notices.

A mutant is killed when a run on it reports something that no run on the correct ledger reports.
Both testers get about the same number of requests (counted by the ledger, printed) on a freshly
started mutant, the document of the correct ledger, and what each can use beside that: ours the
recording of 2,000 requests, the peer the credentials of the mightiest role. Mutants that nobody
could tell from the correct ledger stay in: both sides are measured against the same 200.

    python -m benches.mutants                      both, 200 mutants (hours)
    python -m benches.mutants --mutants 20 --ours  a first look
    python -m benches.mutants --ablation           ours with parts left out, and with goals
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from benches.mutants import ours, peer
from benches.mutants.mutating import Mutant, drawn
from benches.mutants.program import FILES, PROGRAM, asked, mutated
from premortem.errors import TargetError
from tests.services import free_port
from tests.shared import ROOT

RESULTS = ROOT / ".build" / "mutants" / "results.json"
Tester = Callable[[str, int], frozenset[str]]
"""(base URL of a running mutant, seed) -> what is reported of it."""
USUAL_SEEDS = (1, 2, 3)
"""What a tester says of the correct ledger with one of these counts as no news of a mutant."""


def main() -> int:
    """Measure, print, and write RESULTS after each mutant; what is there already is kept."""
    wanted = _arguments()
    mutants = drawn(PROGRAM, FILES, count=wanted.mutants, seed=wanted.seed)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, bool]] = {}
    if RESULTS.exists() and not wanted.anew:
        results = json.loads(RESULTS.read_text())
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder, port = Path(name), free_port()
        project = ours.Project(folder, port)
        for tester_name, tester in _testers(wanted, project).items():
            key = f"{tester_name}, {wanted.requests} requests"
            killed = results.setdefault(key, {})
            left = [mutant for mutant in mutants if _key(mutant) not in killed]
            if left:
                _measure(key, tester, left, killed, results, folder=folder, port=port)
            _show(key, mutants, killed)
    return 0


def _measure(
    key: str,
    tester: Tester,
    mutants: list[Mutant],
    killed: dict[str, bool],
    results: Mapping[str, Mapping[str, bool]],
    *,
    folder: Path,
    port: int,
) -> None:
    usual: frozenset[str] = frozenset()
    for seed in USUAL_SEEDS:
        with mutated(None, folder=folder, port=port) as base:
            usual |= tester(base, seed)
            requests = asked(folder)
    print(
        f"{key}: on the correct ledger {len(usual)} reported with {requests} requests", flush=True
    )
    for number, mutant in enumerate(mutants, 1):
        began = time.monotonic()
        try:
            with mutated(mutant, folder=folder, port=port) as base:
                said = tester(base, USUAL_SEEDS[0]) - usual
        except (OSError, TargetError):
            said = frozenset({"it does not start, or lets nobody sign in"})
        killed[_key(mutant)] = bool(said)
        RESULTS.write_text(json.dumps(results, indent=1))
        took_s = time.monotonic() - began
        print(
            f"{number}/{len(mutants)} {'killed' if said else 'alive '} {took_s:5.1f} s "
            f"{asked(folder):5} requests  {mutant.name}: {mutant.what}  {sorted(said)[:2]}",
            flush=True,
        )


def _show(key: str, mutants: list[Mutant], killed: Mapping[str, bool]) -> None:
    dead = Counter(m.operator for m in mutants if killed.get(_key(m)))
    total = Counter(m.operator for m in mutants)
    parts = ", ".join(f"{name} {dead[name]} of {total[name]}" for name in total)
    print(f"{key}: {sum(dead.values())} of {len(mutants)} killed ({parts})")


def _key(mutant: Mutant) -> str:
    return f"{mutant.name}: {mutant.what}"


def _testers(wanted: argparse.Namespace, project: ours.Project) -> dict[str, Tester]:
    testers: dict[str, Tester] = {}
    if not wanted.ours:
        testers["Schemathesis"] = lambda base, seed: peer.reported(
            base, project.folder / "openapi.json", per_operation=wanted.per_operation, seed=seed
        )
    ways = ours.WAYS if wanted.ablation else {"ours": ours.WAYS["ours"]}
    if not wanted.peer:
        for name, options in ways.items():
            testers[name] = lambda _, seed, options=options: frozenset(
                f"{finding.operation_id} {finding.check} {finding.signature}"
                for finding in ours.findings(project, ours.plan_of(wanted.requests, seed, options))
            )
    return testers


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benches.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mutants", type=int, default=200, help="how many (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn (default 1)")
    parser.add_argument("--requests", type=int, default=1000, help="for each (default 1000)")
    parser.add_argument(
        "--per-operation", type=int, default=20, help="the peer's budget (default 20: about 1000)"
    )
    parser.add_argument("--ours", action="store_true", help="leave the peer out")
    parser.add_argument("--peer", action="store_true", help="the peer alone")
    parser.add_argument(
        "--ablation", action="store_true", help="ours with parts of it left out, and with goals"
    )
    parser.add_argument("--anew", action="store_true", help="forget earlier results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
