"""A mixture is refused: one name for images of two algorithms, or one table of two designs."""

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
    """Compare what the stages of one or many hubs recorded.

    Parameters
    ----------
    hubs
        By the name that a message gives them; replicates differ in their seeds only.

    Raises
    ------
    StageError
        Two of them do not belong together; the message names both.
    """
    designs: dict[str, Any] = {}
    found: dict[str, tuple[str, str]] = {}
    for name, hub in hubs.items():
        design = read_json(hub / DESIGN, "run 00_design")
        designs[name] = {key: value for key, value in design.items() if key not in ("seeds", "replicate")}
        _same("design", *next(iter(designs.items())), name, designs[name], "delete the one that does not belong here")
        for key, where, algorithm in _images(name, provenance.stamps(hub).values()):
            before = found.setdefault(key, (where, algorithm))
            remedy = "delete the images and trainings of one, or all with --clobber, and run again"
            _same(f"algorithm of {arm(key).name}", *before, where, algorithm, remedy)


def _images(name: str, records: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str, str]]:
    """Yield key, place and algorithm of every training and image."""
    for record in records:
        if "algorithm" in record["parameters"]:
            commit = (record["git_commit"] or "no commit")[:10]
            yield record["parameters"]["arm"], f"{name}/{record['stage']} ({commit})", record["parameters"]["algorithm"]


def _same(what: str, first: str, value: Any, second: str, other: Any, remedy: str) -> None:
    if value != other:
        raise StageError(f"the {what} of {first} is not that of {second}: not to be mixed in one table; {remedy}")
