"""The stages A to G: each reads its inputs from the hub, computes, writes whole files and a stamp.

A notebook calls one of these and shows what comes back. Where an input is missing the error names the
notebook that makes it.
"""

from __future__ import annotations

import csv
import io
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib import samples
from studylib.design import HELD_SHARE, SPLITS, VIEWS, StudyDesign
from studylib.errors import StageError
from studylib.io import dataset
from studylib.io.files import read_json, write_json, write_text, write_with
from studylib.physics import overlap, simulate
from studylib.physics.grouping import group
from studylib.physics.windows import extract
from studylib.run.hub import Hub
from studylib.run.provenance import stamp
from studylib.scan import Scan


def write_design(hub: Hub, profile: str, replicate: int = 0) -> StudyDesign:
    """Write the frozen design (A)."""
    start = time.perf_counter()
    design = StudyDesign.for_profile(profile, replicate)
    path = write_json(hub / "analysis/design.json", design.model_dump(mode="json"))
    stamp(
        hub, "00_design", inputs=[], outputs=[path], seconds=time.perf_counter() - start,
        parameters={"profile": profile, "replicate": replicate},
    )  # fmt: skip
    return design


def read_design(hub: Hub, profile: str) -> StudyDesign:
    """Return the hub's design.

    Raises
    ------
    StageError
        It is of another profile, or of an older version of the study.
    """
    content = read_json(hub / "analysis/design.json", "run notebook 00_design first (make dense-evidence)")
    design = StudyDesign.model_validate(content)
    if design != StudyDesign.for_profile(profile, design.replicate):
        raise StageError(
            f"the hub was designed with profile {design.profile} of this or another version, "
            f"not the {profile} of now: run 00_design again, or use another hub"
        )
    return design


def generate(hub: Hub, profile: str, dose: int, base: str = "", seed: int | None = None) -> dict[str, Scan]:
    """C: simulate both halves in counts.

    Parameters
    ----------
    base
        NPZ with probe and object; empty for the built-in sample.
    seed
        Of positions and photons; the design's when None.
    """
    start = time.perf_counter()
    design = read_design(hub, profile)
    seed = design.seeds.simulation if seed is None else seed
    source = samples.load_base(base) if base else samples.built_in(design.sample, design.seeds)
    n_pixels = source.probe.shape[0]
    generator = np.random.default_rng([seed, dose])
    positions = simulate.scan_positions(source.object.shape, n_pixels, design.sample, generator)
    halves = simulate.split_along_y(positions, source.object.shape[0], n_pixels)
    used = positions[np.concatenate([halves[s] for s in SPLITS])]
    probe = simulate.scale_probe(source.object, source.probe, used, dose)
    scale = simulate.intensity_scale(dose, n_pixels)
    scans = {}
    for split in SPLITS:
        where = positions[halves[split]]
        diffraction = simulate.count_photons(source.object, probe, where, scale, generator)
        held = simulate.hold_counts(source.object, probe, where, HELD_SHARE, np.random.default_rng([seed, dose, 1]))
        metadata = {
            "dose": dose, "split": split, "view": None, "sample": source.name, "seed": seed,
            "object_shape": list(source.object.shape), "scan_step_px": design.sample.scan_step,
        }  # fmt: skip
        scans[split] = Scan(
            diffraction, probe, where, scale, source.object.shape, metadata, held=held, held_share=HELD_SHARE
        )
    outputs = [
        dataset.save(hub.phase_c(dose, split), scan, source.object, _true_patches(split, source.object, scan))
        for split, scan in scans.items()
    ]
    stamp(
        hub, f"01_generate_dose{dose}", inputs=[hub / "analysis/design.json"], outputs=outputs,
        seconds=time.perf_counter() - start, parameters={"dose": dose, "seed": seed, "base": source.name},
    )  # fmt: skip
    return scans


def _true_patches(split: str, truth: NDArray, scan: Scan) -> NDArray | None:
    """Return the true patches of a training set; the test set has none."""
    return extract(truth, scan.positions, scan.n_pixels) if split == "train" else None


def make_view(
    hub: Hub, profile: str, dose: int, view: str, s_img: float = 1.0, n_groups: int = 0
) -> dict[str, dict[str, Any]]:
    """D: thin both halves to the view's spacing and report the overlap.

    Parameters
    ----------
    s_img
        Share of the thinned positions that is kept, drawn by the subsampling seed.
    n_groups
        Groups that the overlap is reported for; one a position when 0.

    Returns
    -------
    Overlap metrics by split
    """
    start = time.perf_counter()
    design = read_design(hub, profile)
    if not 0 < s_img <= 1:
        from studylib.errors import InputError

        raise InputError("s_img", s_img, "a share above 0 and up to 1", "give s_img=1.0")
    reports, inputs, outputs = {}, [], []
    for split in SPLITS:
        inputs.append(source := hub.phase_c(dose, split))
        scan, truth = dataset.load_scan(source), dataset.load_truth(source)
        diameter = samples.probe_diameter(scan.probe)
        spacing = overlap.target_spacing(VIEWS[view], diameter)
        keep = overlap.thin(scan.positions, spacing, design.seeds.subsampling)
        if s_img < 1:
            chosen = np.random.default_rng(design.seeds.subsampling).random(len(keep)) < s_img
            keep = keep[chosen]
        thinned = scan.take(keep)
        metadata = scan.metadata | {"view": view, "overlap": VIEWS[view], "s_img": s_img}
        thinned = replace(thinned, metadata=metadata)
        patches = dataset.load_patches(source)[keep] if split == "train" else None
        outputs.append(dataset.save(hub.phase_d(dose, view, split), thinned, truth, patches))
        groups = group(thinned.positions, design.grouping, design.seeds.grouping, n_groups or None)
        reports[split] = overlap.report(
            thinned.positions, len(scan.positions), groups, diameter, spacing,
            overlap.acceptance_bound(scan.positions, spacing), design.grouping.n_neighbours,
        )  # fmt: skip
    outputs.append(write_json(hub.overlap_metrics(dose, view), reports))
    stamp(
        hub, f"02_overlap_dose{dose}_{view}", inputs=inputs, outputs=outputs,
        seconds=time.perf_counter() - start,
        parameters={"dose": dose, "view": view, "s_img": s_img, "n_groups": n_groups},
    )  # fmt: skip
    return reports


def train(hub: Hub, profile: str, dose: int, view: str, arm: str, backend: str, seed: int | None = None):
    """E: train one network on the view's training half.

    Returns
    -------
    studylib.learn.train.Trained
    """
    from studylib.learn.backend import device, use_backend

    use_backend(backend)
    from studylib.learn.predict import save_network
    from studylib.learn.train import train_baseline, train_pinn

    start = time.perf_counter()
    design = read_design(hub, profile)
    seed = design.seeds.training if seed is None else seed
    source = hub.phase_d(dose, view, "train")
    scan = dataset.load_scan(source, "run notebook 02_overlap first")
    settings = design.pinn if arm == "pinn" else design.baseline
    if arm == "pinn":
        trained = train_pinn(scan, design.grouping, settings, seed, design.seeds.grouping)
    else:
        trained = train_baseline(scan, dataset.load_patches(source), settings, seed)
    folder = hub.phase_e(dose, view, arm)
    training = {
        "arm": arm, "backend": backend, "device": device(), "seed": seed, "attempts": trained.attempts,
        "seconds": trained.seconds, "patterns_per_second": trained.patterns_per_second,
        "peak_memory_mib": trained.peak_memory_mib, "flat_loss": trained.flat_loss,
        "parameters": trained.network.count_params(),
        "fluence": scan.fluence, "skips": settings.has_skips(scan.fluence),
        "best_val_loss": min(row["val_loss"] for row in trained.history),
    }  # fmt: skip
    outputs = [
        save_network(trained.network, folder / "model.keras"),
        write_table(folder / "history.csv", trained.history),
        write_json(folder / "training.json", training),
    ]
    stamp(
        hub, f"03_train_dose{dose}_{view}_{arm}", inputs=[source], outputs=outputs,
        seconds=time.perf_counter() - start,
        parameters={"dose": dose, "view": view, "arm": arm, "backend": backend, "device": device(), "seed": seed},
    )  # fmt: skip
    return trained


def reconstruct(
    hub: Hub,
    profile: str,
    dose: int,
    view: str,
    split: str,
    algorithm: str = "LSQML",
    start: str = "flat",
    adapt_epochs: int = 0,
    backend: str = "torch",
):
    """F: reconstruct a split from its own patterns.

    Parameters
    ----------
    algorithm
        LSQML or rPIE; adapt lets PtychoPINN go on training on the split for adapt_epochs.
    start
        flat, or PtychoPINN for the network's image.

    Returns
    -------
    studylib.arms.ptychi.Reconstruction
    """
    begin = time.perf_counter()
    design = read_design(hub, profile)
    source = hub.phase_d(dose, view, split)
    scan = dataset.load_scan(source, "run notebook 02_overlap first")
    inputs, model = [source], hub.phase_e(dose, view, "pinn") / "model.keras"
    extra = algorithm if algorithm == "adapt" else "from_pinn" if start == "PtychoPINN" else ""
    if extra:
        inputs.append(model)
        result = _from_network(model, scan, design, algorithm, adapt_epochs, backend)
    else:
        from studylib.arms.ptychi import iterate

        result = iterate(scan, design.iteration, design.seeds.iteration, algorithm)
    path = hub.phase_f(dose, view, split, extra)
    members = {
        "object": result.object, "loss": result.loss, "seconds": np.float64(result.seconds),
        "peak_memory_mib": np.float64(result.peak_memory_mib),
    }  # fmt: skip
    write_with(path, lambda file: np.savez(file, **members))  # type: ignore[arg-type]
    stamp(
        hub, f"04_reconstruct_dose{dose}_{view}_{split}{'_' * bool(extra)}{extra}", inputs=inputs, outputs=[path],
        seconds=time.perf_counter() - begin,
        parameters={"dose": dose, "view": view, "split": split, "algorithm": algorithm, "start": start,
                    "adapt_epochs": adapt_epochs, "settings": design.iteration.model_dump()},
    )  # fmt: skip
    return result


def _from_network(model: Path, scan: Scan, design: StudyDesign, algorithm: str, epochs: int, backend: str):
    """Return what PtychoPINN's image becomes when it is refined on the patterns themselves."""
    from studylib.learn.backend import use_backend

    use_backend(backend)
    from studylib.arms.ptychi import iterate
    from studylib.learn.predict import load_network, reconstruct
    from studylib.learn.train import adapt_pinn

    network = load_network(model, "run notebook 03_train with arm=pinn first")
    if algorithm == "adapt":
        return adapt_pinn(network, scan, design.grouping, design.pinn, design.seeds, epochs)
    begin = time.perf_counter()
    image = reconstruct(network, scan, design.grouping, design.seeds.grouping)
    predicted = time.perf_counter() - begin
    result = iterate(scan, design.iteration, design.seeds.iteration, algorithm, image)
    return replace(result, seconds=result.seconds + predicted)


def compare(hub: Hub, profile: str, dose: int, view: str, split: str, backend: str, extras: tuple[str, ...] = ()):
    """G: put the three arms, and the extra rows asked for, on one canvas and score them.

    Returns
    -------
    studylib.judge.compare.Comparison
    """
    from studylib.learn.backend import use_backend

    use_backend(backend)
    from studylib.judge.compare import compare_arms

    start = time.perf_counter()
    design = read_design(hub, profile)
    source = hub.phase_d(dose, view, split)
    files = [source, *(hub.phase_f(dose, view, split, extra) for extra in ("", *extras))]
    files += [hub.phase_e(dose, view, arm) / "model.keras" for arm in ("pinn", "baseline")]
    comparison = compare_arms(hub, design, dose, view, split, extras)
    folder = hub.comparison(dose, view, split)
    outputs = [
        write_table(folder / "comparison_metrics.csv", comparison.rows),
        write_with(
            folder / "reconstructions.npz",
            lambda file: np.savez(file, truth=comparison.truth, **comparison.images),  # type: ignore[arg-type]
        ),
        write_json(folder / "cost.json", comparison.cost),
        write_json(folder / "registration.json", comparison.registration),
        write_table(folder / "frc.csv", comparison.frc),
        *draw(comparison, folder),
    ]
    stamp(
        hub, f"05_compare_dose{dose}_{view}_{split}", inputs=files, outputs=outputs,
        seconds=time.perf_counter() - start,
        parameters={"dose": dose, "view": view, "split": split, "backend": backend, "extras": list(extras)},
    )  # fmt: skip
    return comparison


def draw(comparison, folder: Path) -> list[Path]:
    """Save the pictures of a comparison as PNG."""
    from studylib import figures

    drawn = {
        "phase.png": figures.arms(comparison, "phase"),
        "amplitude.png": figures.arms(comparison, "amplitude"),
        "frc.png": figures.ring_correlation(comparison.frc),
    }
    return [
        write_with(folder / name, partial(picture.savefig, format="png", dpi=110)) for name, picture in drawn.items()
    ]


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as CSV; None is an empty field.

    Raises
    ------
    StageError
        There is no row.
    """
    if not rows:
        raise StageError(f"{path.name} would have no rows")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_text(path, buffer.getvalue())
