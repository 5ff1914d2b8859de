"""Read a file in a separate process first, because its library may crash on damaged content.

`python -m studylib.io.apart FILE` reads a file as a study would, and some of its patterns, with limits on time and
memory. Errors that the study raises itself do not matter here, because the reading that follows in the main process
raises them again. This module detects what no exception can report: a library that takes the whole process down.
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
"""Limits of the separate process: wall time in seconds, and address space in bytes."""
REMEDY = "copy or export it again; h5ls -r shows what HDF5 itself makes of it"


def check(path: Path) -> None:
    """Reject a file on which its library crashes, hangs, or takes all the memory.

    Raises
    ------
    InputError
        The separate process did not end well; see `survives`.
    """
    survives(["-m", "studylib.io.apart", str(path)], path)


def survives(arguments: list[str], path: Path, seconds: float = SECONDS) -> None:
    """Run Python on a file in a separate process, and reject the file if that process does not end well.

    Parameters
    ----------
    arguments
        Command-line arguments of the Python interpreter.
    path
        The file that the process reads; only its name is used, in the error message.
    seconds
        Limit of the wall time.

    Raises
    ------
    InputError
        A signal ended the process, it ran longer than the limit, or it returned an error status. The message gives
        the name of the signal, the limit, or the last line of the error output.
    """
    # The child must find the same studylib as this process, also when it is not installed.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    label, expected = f"content of {path.name}", "what its library can read"
    try:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        raise InputError(label, f"not read within {seconds:g} s", expected, REMEDY) from None
    if done.returncode < 0:  # minus the number of the signal that ended the process
        raise InputError(label, f"its library crashed ({signal.Signals(-done.returncode).name})", expected, REMEDY)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(label, f"its library gave up: {last}", expected, REMEDY)


def main() -> int:
    """Read the file named on the command line, within the memory limit.

    Returns
    -------
    int
        Exit status: 0 when the file can be read, and also when the study rejects it in words.
    """
    from studylib.io.readers import open_here

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        scan = open_here(Path(sys.argv[1]))
        if scan.patterns is not None:
            n = scan.patterns.shape[0]
            # Chunks are unpacked only when they are read; three of them find a filter that crashes, at little cost.
            for k in (0, n // 2, n - 1):
                scan.counts(slice(k, k + 1))
    except StudyError:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
