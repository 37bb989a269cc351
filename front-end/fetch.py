"""Fetches the Studio's front-end packages by npm, as pinned here, into the package.

`make front-end` and the build of a wheel run it. Nothing of it is ever committed; what is there
already and fits the lock file is not fetched again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
VENDOR = HERE.parent / "src" / "premortem" / "studio" / "static" / "vendor"
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/sse.js",
}
"""What becomes of which file of node_modules."""
PINNED = ("package.json", "package-lock.json")
NPM_S_MAX = 300


def main() -> None:
    """Fetch what is missing; exit with a sentence when that cannot be done."""
    digest = sha256(b"".join((HERE / name).read_bytes() for name in PINNED)).hexdigest()
    mark = VENDOR / ".fetched"
    if mark.is_file() and mark.read_text() == digest:
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit(
            "npm is missing: it fetches the Studio's front end (Debian: apt-get install npm); "
            "a wheel of Premortem brings it along"
        )
    with TemporaryDirectory() as folder:
        for name in PINNED:
            shutil.copy(HERE / name, folder)
        # Their scripts are not wanted: two files are copied, nothing is run.
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, timeout=NPM_S_MAX, check=False)  # noqa: S603
        if done.returncode:
            sys.exit("npm could not fetch the Studio's front end; see what it says above")
        VENDOR.mkdir(parents=True, exist_ok=True)
        for name, source in FILES.items():
            shutil.copyfile(Path(folder, "node_modules", source), VENDOR / name)
    mark.write_text(digest)


if __name__ == "__main__":
    main()
