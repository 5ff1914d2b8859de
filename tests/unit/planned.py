"""A response and an experiment to plan with: figures that can be worked out by hand."""

from __future__ import annotations

from studylib.design import SampleSettings
from studylib.samples import Sample
from tests.asymmetric import N, probe, specimen

DOSES = (1_000, 10_000, 100_000)
CONDITION = {"sample": "leaves", "probe": "zone-plate", "view": "dense", "replicate": 0}


def row(arm: str, dose: int, error: float, **other):
    return {
        **CONDITION, "dose": dose, "arm": arm, "status": "ok", "note": "",
        "positions": 400, "phase_mae": error, "phase_frc50": 0.4, "seconds": 20.0, **other,
    }  # fmt: skip


def limit(dose: int, n: float, **other):
    """1 / sqrt(n) is what the best linear estimator has in these tests."""
    return {
        **CONDITION, "dose": dose, "photons_per_pixel": n, "phase_wiener": n**-0.5, "frc50": 0.5, "reason": "", **other,
    }  # fmt: skip


def whole_response(response):
    """Return the rows of these tests as a response.json has them."""
    study = {"profile": "laptop"}
    rest = ("points", "deltas", "needed", "equal_fluence", "winners", "failed")
    none = dict.fromkeys(
        (
            "phase_ms_ssim",
            "amplitude_ms_ssim",
            "phase_ms_ssim_raw",
            "amplitude_ms_ssim_raw",
            "amplitude_mae",
            "amplitude_frc50",
        )
    )
    rows = [none | {"fluence": 1.0} | r for r in response["rows"]]
    more = dict.fromkeys(("phase_bound", "amplitude_bound", "amplitude_wiener")) | {
        "fluence": 1.0,
        "phase_diagonal": 1.0,
    }
    limits = [more | r for r in response["limits"]]
    return {"generated_at": "2026-11-28T00:00:00Z", "study": study, "split": "test", "rows": rows, "limits": limits,
            **{name: [] for name in rest}, "tables": {}}  # fmt: skip


SAMPLE = Sample(specimen((160, 176)), probe(), "asymmetric")
SETTINGS = SampleSettings(object_size=160, n_pixels=N, scan_step=5.0)
