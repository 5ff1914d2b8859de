"""Write the evidence files of a run in their order, and stop at the first one that is not valid."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from studylib.design import SPLITS, judged
from studylib.errors import StageError
from studylib.evidence import aggregate, deltas, digest, grid, mixture, schema, summary
from studylib.io.files import read_json, write_json, write_text
from studylib.run import provenance
from studylib.run.hub import Hub

SUMMARY = "analysis/metrics_summary.json"
DELTAS = "analysis/metrics_delta_summary.json"
PRETTY = "analysis/metrics_delta_summary.pretty.json"
BLOCKER = "analysis/blocker_metrics_delta.json"


def read_job(hub: Hub, split: str) -> dict[str, Any]:
    """Return the comparison of a split from metrics_summary.json: scores by model, status of the arms and channels."""
    return next(job for job in read_json(hub / SUMMARY, "run 06_evidence")["jobs"] if job["split"] == split)


def write_evidence(hub: Hub, dose: int, view: str, splits: list[str]) -> dict[str, Any]:
    """Write the summary, the deltas, the highlights, the digest, the grid, the aggregate report and the manifest.

    A valid run overwrites the delta file of an earlier run. When the summary fails, that file is deleted; no other
    failure deletes it.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    splits
        The splits that were compared.

    Returns
    -------
    dict
        Content of metrics_delta_summary.json.

    Raises
    ------
    StageError
        A comparison is incomplete, results of different designs or algorithms are mixed, or the deltas do not meet
        their schema.
    """
    try:
        mixture.check({hub.root.name: hub})
        content = summary.summarise(hub, dose, view, splits)
        write_json(hub / SUMMARY, content)
    except Exception:
        # Without a summary, the deltas of an earlier run would pass for those of this run.
        (hub / DELTAS).unlink(missing_ok=True)
        raise
    by_split = {job["split"]: deltas.deltas_of(job["metrics"], summary.unfit(job)) for job in content["jobs"]}
    by_arm = {job["split"]: deltas.deltas_by_arm(job["metrics"], summary.unfit(job)) for job in content["jobs"]}
    more = {"deltas_by_arm": by_arm, "status": {job["split"]: job["arms"] for job in content["jobs"]}}
    chosen = judged(splits)
    origin = provenance.collect(hub, dose=dose, view=view, splits=splits)
    result = write_deltas(hub, by_split, chosen, origin, more)
    preview = deltas.preview(by_split[chosen])
    # The test split comes first in the grid.
    ordered = [s for s in reversed(SPLITS) if s in by_split]
    conditions = {f"dose {dose}, {view}, {split}": by_split[split] for split in ordered}
    texts = {
        "analysis/metrics_delta_highlights.txt": deltas.highlights(by_split[chosen]),
        "analysis/metrics_delta_highlights_preview.txt": preview,
        "analysis/metrics_summary.md": aggregate.tables(content),
    }
    for name, text in texts.items():
        write_text(hub / name, text)
    logged(hub, "aggregate_report_cli", "analysis/aggregate_report.md", aggregate.report(content))
    write_text(hub / "analysis/aggregate_highlights.txt", aggregate.highlights(content))
    logged(hub, "metrics_digest_cli", "analysis/metrics_digest.md", digest.digest(content, by_split[chosen], chosen))
    logged(hub, "ssim_grid_cli", "analysis/ssim_grid_summary.md", grid.grid(conditions, preview))
    write_json(hub / "analysis/comparison_manifest.json", manifest(content))
    return result


def write_deltas(
    hub: Hub, by_split: dict[str, Any], chosen: str, origin: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    """Validate and write metrics_delta_summary.json and its pretty copy.

    Parameters
    ----------
    hub
        Folder of the run.
    by_split
        Deltas of the original study, by split.
    chosen
        Split whose deltas the field `deltas` repeats.
    origin
        Provenance.
    more
        Fields deltas_by_arm and status.

    Returns
    -------
    dict
        Content of metrics_delta_summary.json.

    Raises
    ------
    StageError
        The content is not valid; it is written to analysis/blocker_metrics_delta.json instead.
    """
    content = {
        "generated_at": provenance.utc_now(),
        "source_metrics": SUMMARY,
        "deltas_split": chosen,
        "deltas": by_split[chosen],
        "deltas_by_split": by_split,
        **more,
        "provenance": origin,
    }
    try:
        schema.DeltaSummary.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        # Values that JSON does not know are written as text, so that the invalid content can be read.
        write_json(hub / BLOCKER, {"problems": problems, "content": json.loads(json.dumps(content, default=str))})
        raise StageError(f"deltas do not meet their schema, see {BLOCKER}: {problems[0]}") from error
    (hub / BLOCKER).unlink(missing_ok=True)
    write_json(hub / DELTAS, content)
    write_text(hub / PRETTY, json.dumps(content, indent=4, sort_keys=True, ensure_ascii=False) + "\n")
    return content


def logged(hub: Hub, log: str, name: str, text: str) -> None:
    """Write a text file of the evidence, and a log that repeats its content.

    Parameters
    ----------
    hub
        Folder of the run.
    log
        Name of the log in the folder cli, without its ending.
    name
        Hub-relative path of the text file.
    text
        Content of the text file.
    """
    write_text(hub / name, text)
    write_text(hub / f"cli/{log}.log", f"{provenance.utc_now()} wrote {name}\n{text}\ncomplete\n")


def manifest(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of comparison_manifest.json.

    Parameters
    ----------
    content
        Content of metrics_summary.json.
    """
    keys = ("dose", "view", "split")
    return {
        "n_jobs": content["n_jobs"],
        "n_success": content["n_success"],
        "n_failed": content["n_failed"],
        "n_executed": content["n_jobs"],
        "jobs": [{k: job[k] for k in keys} for job in content["jobs"]],
        "execution_results": [{k: job[k] for k in (*keys, "status", "comparison_metrics")} for job in content["jobs"]],
    }
