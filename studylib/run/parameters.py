"""The parameters of a run of one condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

from studylib.arms.registry import USUAL, arms, check_arms, check_select, training_of
from studylib.changes import changed, words_of
from studylib.design import (
    SPLITS,
    Frozen,
    StudyDesign,
    check_backend,
    check_disturbance,
    check_dose,
    check_probe,
    check_profile,
    check_replicate,
    check_sample,
    check_split,
    check_view,
)
from studylib.disturbances import DISTURBANCES
from studylib.errors import InputError


def elsewhere(dose: int, trained: Mapping[str, int]) -> dict[str, Any]:
    """Return the parameters by which a run says that arms were trained at another dose than its own.

    Parameters
    ----------
    dose
        Of the run.
    trained
        Dose of the training by the key of what was trained.
    """
    others = {key: at for key, at in trained.items() if at != dose}
    return {"one_training": tuple(others), "least_dose": next(iter(others.values()), 0)}


class Run(Frozen):
    """Parameters of a run; equal ones resume an interrupted run."""

    dose: int = 1000
    view: str = "dense"
    splits: tuple[str, ...] = SPLITS
    profile: str = "laptop"
    backend: str = "torch"
    arms: tuple[str, ...] = USUAL
    sample: str = "leaves"
    probe: str = "zone-plate"
    disturbed: str = "none"
    """What is wrong with the simulated experiment, or with what is told of it."""
    replicate: int = 0
    base_name: str = ""
    base_sha256: str = ""
    changes: dict[str, Any] = Field(default_factory=dict)
    """Settings that the user changed, by dotted name."""
    select: tuple[str, ...] = ()
    """Keys of the arms whose options are chosen on the scan itself, by its own counts."""
    one_training: tuple[str, ...] = ()
    """Keys of the arms that are trained once for all doses of a view, at the least of them."""
    least_dose: int = 0
    """Of the study; 0: this run is alone."""

    @classmethod
    def checked(cls, **given: Any) -> Run:
        """Return the run, every value checked.

        Raises
        ------
        InputError
            One of them is not accepted.
        """
        splits = tuple(dict.fromkeys(given.pop("splits", SPLITS)))
        if not splits:
            raise InputError("splits", splits, "train, test or both", "give --splits train test")
        checks: dict[str, Callable[[Any], Any]] = {
            "dose": check_dose, "view": check_view, "profile": check_profile, "backend": check_backend,
            "replicate": check_replicate, "arms": check_arms, "sample": check_sample, "probe": check_probe,
            "disturbed": check_disturbance,
        }  # fmt: skip
        values = {name: checks[name](value) if name in checks else value for name, value in given.items()}
        values["select"] = check_select(given.get("select", ()), values.get("arms", USUAL))
        changed(StudyDesign.for_profile(values.get("profile", "laptop")), values.get("changes", {}))
        return cls(splits=tuple(s for s in SPLITS if s in {check_split(x) for x in splits}), **values)

    def options(self, hub: str, base: str) -> list[str]:
        """Return the words of the command line that give this run.

        Parameters
        ----------
        hub
            Folder of the run.
        base
            Base NPZ; empty for a built-in sample.
        """
        names = ("dose", "view", "profile", "backend", "sample", "probe", "disturbed", "replicate")
        words = ["--hub", hub, *(word for name in names for word in (f"--{name}", str(getattr(self, name))))]
        words += ["--splits", *self.splits, "--arms", *self.arms]
        words += ["--set", *words_of(self.changes)] if self.changes else []
        words += ["--select", *self.select] if self.select else []
        return [*words, "--base", base] if base else words

    @property
    def trainings(self) -> tuple[str, ...]:
        """Return the keys of the arms that have to be trained."""
        return tuple(key for key in arms() if key in {training_of(k) for k in self.arms})

    @property
    def setting(self) -> str:
        """Return the kind of probe, and in words what is wrong with the experiment."""
        wrong = DISTURBANCES[self.disturbed].words
        return f"{self.probe}, {wrong}" if wrong else self.probe

    def trained_at(self, key: str) -> int:
        """Return the dose at which an arm is trained."""
        return self.least_dose if self.least_dose and key in self.one_training else self.dose
