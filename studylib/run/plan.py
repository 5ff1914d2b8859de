"""The plan of a run: which stages, with which parameters, reading and writing what.

The Snakefile, the dry run and the check for completeness all read this one list.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from studylib.arms.registry import USUAL, arm, arms, check_arms, training_of
from studylib.changes import changed, words_of
from studylib.design import (
    SPLITS,
    Frozen,
    StudyDesign,
    check_backend,
    check_dose,
    check_probe,
    check_profile,
    check_replicate,
    check_sample,
    check_split,
    check_view,
)
from studylib.errors import InputError
from studylib.run import paths
from studylib.run.resources import Resources, resources


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
    replicate: int = 0
    base_name: str = ""
    base_sha256: str = ""
    changes: dict[str, Any] = Field(default_factory=dict)
    """Settings that the user changed, by dotted name."""

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
        }  # fmt: skip
        values = {name: checks[name](value) if name in checks else value for name, value in given.items()}
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
        names = ("dose", "view", "profile", "backend", "sample", "probe", "replicate")
        words = ["--hub", hub, *(word for name in names for word in (f"--{name}", str(getattr(self, name))))]
        words += ["--splits", *self.splits, "--arms", *self.arms]
        words += ["--set", *words_of(self.changes)] if self.changes else []
        return [*words, "--base", base] if base else words

    @property
    def trainings(self) -> tuple[str, ...]:
        """Return the keys of the arms that have to be trained."""
        return tuple(key for key in arms() if key in {training_of(k) for k in self.arms})


BASE = "data/base/base.npz"
DESIGN = "analysis/design.json"
COMMON: dict[str, str | int] = {"hub": "."}


@dataclass(frozen=True)
class Stage:
    """One notebook with its parameters.

    Attributes
    ----------
    phase
        1..8, the banner under which it runs.
    name
        Stem of the executed notebook.
    notebook
        Stem of the source notebook.
    inputs, outputs, log
        Hub-relative POSIX paths.
    threads
        Threads it computes with, wherever it runs: two stages of one thread do more than one of two.
    """

    phase: int
    name: str
    notebook: str
    parameters: dict[str, str | int]
    inputs: list[str]
    outputs: list[str]
    log: str
    threads: int = 1
    hub: str = "."
    """The hub in which it runs, relative to the folder of the study."""
    source: str = ""
    """The hub in which the same stage runs for all conditions that share it; its files are then linked from there."""

    def at(self, hub: str, source: str = "") -> Stage:
        """Return the stage in a hub of its own, its files linked from another one when that is named."""
        return replace(self, hub=hub, source=source)

    @property
    def needs(self) -> list[str]:
        """Return what it reads, relative to the folder of the study."""
        if self.source:
            return [posixpath.normpath(f"{self.source}/{name}") for name in self.outputs]
        return [self.under(name) for name in self.inputs]

    def under(self, name: str) -> str:
        """Return a path of its hub relative to the folder of the study."""
        return posixpath.normpath(f"{self.hub}/{name}")

    @property
    def resources(self) -> Resources:
        """Return memory, time and GPUs that it asks for."""
        return resources(self.notebook, str(self.parameters.get("profile", "laptop")))

    @property
    def key(self) -> str:
        """Return a name that no other stage of the study has."""
        return self.under(self.name)

    @property
    def rule(self) -> str:
        """Return the name of its rule in the graph."""
        return self.key.replace("-", "_").replace("/", "__")

    @property
    def executed(self) -> str:
        """Return the executed notebook."""
        return f"notebooks/{self.name}.ipynb"

    @property
    def part(self) -> str:
        """Return the executed notebook while it is being written."""
        return f"notebooks/.{self.name}.part.ipynb"

    def command(self, python: str, notebooks: str, root: str = ".", executed: str = "") -> str:
        """Return the papermill command, to be run in the folder of the study, or where `root` names that folder."""
        if self.source:
            return self._link(root)
        hub = posixpath.normpath(f"{root}/{self.hub}")
        executed = executed or posixpath.normpath(f"{hub}/{self.executed}")
        words = [python, "-m", "papermill", f"{notebooks}/{self.notebook}.ipynb", executed]
        words += ["--kernel", "python3", "--no-progress-bar", "--log-output"]
        for name, value in (self.parameters | {"hub": hub}).items():
            words += ["-r" if isinstance(value, str) else "-p", name, str(value)]
        return shlex.join(words)

    def _link(self, root: str) -> str:
        """Return the shell command that takes over what the stage left in another hub.

        Data as relative symbolic links: hard ones share their time with the original, and Snakemake sets that anew.
        """
        here, there = (posixpath.normpath(f"{root}/{hub}") for hub in (self.hub, self.source))
        stamp = paths.stamp(self.name)
        folders = sorted({posixpath.dirname(f"{here}/{name}") for name in (*self.outputs, self.executed, stamp)})
        words = [["mkdir", "-p", *folders]]
        for name in self.outputs:
            target = posixpath.relpath(f"{there}/{name}", posixpath.dirname(f"{here}/{name}"))
            words.append(["ln", "-sfn", target, f"{here}/{name}"])
        words += [["cp", f"{there}/{name}", f"{here}/{name}"] for name in (self.executed, stamp)]
        words.append(["echo", "shared by the conditions of", self.source])
        return " && ".join(map(shlex.join, words))


PHASES = ("design", "generate", "overlap", "baseline", "PINN", "reconstruct", "compare", "evidence + verify")


def stages(run: Run) -> list[Stage]:
    """Return the stages of a run in the order of their dependencies."""
    return [*shared_stages(run), *own_stages(run)]


def shared_stages(run: Run) -> list[Stage]:
    """Return the stages that do not depend on view and arms."""
    return [_design(run), _generation(run)]


def own_stages(run: Run) -> list[Stage]:
    """Return the stages of one condition."""
    plan = [_view(run)]
    plan += [_training(run, key) for key in run.trainings]
    plan += [_reconstruction(run, split, key) for split in run.splits for key in run.arms]
    plan += [_comparison(run, split) for split in run.splits]
    tables = [f"{paths.comparison(run.dose, run.view, split)}/comparison_metrics.csv" for split in run.splits]
    return [*plan, _evidence(run, tables)]


def _design(run: Run) -> Stage:
    return Stage(
        1, "00_design", "00_design",
        COMMON | {"profile": run.profile, "replicate": run.replicate, "changes": shlex.join(words_of(run.changes))},
        [], [DESIGN], _log("phase_a_design"),
    )  # fmt: skip


def _generation(run: Run) -> Stage:
    base = BASE if run.base_sha256 else ""
    given: dict[str, str | int] = {"dose": run.dose, "base": base, "sample": run.sample, "probe": run.probe}
    outputs = [paths.phase_c(run.dose, s) for s in SPLITS]
    return Stage(
        2, f"01_generate_dose{run.dose}", "01_generate", COMMON | {"profile": run.profile} | given,
        [DESIGN, *([base] if base else [])], outputs, _log("phase_c_generation"),
    )  # fmt: skip


def _here(run: Run) -> dict[str, str | int]:
    return COMMON | {"profile": run.profile, "dose": run.dose, "view": run.view}


def _view(run: Run) -> Stage:
    outputs = [paths.phase_d(run.dose, run.view, s) for s in SPLITS] + [paths.overlap_metrics(run.dose, run.view)]
    return Stage(
        3, f"02_overlap_dose{run.dose}_{run.view}", "02_overlap", _here(run),
        [DESIGN, *(paths.phase_c(run.dose, s) for s in SPLITS)], outputs, _log(f"phase_d_{run.view}"),
    )  # fmt: skip


def _training(run: Run, key: str) -> Stage:
    d, v = run.dose, run.view
    logs = {"baseline": f"phase_e_baseline_gs1_dose{d}", "pinn": f"phase_e_{v}_gs2_dose{d}"}
    return Stage(
        4 if arm(key).needs_truth else 5, f"03_train_dose{d}_{v}_{key}", "03_train",
        _here(run) | {"arm": key, "backend": run.backend}, [DESIGN, paths.phase_d(d, v, "train")],
        [f"{paths.phase_e(d, v, key)}/{name}" for name in ("model.keras", "history.csv", "training.json")],
        _log(logs.get(key, f"phase_e_{v}_{key}_dose{d}")),
    )  # fmt: skip


def _reconstruction(run: Run, split: str, key: str) -> Stage:
    d, v = run.dose, run.view
    inputs = [DESIGN, paths.phase_d(d, v, split)]
    inputs += [f"{paths.phase_e(d, v, training_of(key))}/model.keras"] if training_of(key) else []
    inputs += [paths.phase_f(d, v, split, start) for start in arm(key).after]
    end = "" if key == "ptychi" else f"_{key}"
    return Stage(
        6, f"04_reconstruct_dose{d}_{v}_{split}_{key}", "04_reconstruct",
        _here(run) | {"split": split, "arm": key, "backend": run.backend}, inputs, [paths.phase_f(d, v, split, key)],
        _log(f"phase_f_{v}_{split}{end}"),
    )  # fmt: skip


def _comparison(run: Run, split: str) -> Stage:
    d, v = run.dose, run.view
    names = (
        "comparison_metrics.csv", "reconstructions.npz", "cost.json", "registration.json", "status.json", "frc.csv",
        "phase.png", "amplitude.png", "frc.png",
    )  # fmt: skip
    return Stage(
        7, f"05_compare_dose{d}_{v}_{split}", "05_compare", _here(run) | {"split": split, "arms": " ".join(run.arms)},
        [DESIGN, paths.phase_d(d, v, split), *(paths.phase_f(d, v, split, key) for key in run.arms)],
        [f"{paths.comparison(d, v, split)}/{name}" for name in names], _log(f"phase_g_{v}_{split}"),
    )  # fmt: skip


def _evidence(run: Run, tables: list[str]) -> Stage:
    return Stage(
        8, "06_evidence", "06_evidence",
        _here(run) | {"splits": " ".join(run.splits), "arms": " ".join(run.arms)}, tables,
        ["analysis/metrics_summary.json", "analysis/metrics_delta_summary.json"], _log("phase_g_evidence"),
    )  # fmt: skip


def _log(name: str) -> str:
    return f"cli/{name}.log"
