"""A Ray cluster of three nodes, all of them processes of this machine, in a process of its own.

`python -m tests.quality.ray_nodes` says where it is and which processes its nodes are, in JSON,
and ends with its standard input.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STORE_BYTES = 80 * 1024 * 1024


class Nodes:
    """What a test asks of it."""

    def __init__(self, address: str, raylets: list[int]) -> None:
        self.address = address
        self.raylets = raylets
        """Process ids; all workers of a node are children of its own."""


@contextmanager
def nodes() -> Iterator[Nodes]:
    """A head that takes no worker, and two nodes with two CPUs each.

    Ray must not be imported before: who may use the cluster is in what it reads then.
    """
    from premortem.run.ray_cluster import stay_inside

    stay_inside()
    folder = tempfile.mkdtemp(prefix="pm-nodes-")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.quality.ray_nodes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder},
    )
    try:
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith("{"))
        yield Nodes(**json.loads(next(lines)))
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _main() -> None:
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        others = [cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES) for _ in range(2)]
        raylets = [node.all_processes["raylet"][0].process.pid for node in others]
        print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
        sys.stdin.read()
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    _main()
