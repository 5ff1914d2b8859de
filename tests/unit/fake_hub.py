"""A fabricated hub for tests of the evidence writers: invented numbers, real files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studylib.arms.registry import CONTRACT
from studylib.design import METRICS, StudyDesign
from studylib.io.dataset import save
from studylib.io.files import write_json, write_table
from studylib.run import paths
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.plan import training_stage
from studylib.run.provenance import stamp

SCORES = {"PtychoPINN": (0.81, 0.91), "Baseline": (0.80, 0.895), "PtyChi": (0.85, 0.7), "constant": (0.2, 0.1)}


def fabricate(root: Path, scan, truth, splits=("train", "test")) -> Hub:
    """Write a hub up to the comparison tables; scores as (amplitude, phase) MS-SSIM."""
    hub = Hub(root).create()
    write_json(hub / "analysis/design.json", StudyDesign.for_profile("smoke").model_dump(mode="json"))
    for split in ("train", "test"):
        save(hub.phase_c(1000, split), scan, truth)
    stage = replace(training_stage(Run(), "pinn"), inputs=[paths.phase_c(1000, "train")], outputs=[])
    stamp(hub, stage, seconds=1.5, parameters={})
    for split in splits:
        folder = hub.comparison(1000, "dense", split)
        write_table(folder / "comparison_metrics.csv", table())
        write_json(folder / "status.json", status())
    return hub


def status(**unfit: str) -> dict:
    """Return status.json of the table; arms named in `unfit` did not learn."""
    arms = {
        model: {"status": "did not learn" if model in unfit else "ok", "reason": unfit.get(model, "")}
        for model in CONTRACT
    }
    return {"arms": arms, "channels": {"amplitude": "", "phase": ""}}


def table() -> list[dict]:
    rows = []
    for model, (a, p) in SCORES.items():
        for metric in METRICS:
            pair = (a, p) if metric == "ms_ssim" else (1 - a, 1 - p)
            rows.append({"model": model, "metric": metric, "amplitude": pair[0], "phase": pair[1], "value": None})
        for cost in ("computation_time_s", "peak_memory_mib") if model != "constant" else ():
            rows.append({"model": model, "metric": cost, "amplitude": None, "phase": None, "value": 12.5})
    return rows
