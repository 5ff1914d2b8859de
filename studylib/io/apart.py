"""Files whose library may crash on what is in them are read first in a process of its own, with limits.

`python -m studylib.io.apart FILE` reads a file as a study would, and some of its patterns. What it finds wrong in words
does not matter here: the reading that follows says so. What it cannot say, since the library took the process down,
does.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from studylib.errors import InputError, StudyError

SECONDS, MEMORY = 120, 1 << 32
"""That the reading may take: seconds, and bytes of memory."""
REMEDY = "copy or export it again; h5ls -r shows what HDF5 itself makes of it"


def check(path: Path) -> None:
    """Refuse a file on which the library crashes, hangs, or takes all memory.

    Raises
    ------
    InputError
        With the signal that ended the process, or its time.
    """
    survives(["-m", "studylib.io.apart", str(path)], path)


def survives(arguments: list[str], path: Path, seconds: float = SECONDS) -> None:
    """Run Python on a file in a process of its own; refuse the file where that does not end well."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    label, expected = f"content of {path.name}", "what its library can read"
    try:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise InputError(label, f"not read within {seconds:g} s", expected, REMEDY) from None
    if done.returncode < 0:
        raise InputError(label, f"its library crashed ({signal.Signals(-done.returncode).name})", expected, REMEDY)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(label, f"its library gave up: {last}", expected, REMEDY)


def main() -> int:
    """Read a file within the limits."""
    from studylib.io.readers import open_here

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        scan = open_here(Path(sys.argv[1]))
        if scan.patterns is not None:
            n = scan.patterns.shape[0]
            for k in (0, n // 2, n - 1):
                scan.counts(slice(k, k + 1))
    except StudyError:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
