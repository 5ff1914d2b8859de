"""Errors of the study: one line each, whatever was given."""

from __future__ import annotations

from pathlib import Path

from studylib.errors import InputError, StageError


def test_an_error_is_one_line_that_says_what_was_given_expected_and_to_do():
    error = InputError("dose", "1\n2", "a number", "give DOSE=1000")
    assert str(error) == "dose: got '1\\n2', expected a number; fix: give DOSE=1000"
    assert str(InputError("file", Path("a.npz"), "a file")) == "file: got 'a.npz', expected a file"
    assert len(str(InputError("mask", "x" * 10_000, "a mask"))) < 300
    assert (InputError.exit_status, StageError.exit_status) == (2, 1)
