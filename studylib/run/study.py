"""A study: samples x probes x doses x views x replicates, every arm on each, as one graph of stages."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import Field

from studylib.arms.registry import USUAL, check_arms, check_one_training, check_select
from studylib.changes import words_of
from studylib.design import (
    DOSES,
    MAX_REPLICATE,
    MEASURED,
    VIEWS,
    Frozen,
    check_disturbance,
    check_dose,
    check_probe,
    check_sample,
    check_view,
)
from studylib.errors import InputError, StudyError
from studylib.io.files import read_model
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.plan import own_stages, shared_stages, stages, taken_over
from studylib.run.stage import Stage

RUN = "plan/run.json"
"""Hub-relative path of the parameters of one condition."""
STUDY = "plan/study.json"
"""Hub-relative path of the parameters of a study of many conditions."""


class Study(Frozen):
    """What a study varies, and the arms. A command with equal parameters resumes an interrupted study."""

    samples: tuple[str, ...] = ("leaves",)
    """Kinds of object."""
    probes: tuple[str, ...] = ("zone-plate",)
    """Kinds of probe."""
    disturbed: tuple[str, ...] = ("none",)
    """What is wrong with the simulated experiment, or with what the arms are told of it."""
    doses: tuple[int, ...] = DOSES
    """Mean photons per pattern."""
    views: tuple[str, ...] = tuple(VIEWS)
    """Overlaps to which the scan is thinned: dense, sparse or both."""
    replicates: int = 1
    """Number of repetitions, each with its own seeds."""
    arms: tuple[str, ...] = USUAL
    """Keys of the arms."""
    splits: tuple[str, ...] = ("test",)
    """Halves of the object that are reconstructed and compared: train, test or both."""
    profile: str = "laptop"
    """Profile of the design: smoke, laptop or full."""
    backend: str = "torch"
    """Framework below Keras: torch or tensorflow."""
    base_name: str = ""
    """Name of the base file; empty for built-in samples."""
    base_sha256: str = ""
    """SHA-256 of the base, hexadecimal; empty for built-in samples."""
    changes: dict[str, Any] = Field(default_factory=dict)
    """Settings that the user changed, by dotted name."""
    select: tuple[str, ...] = ()
    """Keys of the arms whose options are chosen on the scan itself, by its own counts."""
    one_training: tuple[str, ...] = ()
    """Keys of the arms that are trained once for all doses of a view, at the least of these doses."""
    alone: bool = False
    """Whether the study is a single condition, whose files lie in the folder of the study itself."""

    @classmethod
    def checked(cls, **given: Any) -> Study:
        """Return the study, with every value checked and no value twice.

        Doses are sorted, arms follow the registry, and the other lists keep the order in which they are given.

        Parameters
        ----------
        **given
            Fields of the study: samples, probes, doses, views, replicates and arms, and any of the others.

        Raises
        ------
        InputError
            A value is not accepted, or a list is empty.
        """
        for name, check in (
            ("samples", check_sample), ("probes", check_probe), ("doses", check_dose), ("views", check_view),
            ("disturbed", check_disturbance),
        ):  # fmt: skip
            values = tuple(dict.fromkeys(check(value) for value in given.get(name, ("none",))))
            if not values:
                raise InputError(name, values, "at least one", f"give {name.upper()}=...")
            given[name] = tuple(sorted(values)) if name == "doses" else values
        number = str(given["replicates"])
        if not (number.isdecimal() and 1 <= int(number) <= MAX_REPLICATE + 1):
            expected = f"a whole number from 1 to {MAX_REPLICATE + 1}"
            raise InputError("replicates", given["replicates"], expected, "give REPLICATES=3")
        given["replicates"], given["arms"] = int(number), check_arms(given["arms"])
        given["select"] = check_select(given.get("select", ()), given["arms"])
        given["one_training"] = check_one_training(given.get("one_training", ()), given["arms"])
        if MEASURED in given["samples"] and given["disturbed"] != ("none",):
            raise InputError("disturbed", given["disturbed"], "none, of a measured scan", "leave DISTURBED= out")
        if MEASURED in (*given["samples"], *given["probes"]) and not given.get("base_sha256"):
            raise InputError("sample", MEASURED, "a built-in sample, where no scan is given", "make measured DATA=...")
        study = cls(**given)
        # The values that do not vary are checked with the first condition.
        first = next(iter(study.conditions().values()))
        Run.checked(**first.model_dump())
        return study

    @classmethod
    def of(cls, run: Run) -> Study:
        """Return the study that consists of one condition alone."""
        same = {name: getattr(run, name) for name in Run.model_fields if name in cls.model_fields}
        varied = {"samples": (run.sample,), "probes": (run.probe,), "doses": (run.dose,), "views": (run.view,)}
        varied |= {"disturbed": (run.disturbed,)}
        return cls(**(same | varied), replicates=run.replicate + 1, alone=True)

    def conditions(self) -> dict[str, Run]:
        """Return the run of every condition, by its folder relative to that of the study."""
        names = Run.model_fields.keys() & type(self).model_fields.keys()
        # `disturbed` has the same name in both, but a study varies it.
        shared = {name: getattr(self, name) for name in names - {"disturbed"}}
        shared |= {"least_dose": min(self.doses)} if self.one_training else {}
        # A single condition keeps its own number; `of` stored it as replicates, plus 1.
        numbers = range(self.replicates - 1, self.replicates) if self.alone else range(self.replicates)
        runs = [
            Run(**shared, sample=sample, probe=probe, disturbed=wrong, dose=dose, view=view, replicate=number)
            for sample, probe, wrong, number, dose, view in product(
                self.samples, self.probes, self.disturbed, numbers, self.doses, self.views
            )
        ]  # fmt: skip
        return {self.folder(run): run for run in runs}

    def options(self, root: str, base: str) -> list[str]:
        """Return the options of the command line that ask for this study.

        Parameters
        ----------
        root
            Folder of the study.
        base
            Path of the base NPZ; empty for built-in samples.

        Returns
        -------
        Options of `python -m studylib response`, one word each
        """
        words = ["--hub", root, "--profile", self.profile, "--backend", self.backend]
        words += ["--replicates", str(self.replicates)]
        for name in ("samples", "probes", "disturbed", "doses", "views", "splits", "arms"):
            words += [f"--{name}", *map(str, getattr(self, name))]
        words += ["--set", *words_of(self.changes)] if self.changes else []
        words += ["--select", *self.select] if self.select else []
        words += ["--one-training", *self.one_training] if self.one_training else []
        return [*words, "--base", base] if base else words

    def describe(self) -> str:
        """Return in words what the study varies."""
        if self.alone:
            return f"dose {self.doses[0]}, {self.views[0]}, {', '.join(self.splits)}, profile {self.profile}"
        varied = (self.samples, self.probes, map(str, self.doses), self.views)
        return f"{' x '.join(', '.join(v) for v in varied)} x {self.replicates} replicates, profile {self.profile}"

    def above(self, run: Run) -> str:
        """Return the folder of what a condition shares with other doses and views, relative to that of the study."""
        kind = f"{run.sample}_{run.probe}" + ("" if run.disturbed == "none" else f"_{run.disturbed}")
        if run.base_sha256:
            kind = MEASURED if run.sample == MEASURED else "base"
        return "." if self.alone else f"{kind}_r{run.replicate}"

    def folder(self, run: Run) -> str:
        """Return the folder of a condition, relative to that of the study."""
        return posixpath.normpath(f"{self.above(run)}/{'.' if self.alone else f'dose_{run.dose}_{run.view}'}")


def graph(study: Study) -> list[Stage]:
    """Return all stages of a study in the order of their phases.

    A shared stage runs once, in the folder above the conditions; in each condition a stage of the same name links its
    files.

    Parameters
    ----------
    study
        What is varied, and the arms.
    """
    if study.alone:
        return stages(next(iter(study.conditions().values())))
    plan: dict[str, Stage] = {}
    for folder, run in study.conditions().items():
        above = study.above(run)
        for stage in shared_stages(run):
            # One hub holds the stages of many doses, so each stage has its own log.
            made = replace(stage.at(above), log=f"cli/{stage.name}.log")
            plan.setdefault(made.key, made)
            plan[stage.at(folder).key] = stage.at(folder, above)
        shared, own = taken_over(run)
        # Arms that are trained once: this condition links the training of the least dose, and the data behind it.
        least = study.folder(run.model_copy(update={"dose": run.least_dose}))
        for stage in [s.at(folder, above) for s in shared] + [s.at(folder, least) for s in own]:
            plan[stage.key] = stage
        plan |= {stage.at(folder).key: stage.at(folder) for stage in own_stages(run)}
    return sorted(plan.values(), key=lambda stage: stage.phase)


def read_study(root: Path) -> Study:
    """Return the study of a folder, of many conditions or of one.

    Parameters
    ----------
    root
        Folder of the study.

    Raises
    ------
    InputError
        The folder holds no plan, or the plan is not JSON or that of another version of the study.
    """
    if (root / STUDY).is_file():
        return read_model(root / STUDY, Study, "make clean-hub HUB=... and start again")
    return Study.of(read_model(root / RUN, Run, "make dense-evidence"))


def study_of(root: Hub) -> Study | None:
    """Return the study that a folder holds, finished or not; None where its plan is absent or cannot be read."""
    try:
        return read_study(root.root)
    except (StudyError, ValueError):
        return None


def hubs(root: Hub, study: Study) -> list[Hub]:
    """Return all hubs of a study.

    Parameters
    ----------
    root
        Folder of the study.
    study
        What is varied, and the arms.

    Returns
    -------
    The folder of the study first; each shared folder comes before its conditions
    """
    names = ["."]
    for folder, run in study.conditions().items():
        names += [study.above(run), folder]
    return [Hub(root / name) for name in dict.fromkeys(names)]
