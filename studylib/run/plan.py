"""The plan of a run: which stages, with which parameters, reading and writing what.

The Snakefile, the dry run and the check for completeness all read this one list.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

from studylib.design import (
    SPLITS,
    Frozen,
    check_algorithm,
    check_backend,
    check_dose,
    check_epochs,
    check_profile,
    check_replicate,
    check_split,
    check_view,
)  # fmt: skip
from studylib.errors import InputError


class Run(Frozen):
    """Parameters of a run; equal ones resume an interrupted run."""

    dose: int = 1000
    view: str = "dense"
    splits: tuple[str, ...] = SPLITS
    profile: str = "laptop"
    backend: str = "torch"
    algorithm: str = "LSQML"
    refine: bool = False
    adapt_epochs: int = 0
    replicate: int = 0
    base_name: str = ""
    base_sha256: str = ""

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
        checks = {
            "dose": check_dose, "view": check_view, "profile": check_profile,
            "backend": check_backend, "algorithm": check_algorithm, "replicate": check_replicate,
            "adapt_epochs": check_epochs,
        }  # fmt: skip
        if given.get("algorithm") == "adapt":
            raise InputError("algorithm", "adapt", "LSQML or rPIE", "give --adapt-epochs 5 for the extra row")
        values = {name: checks[name](value) if name in checks else value for name, value in given.items()}
        return cls(splits=tuple(s for s in SPLITS if s in {check_split(x) for x in splits}), **values)

    @property
    def arms_f(self) -> tuple[str, ...]:
        """Return the reconstructions of phase F: PtyChi's, then the extra ones."""
        return ("", *["adapt"] * bool(self.adapt_epochs), *["from_pinn"] * self.refine)


BASE = "data/base/base.npz"


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
        Cores it keeps busy; trainings take both of a laptop, so that their times are their own.
    """

    phase: int
    name: str
    notebook: str
    parameters: dict[str, str | int]
    inputs: list[str]
    outputs: list[str]
    log: str
    threads: int = 2
    extra: list[str] = field(default_factory=list)

    @property
    def executed(self) -> str:
        """Return the executed notebook."""
        return f"notebooks/{self.name}.ipynb"

    def command(self, python: str, notebooks: str) -> str:
        """Return the papermill command, to be run in the hub."""
        words = [python, "-m", "papermill", f"{notebooks}/{self.notebook}.ipynb", self.executed]
        words += ["--kernel", "python3", "--no-progress-bar", "--log-output"]
        for name, value in self.parameters.items():
            words += ["-r" if isinstance(value, str) else "-p", name, str(value)]
        return shlex.join(words)


PHASES = ("design", "generate", "overlap", "baseline", "PINN", "reconstruct", "compare", "evidence + verify")


def stages(run: Run) -> list[Stage]:
    """Return the stages of a run in the order of their dependencies."""
    d, v = run.dose, run.view
    common: dict[str, str | int] = {"hub": ".", "profile": run.profile}
    here = common | {"dose": d, "view": v}
    design = "analysis/design.json"
    c = [f"data/phase_c/dose_{d}/{s}.npz" for s in SPLITS]
    view = f"data/phase_d/dose_{d}/{v}"
    models = {"baseline": f"data/phase_e/dose_{d}/baseline/gs1/{v}", "pinn": f"data/phase_e/dose_{d}/{v}/gs2"}
    training_log = {"baseline": f"phase_e_baseline_gs1_dose{d}", "pinn": f"phase_e_{v}_gs2_dose{d}"}
    base = BASE if run.base_sha256 else ""
    plan = [
        Stage(
            1, "00_design", "00_design", common | {"replicate": run.replicate}, [], [design],
            _log("phase_a_design"), 1,
        ),
        Stage(
            2, f"01_generate_dose{d}", "01_generate", common | {"dose": d, "base": base},
            [design, *([base] if base else [])], c, _log("phase_c_generation"),
        ),
        Stage(
            3, f"02_overlap_dose{d}_{v}", "02_overlap", here, [design, *c],
            [f"{view}/{s}.npz" for s in SPLITS] + [f"{view}/overlap_metrics.json"], _log(f"phase_d_{v}"),
        ),
    ]  # fmt: skip
    for phase, arm in ((4, "baseline"), (5, "pinn")):
        plan.append(
            Stage(
                phase, f"03_train_dose{d}_{v}_{arm}", "03_train", here | {"arm": arm, "backend": run.backend},
                [design, f"{view}/train.npz"],
                [f"{models[arm]}/{name}" for name in ("model.keras", "history.csv", "training.json")],
                _log(training_log[arm]),
            )
        )  # fmt: skip
    plan += [_reconstruction(run, here, split, extra, models["pinn"]) for split in run.splits for extra in run.arms_f]
    tables = []
    extras: dict[str, str | int] = {"extras": " ".join(run.arms_f[1:])} if run.arms_f[1:] else {}
    for split in run.splits:
        folder = f"analysis/dose_{d}/{v}/{split}"
        names = (
            "comparison_metrics.csv", "reconstructions.npz", "cost.json", "registration.json", "frc.csv",
            "phase.png", "amplitude.png", "frc.png",
        )  # fmt: skip
        outputs = [f"{folder}/{name}" for name in names]
        tables.append(outputs[0])
        inputs = [design, f"{view}/{split}.npz"]
        inputs += [_phase_f(run, split, extra) for extra in run.arms_f]
        inputs += [f"{folder}/model.keras" for folder in models.values()]
        plan.append(
            Stage(
                7, f"05_compare_dose{d}_{v}_{split}", "05_compare",
                here | {"split": split, "backend": run.backend} | extras, inputs, outputs, _log(f"phase_g_{v}_{split}"),
            )
        )  # fmt: skip
    plan.append(
        Stage(
            8, "06_evidence", "06_evidence", here | {"splits": " ".join(run.splits)}, tables,
            ["analysis/metrics_summary.json", "analysis/metrics_delta_summary.json"], _log("phase_g_evidence"),
        )
    )  # fmt: skip
    return plan


def _phase_f(run: Run, split: str, extra: str) -> str:
    return "/".join(["data/phase_f", f"dose_{run.dose}", run.view, split, *[extra] * bool(extra), "reconstruction.npz"])


def _reconstruction(run: Run, here: dict[str, str | int], split: str, extra: str, model: str) -> Stage:
    """Return the stage that reconstructs a split from its own patterns."""
    given: dict[str, str | int] = {"split": split, "algorithm": "adapt" if extra == "adapt" else run.algorithm}
    inputs = ["analysis/design.json", f"data/phase_d/dose_{run.dose}/{run.view}/{split}.npz"]
    more: dict[str, str | int] = {}
    if extra:
        inputs.append(f"{model}/model.keras")
        more = {"backend": run.backend}
        more |= {"adapt_epochs": run.adapt_epochs} if extra == "adapt" else {"start": "PtychoPINN"}
    end = f"_{extra}" if extra else ""
    return Stage(
        6, f"04_reconstruct_dose{run.dose}_{run.view}_{split}{end}", "04_reconstruct", here | given | more, inputs,
        [_phase_f(run, split, extra)], _log(f"phase_f_{run.view}_{split}{end}"),
    )  # fmt: skip


def _log(name: str) -> str:
    return f"cli/{name}.log"
