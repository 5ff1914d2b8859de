"""analysis/metrics_summary.json: the scores of every comparison, and their means by model and metric."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from studylib.arms.registry import CONTRACT
from studylib.design import CHANNELS, METRICS
from studylib.errors import StageError
from studylib.io.files import read_json
from studylib.judge.compare import CONSTANT, SAW_REFERENCE
from studylib.run.hub import Hub

COLUMNS = ["model", "metric", "amplitude", "phase", "value"]
"""Header of comparison_metrics.csv."""
COSTS = ("computation_time_s", "peak_memory_mib")
"""Rows of the table that hold a cost, in the column "value"."""


def read_table(path: Path) -> dict[str, dict[str, dict[str, float | None]]]:
    """Read the table of a comparison.

    Parameters
    ----------
    path
        comparison_metrics.csv, with status.json in the same folder.

    Returns
    -------
    dict
        Numbers by model, metric and column (amplitude, phase, value); None for an empty field.

    Raises
    ------
    StageError
        The table is absent or has another header, a model or metric is missing, or a number is missing or not finite.
    InputError
        status.json is missing or not valid JSON.
    """
    name = "/".join(path.parts[-3:])
    if not path.is_file():
        raise StageError(f"{name} is missing: run notebook 05_compare for it")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != COLUMNS:
            raise StageError(f"{name}: columns {reader.fieldnames}, expected {COLUMNS}")
        table: dict[str, dict[str, dict[str, float | None]]] = {}
        for row in reader:
            numbers = {c: _number(row[c], name) for c in COLUMNS[2:]}
            table.setdefault(row["model"], {})[row["metric"]] = numbers
    _complete(table, read_status(path.parent), name)
    return table


def read_status(folder: Path) -> dict[str, Any]:
    """Read status.json of a comparison.

    Parameters
    ----------
    folder
        Folder of the comparison.

    Returns
    -------
    dict
        `arms`: status and reason of each arm. `channels`: why a channel has no scores, or an empty string.

    Raises
    ------
    StageError
        The file has other fields.
    InputError
        The file is missing or not valid JSON.
    """
    status = read_json(folder / "status.json", "run notebook 05_compare again")
    if set(status) != {"arms", "channels"}:
        raise StageError(f"{folder.name}/status.json: fields {sorted(status)}, expected arms and channels")
    return status


def unfit(status: dict[str, Any]) -> list[str]:
    """Return the names of the arms whose scores must not be compared."""
    return [name for name, told in status["arms"].items() if told["status"] != "ok"]


def comparable(status: dict[str, Any]) -> list[str]:
    """Return the names of the arms that can be called the best: they learned, and did not see what scores them.

    Parameters
    ----------
    status
        Result of `read_status`, or a job of metrics_summary.json.
    """
    return [n for n, told in status["arms"].items() if told["status"] == "ok" and SAW_REFERENCE not in told["reason"]]


def _number(text: str | None, name: str) -> float | None:
    """Return a field of the table as a number, or None when the field is empty.

    Raises
    ------
    StageError
        The text is not a finite number; the message has the name of the table.
    """
    if text in (None, ""):
        return None
    try:
        value = float(text)
    except ValueError:
        raise StageError(f"{name}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise StageError(f"{name}: {text} is not finite")
    return value


def _complete(table: dict, status: dict[str, Any], name: str) -> None:
    """Check that a table holds every model, metric and cost.

    Parameters
    ----------
    table
        Result of `read_table`.
    status
        Result of `read_status`.
    name
        Name of the table, for messages.

    Raises
    ------
    StageError
        A model is missing or unknown, or one of its numbers is missing.
    """
    expected = {*status["arms"], CONSTANT}
    if set(table) != expected:
        raise StageError(f"{name}: models {sorted(table)}, expected {sorted(expected)}")
    scored = [channel for channel in CHANNELS if not status["channels"][channel]]
    for model, metrics in table.items():
        for metric in METRICS:
            row = metrics.get(metric)
            # frc50 is empty where the curve never crosses, a channel where its truth has no contrast.
            if row is None or (metric != "frc50" and None in [row[channel] for channel in scored]):
                raise StageError(f"{name}: {model} {metric} is incomplete")
        for cost in COSTS if model != CONSTANT else ():
            if metrics.get(cost, {}).get("value") is None:
                raise StageError(f"{name}: {model} {cost} is incomplete")


def summarise(hub: Hub, dose: int, view: str, splits: list[str]) -> dict[str, Any]:
    """Return the content of metrics_summary.json.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    splits
        The splits that were compared, one job each.

    Returns
    -------
    dict
        Number of jobs, the table and the status of each, means over the jobs, and a check of the simulated data sets.

    Raises
    ------
    StageError
        A comparison is missing or incomplete.
    """
    jobs, tables = [], []
    for split in splits:
        path = hub.comparison(dose, view, split) / "comparison_metrics.csv"
        tables.append(table := read_table(path))
        jobs.append(
            {
                "dose": dose, "view": view, "split": split, "status": "success",
                "comparison_metrics": hub.relative(path), "metrics": table, **read_status(path.parent),
            }
        )  # fmt: skip
    # The models of the original study are always listed, even when they were not run.
    models = dict.fromkeys([*CONTRACT, *(m for table in tables for m in table)])
    return {
        "n_jobs": len(jobs),
        # An incomplete comparison raises an error above, so that every job that gets here succeeded.
        "n_success": len(jobs),
        "n_failed": 0,
        "jobs": jobs,
        "aggregate_metrics": {model: _aggregate([t[model] for t in tables if model in t]) for model in models},
        "phase_c_metadata_compliance": _compliance(hub, dose),
    }


def _aggregate(tables: list[dict]) -> dict[str, dict[str, float | None]]:
    """Return the mean over the tables of one model, and the best MS-SSIM.

    Returns
    -------
    dict
        By metric (ms_ssim, mae): mean_amplitude, mean_phase, for ms_ssim best_amplitude and best_phase too. None where
        the model was not run or a channel has no scores.
    """
    out: dict[str, dict[str, float | None]] = {}
    for metric in ("ms_ssim", "mae"):
        out[metric] = {}
        for c in ("amplitude", "phase"):
            values = [t[metric][c] for t in tables if t[metric][c] is not None]
            out[metric][f"mean_{c}"] = sum(values) / len(values) if values else None
            if metric == "ms_ssim":
                out[metric][f"best_{c}"] = max(values, default=None)
    return out


def _compliance(hub: Hub, dose: int) -> dict[str, Any]:
    """Check the simulated data sets of both splits.

    The strict loader reads them and raises an error when they do not follow their schema, so that there is no evidence.
    """
    from studylib.design import SPLITS
    from studylib.io.dataset import SCHEMA, load_scan

    out = {}
    for split in SPLITS:
        path = hub.phase_c(dose, split)
        metadata = load_scan(path).metadata
        out[split] = {
            "file": hub.relative(path), "schema": SCHEMA, "compliant": metadata["dose"] == dose,
            "n_positions": metadata["n_positions"],
        }  # fmt: skip
    return out
