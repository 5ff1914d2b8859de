"""Parameters of a run of one condition."""

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
    """Return the parameters of a `Run` that say which arms were trained at another dose than that of the run.

    Parameters
    ----------
    dose
        Photons per pattern of the run.
    trained
        Photons per pattern of each training, by the key of the arm that was trained.

    Returns
    -------
    one_training and least_dose of `Run`
    """
    others = {key: at for key, at in trained.items() if at != dose}
    return {"one_training": tuple(others), "least_dose": next(iter(others.values()), 0)}


class Run(Frozen):
    """Parameters of a run of one condition. A command with equal parameters resumes an interrupted run."""

    dose: int = 1000
    """Mean photons per pattern."""
    view: str = "dense"
    """dense or sparse: the overlap to which the scan is thinned."""
    splits: tuple[str, ...] = SPLITS
    """Halves of the object that are reconstructed and compared: train, test or both."""
    profile: str = "laptop"
    """Profile of the design: smoke, laptop or full."""
    backend: str = "torch"
    """Framework below Keras: torch or tensorflow."""
    arms: tuple[str, ...] = USUAL
    """Keys of the arms."""
    sample: str = "leaves"
    """Kind of object."""
    probe: str = "zone-plate"
    """Kind of probe."""
    disturbed: str = "none"
    """What is wrong with the simulated experiment, or with what the arms are told of it."""
    replicate: int = 0
    """Number of the repetition; it moves every seed."""
    base_name: str = ""
    """Name of the base file; empty for a built-in sample."""
    base_sha256: str = ""
    """SHA-256 of the base, hexadecimal; empty for a built-in sample."""
    changes: dict[str, Any] = Field(default_factory=dict)
    """Settings that the user changed, by dotted name."""
    select: tuple[str, ...] = ()
    """Keys of the arms whose options are chosen on the scan itself, by its own counts."""
    one_training: tuple[str, ...] = ()
    """Keys of the arms that are trained once for all doses of a view, at the least of these doses."""
    least_dose: int = 0
    """Least dose of the study, photons per pattern, where some arm is trained once for all doses; 0 otherwise."""

    @classmethod
    def checked(cls, **given: Any) -> Run:
        """Return the run, with every value checked.

        Parameters
        ----------
        **given
            Fields of the run. Those that are left out keep their defaults.

        Raises
        ------
        InputError
            A value is not accepted.
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
        # Only to refuse a name or a value: the stage 00_design makes the changed design.
        changed(StudyDesign.for_profile(values.get("profile", "laptop")), values.get("changes", {}))
        return cls(splits=tuple(s for s in SPLITS if s in {check_split(x) for x in splits}), **values)

    def options(self, hub: str, base: str) -> list[str]:
        """Return the options of the command line that ask for this run.

        Parameters
        ----------
        hub
            Folder of the run.
        base
            Path of the base NPZ; empty for a built-in sample.

        Returns
        -------
        Options of `python -m studylib dense`, one word each
        """
        names = ("dose", "view", "profile", "backend", "sample", "probe", "disturbed", "replicate")
        words = ["--hub", hub, *(word for name in names for word in (f"--{name}", str(getattr(self, name))))]
        words += ["--splits", *self.splits, "--arms", *self.arms]
        words += ["--set", *words_of(self.changes)] if self.changes else []
        words += ["--select", *self.select] if self.select else []
        return [*words, "--base", base] if base else words

    @property
    def trainings(self) -> tuple[str, ...]:
        """Keys of the arms that have to be trained, in the order of the registry."""
        return tuple(key for key in arms() if key in {training_of(k) for k in self.arms})

    @property
    def setting(self) -> str:
        """Kind of probe, and in words what is wrong with the experiment."""
        wrong = DISTURBANCES[self.disturbed].words
        return f"{self.probe}, {wrong}" if wrong else self.probe

    def trained_at(self, key: str) -> int:
        """Return the dose at which an arm is trained, photons per pattern."""
        return self.least_dose if self.least_dose and key in self.one_training else self.dose
