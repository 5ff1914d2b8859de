"""Refuse mixed results: one arm's images from two versions of its algorithm, or one table from two designs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studylib.arms.registry import arm
from studylib.errors import StageError
from studylib.io.files import read_json
from studylib.run import provenance
from studylib.run.hub import Hub
from studylib.run.plan import DESIGN


def check(hubs: dict[str, Hub]) -> None:
    """Compare the designs and the algorithms that the stages of one or several hubs recorded.

    Parameters
    ----------
    hubs
        By the name that an error message gives them. Replicates may differ in their seeds, and in nothing else.

    Raises
    ------
    StageError
        Two hubs or stages do not belong together; the message names both.
    """
    designs: dict[str, Any] = {}
    found: dict[str, tuple[str, str]] = {}
    for name, hub in hubs.items():
        design = read_json(hub / DESIGN, "run 00_design")
        designs[name] = {key: value for key, value in design.items() if key not in ("seeds", "replicate")}
        # Every design must equal the first one.
        _same("design", *next(iter(designs.items())), name, designs[name], "delete the one that does not belong here")
        for key, where, algorithm in _images(name, provenance.stamps(hub).values()):
            # The first training or image of an arm sets the algorithm that all others must have.
            before = found.setdefault(key, (where, algorithm))
            remedy = "delete the images and trainings of one, or all with --clobber, and run again"
            _same(f"algorithm of {arm(key).name}", *before, where, algorithm, remedy)


def _images(name: str, records: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str, str]]:
    """Yield the arm, the place and the algorithm of every training and image.

    Parameters
    ----------
    name
        Name of the hub in messages.
    records
        Stamps of finished stages.

    Yields
    ------
    tuple of str
        Key of the arm; hub, stage and commit as text; name of the algorithm (`studylib.arms.registry.algorithm`).
    """
    for record in records:
        if "algorithm" in record["parameters"]:
            commit = (record["git_commit"] or "no commit")[:10]
            yield record["parameters"]["arm"], f"{name}/{record['stage']} ({commit})", record["parameters"]["algorithm"]


def _same(what: str, first: str, value: Any, second: str, other: Any, remedy: str) -> None:
    """Raise `StageError` when two values differ, with a message that names both places and the remedy."""
    if value != other:
        raise StageError(f"the {what} of {first} is not that of {second}: not to be mixed in one table; {remedy}")
