"""The errors of the study: each says what was given, what was expected, and which command corrects it."""

from __future__ import annotations

from pathlib import PurePath


class StudyError(Exception):
    """Base of all errors that the study raises on purpose."""

    exit_status = 1


class InputError(StudyError):
    """A parameter or an input file is not what the study needs (exit status 2).

    Parameters
    ----------
    name
        What is wrong: a parameter, a file, or a member of an NPZ.
    given
        The value that was given.
    expected
        What would have been accepted.
    remedy
        The command or the action that corrects it.
    """

    exit_status = 2

    def __init__(self, name: str, given: object, expected: str, remedy: str = "") -> None:
        self.name, self.given, self.expected, self.remedy = name, given, expected, remedy
        mend = f"; fix: {remedy}" if remedy else ""
        # One line, whatever the value holds: the message goes to a terminal and to a log.
        shown = " ".join(repr(str(given) if isinstance(given, PurePath) else given).split())[:200]
        super().__init__(f"{name}: got {shown}, expected {expected}{mend}")


class StageError(StudyError):
    """A stage could not finish: its output is absent, incomplete or not credible (exit status 1)."""
