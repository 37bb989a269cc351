"""What Schemathesis reports of the ledger's thirty defects with the tokens of all six roles.

All defects are on at once; what it reports of the correct ledger with any of three seeds is
left out. The budget is split evenly between the roles; requests are counted by the ledger. Each
line is one kind of failure at one operation: which defect it shows is judged by hand in
docs/security.md.
Our own side: `pytest tests/quality/test_ledger_security.py -s`.

    python benches/bench_roles.py [--per-operation 17]
"""

from __future__ import annotations

import argparse
import tempfile
import urllib.request
from pathlib import Path

from benches.mutants import peer
from benches.mutants.program import asked, mutated
from tests.services import PASSWORDS, USERS, free_port

SEEDS = (1, 2, 3)


def main() -> int:
    """Run, and print what is new with the defects on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-operation", type=int, default=17, help="for each role")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roles-") as name:
        folder = Path(name)
        usual: frozenset[str] = frozenset()
        for seed in SEEDS:
            usual |= _reported(folder, "", seed, wanted.per_operation)
        said = _reported(folder, "all", SEEDS[0], wanted.per_operation) - usual
    print(f"reported of the correct ledger by any seed: {len(usual)}; new with all thirty on:")
    for line in sorted(said):
        print(f"  {line}")
    return 0


def _reported(folder: Path, defects: str, seed: int, per_operation: int) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    requests = 0
    for user in USERS:
        # Each role begins on a fresh ledger: one of the others must not end what it needs.
        with mutated(None, folder=folder, port=free_port(), defects=defects) as base:
            document = folder / "openapi.json"
            document.write_bytes(urllib.request.urlopen(f"{base}/openapi.json", timeout=10).read())
            who = (user, PASSWORDS[f"LEDGER_PASSWORD_{user.upper()}"])
            found |= peer.reported(base, document, per_operation=per_operation, seed=seed, who=who)
            requests += asked(folder)
    print(f"defects {defects or 'none'}, seed {seed}: {requests} requests", flush=True)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
