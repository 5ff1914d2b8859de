"""analysis/response.json: every score of a study, dose and overlap responses, deltas with intervals, and winners."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from studylib.arms import registry
from studylib.design import CHANNELS, MEASURED, judged
from studylib.errors import InputError
from studylib.evidence import mixture, summary
from studylib.evidence.deltas import MINE
from studylib.evidence.response_schema import (
    AtEqualFluence,
    Delta,
    Failed,
    Limit,
    Needed,
    Point,
    Response,
    Row,
    Sure,
    Winner,
)
from studylib.io import dataset
from studylib.io.files import read_json, write_json
from studylib.judge import response
from studylib.judge.compare import CONSTANT
from studylib.run import paths, provenance
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.study import Study

NAME = "analysis/response.json"
LEVELS = (0.8, 0.9)
"""Phase MS-SSIM values for which the needed dose is computed."""


def write(root: Hub, study: Study, failed: dict[str, str]) -> Response:
    """Read the comparison tables of all conditions and write response.json.

    Parameters
    ----------
    root
        Folder of the study.
    study
        Its samples, probes, doses, views, replicates and arms.
    failed
        By the folder of each condition without evidence, the reason.

    Returns
    -------
    Response
        The content of response.json.

    Raises
    ------
    StageError
        A table is missing or incomplete, or conditions do not belong together.
    """
    rows, limits, sure, tables, split = [], [], [], {}, judged(study.splits)
    mixture.check({folder: Hub(root / folder) for folder in study.conditions() if folder not in failed})
    for folder, run in study.conditions().items():
        if folder not in failed:
            table = Hub(root / folder).comparison(run.dose, run.view, split) / "comparison_metrics.csv"
            # The limit and the error maps of a condition refer to the same scan as its rows.
            mine = list(_rows(Hub(root / folder), run, split))
            rows += mine
            limits += list(_limits(table.parent / paths.LIMIT, run, mine[0]))
            sure += [_sure(table.parent, key, mine[0]) for key in run.arms if registry.arm(key).error_from_halves]
            tables[root.relative(table)] = provenance.sha256(table)
    points = curves(rows)
    told = Response(
        generated_at=provenance.utc_now(), study=study.model_dump(mode="json"), split=split, rows=rows,
        points=points, deltas=deltas(rows), needed=list(_needed(points)), equal_fluence=list(_equal_fluence(points)),
        winners=winners(rows), failed=[Failed(folder=f, reason=r) for f, r in failed.items()], limits=limits,
        sure=sure, tables=tables,
    )  # fmt: skip
    write_json(root / NAME, told.model_dump(mode="json"))
    return told


def _rows(hub: Hub, run: Run, split: str) -> Iterator[Row]:
    """Yield the scores of one condition: one row for each arm, and one for the constant image.

    Parameters
    ----------
    hub
        Hub of the condition.
    run
        Its parameters.
    split
        Split that is compared.
    """
    folder = hub.comparison(run.dose, run.view, split)
    table, status = summary.read_table(folder / "comparison_metrics.csv"), summary.read_status(folder)
    scan = dataset.load_scan(hub.phase_d(run.dose, run.view, split))
    where = {name: getattr(run, name) for name in ("dose", "view", "replicate")}
    where |= {
        "sample": run.base_name or run.sample,
        "probe": run.setting,
        "fluence": scan.fluence,
        "positions": len(scan.positions),
    }
    for name, metrics in table.items():
        scores = {
            f"{channel}_{metric}": metrics[metric][channel]
            for channel in CHANNELS for metric in ("ms_ssim", "ms_ssim_raw", "mae", "frc50")
        }  # fmt: skip
        # The constant image is no arm: it has no status and no costs.
        told = status["arms"].get(name, {"status": "reference", "reason": ""})
        seconds = metrics["computation_time_s"]["value"] if name != CONSTANT else None
        yield Row(**where, arm=name, status=told["status"], note=told["reason"], seconds=seconds, **scores)


def _limits(path: Path, run: Run, row: Row) -> Iterator[Limit]:
    """Yield what the photons of a condition allow, or nothing for a measured scan, which has no truth.

    Parameters
    ----------
    path
        limit.json of the condition.
    run
        Parameters of the condition.
    row
        Any row of the condition, for its names and its fluence.
    """
    if run.sample != MEASURED:
        where = {name: getattr(row, name) for name in (*CONDITION, "replicate", "fluence")}
        yield Limit(**where, **read_json(path, "run notebook 05_limit"))


def _sure(folder: Path, key: str, row: Row) -> Sure:
    """Return what the error map of an arm covers in one condition.

    Parameters
    ----------
    folder
        Folder of the comparison.
    key
        Key of the arm.
    row
        Any row of the condition, for its names.
    """
    told = read_json(folder / paths.uncertainty(key), "run notebook 05_uncertainty")
    where = {name: getattr(row, name) for name in (*CONDITION, "replicate")}
    names = ("told", "within_one", "within_two")
    return Sure(
        **where, arm=told["arm"],
        **{f"{channel}_{name}": told[channel][name] for channel in CHANNELS for name in names if name in told[channel]},
    )  # fmt: skip


def _by(rows: list[Any], *names: str) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    """Group objects by the values of some fields; yield these values and the members, sorted by the values."""

    def key(row: Any) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in names)

    for values, members in groupby(sorted(rows, key=key), key):
        yield values, list(members)


CONDITION = ("sample", "probe", "view", "dose")
"""Fields that name a condition, whatever its replicate."""


def curves(rows: list[Row]) -> list[Point]:
    """Return mean, interval and extremes over the replicates, for every arm, condition and metric.

    Parameters
    ----------
    rows
        All rows of a study.

    Returns
    -------
    list of Point
        The metrics are phase and amplitude MS-SSIM, phase MAE and seconds. A metric without any value has no point.
    """
    points = []
    for (*where, arm), members in _by(rows, *CONDITION, "arm"):
        named = dict(zip(CONDITION, where, strict=True)) | {"arm": arm}
        # Replicates may have other positions, so that their fluences differ slightly.
        fluence = sum(m.fluence for m in members) / len(members)
        unfit = sum(m.status not in ("ok", "reference") for m in members)
        for metric in ("phase_ms_ssim", "amplitude_ms_ssim", "phase_mae", "seconds"):
            values = [v for m in members if (v := getattr(m, metric)) is not None]
            if values:
                told = response.spread(values)
                points.append(
                    Point(
                        **named, metric=metric, fluence=fluence, mean=told.mean, interval_low=told.low,
                        interval_high=told.high, least=min(values), most=max(values), replicates=told.number,
                        unfit=unfit,
                    )
                )  # fmt: skip
    return points


def deltas(rows: list[Row]) -> list[Delta]:
    """Return PtychoPINN - other for every condition and metric, with the paired interval over replicates.

    Parameters
    ----------
    rows
        All rows of a study.

    Returns
    -------
    list of Delta
        Only replicates enter in which both arms have the status ok and a score.
    """
    found = []
    for where, members in _by(rows, *CONDITION):
        scores = {(m.arm, m.replicate): m for m in members if m.status == "ok"}
        for other in sorted({m.arm for m in members} - {MINE, CONSTANT}):
            for metric in ("phase_ms_ssim", "phase_mae", "amplitude_ms_ssim", "amplitude_mae"):
                values = _differences(scores, other, metric)
                if values:
                    told = response.spread(values)
                    found.append(
                        Delta(
                            **dict(zip(CONDITION, where, strict=True)), other=other, metric=metric, mean=told.mean,
                            interval_low=told.low, interval_high=told.high, replicates=told.number,
                        )
                    )  # fmt: skip
    return found


def _differences(scores: dict[tuple[str, int], Row], other: str, metric: str) -> list[float]:
    """Return PtychoPINN - other for the replicates in which both have a score.

    Parameters
    ----------
    scores
        Rows of one condition, by arm and number of the replicate.
    other
        Name of the other arm.
    metric
        Field of a row.
    """
    pairs = [(row, scores.get((other, number))) for (arm, number), row in scores.items() if arm == MINE]
    both = [(getattr(a, metric), getattr(b, metric)) for a, b in pairs if b is not None]
    return [a - b for a, b in both if a is not None and b is not None]


def _needed(points: list[Point]) -> Iterator[Needed]:
    """Yield the dose at which each arm reaches each of the levels."""
    phase = [p for p in points if p.metric == "phase_ms_ssim" and p.arm != CONSTANT]
    for (sample, probe, view, arm), members in _by(phase, "sample", "probe", "view", "arm"):
        for level in LEVELS:
            dose = response.needed([m.dose for m in members], [m.mean for m in members], level)
            yield Needed(sample=sample, probe=probe, view=view, arm=arm, level=level, dose=dose)


def _equal_fluence(points: list[Point]) -> Iterator[AtEqualFluence]:
    """Yield each score with those of other views at the same fluence: they differ by what the overlap alone does."""
    phase = [p for p in points if p.metric == "phase_ms_ssim" and p.arm != CONSTANT]
    for (sample, probe, arm), members in _by(phase, "sample", "probe", "arm"):
        views = {view: sorted(part, key=lambda p: p.fluence) for (view,), part in _by(members, "view")}
        for point in members:
            for view, part in views.items():
                if view != point.view:
                    # The other view was measured at other fluences, so its curve is interpolated.
                    other = response.at([p.fluence for p in part], [p.mean for p in part], point.fluence)
                    yield AtEqualFluence(
                        sample=sample, probe=probe, arm=arm, view=point.view, dose=point.dose, fluence=point.fluence,
                        score=point.mean, other_view=view, other_score=other,
                    )  # fmt: skip


def winners(rows: list[Row]) -> list[Winner]:
    """Return the arm with the best phase MS-SSIM in each condition, and the arms that tie with it.

    Parameters
    ----------
    rows
        All rows of a study.

    Returns
    -------
    list of Winner
        An arm that saw the reference is left out, and so is one that lacks a score in any replicate.
    """
    found = []
    for where, members in _by(rows, *CONDITION):
        # The intervals are paired, so every arm needs a score in the same replicates.
        numbers = {m.replicate for m in members}
        scores = {
            arm: [m.phase_ms_ssim for m in sorted(part, key=lambda m: m.replicate)]
            for (arm,), part in _by([m for m in members if m.status == "ok" and not m.saw_reference], "arm")
            if len(part) == len(numbers) and all(m.phase_ms_ssim is not None for m in part)
        }
        best = response.winners(scores)
        named = dict(zip(CONDITION, where, strict=True))
        found.append(Winner(**named, best=best[0] if best else None, ties=list(best[1:])))
    return found


def read(root: Path) -> Response:
    """Return the response of a study from its folder.

    Raises
    ------
    InputError
        The folder has no response.json.
    """
    if not (root / NAME).is_file():
        raise InputError("hub", root, f"the folder of a finished study, with {NAME}", "run make response")
    return Response.model_validate_json((root / NAME).read_text(encoding="utf-8"))
