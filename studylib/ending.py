"""How a command ends: its last message and its exit status."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from studylib.errors import InputError, StudyError
from studylib.io.files import FULL


def check_repository(command: str) -> None:
    """Refuse a command that runs the notebooks where there are none: the package was installed without the repository.

    Raises
    ------
    InputError
        The folder above the package has no notebooks.
    """
    from studylib.run.provenance import ROOT

    if not (ROOT / "notebooks/00_design.ipynb").is_file():
        raise InputError(
            "command", command, "the notebooks of the repository, which the installed package does not have",
            "clone the repository and run it there (docs/without_checkout.md)",
        )  # fmt: skip


def ended(error: BaseException) -> int:
    """Print why a command ended early, and return its exit status.

    Parameters
    ----------
    error
        What ended the command. A signal prints nothing; only a fault of the study itself prints its traceback.

    Returns
    -------
    int
        That of the error for errors of the study, 128 plus the number of the signal for a signal, otherwise 1.
    """
    if isinstance(error, StudyError):
        print(f"error: {error.args[0]}", file=sys.stderr)
        return error.exit_status
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return 128 + signal.SIGPIPE
    if isinstance(error, OSError) and error.errno in FULL:
        print(f"error: output: got {error.strerror}, expected room for it; fix: make room, repeat", file=sys.stderr)
        return 1
    traceback.print_exception(error)
    told = "this is a fault of the study, not yours: report it with the lines above (CONTRIBUTING.md)"
    print(f"error: {told}", file=sys.stderr)
    return 1


def check_folder() -> None:
    """Refuse to work in a folder that was removed.

    Raises
    ------
    InputError
        The current folder does not exist any more.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("folder", "the one you are in was removed", "one that exists", "cd to another one") from None
