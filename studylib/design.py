"""The design of the study: what is varied, what is fixed, the size of a profile, and checks of parameters.

All settings are frozen. A stage receives the part that it needs; nothing reads a global variable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studylib.errors import InputError

STUDY_ID = "STUDY-SYNTH-FLY64-DOSE-OVERLAP-001"
METRICS = ("mae", "mse", "psnr", "ssim", "ms_ssim", "ms_ssim_raw", "frc50")
CHANNELS = ("amplitude", "phase")
SPLITS = ("train", "test")
DOSES = (1_000, 10_000, 100_000)
VIEWS = {"dense": 0.7, "sparse": 0.2}
BACKENDS = ("torch", "tensorflow")
SAMPLES = ("leaves", "two-materials", "phase", "thick", "natural", "siemens")
PROBES = ("zone-plate", "smooth", "diffuser")
DISTURBANCES = (
    "none", "defocus", "probe-noise", "positions-0.5", "positions-1", "background", "two-modes", "finer-object",
)  # fmt: skip
MEASURED = "measured"
"""Name under which object and probe of a measured scan are known."""
PROFILES = ("smoke", "laptop", "full")
MAX_DOSE = 10_000_000_000
MAX_REPLICATE = 999
MAX_SEED, MAX_GROUPS = 2**31 - 1, 10_000_000
SIDE_STEP, LEAST_SIDE = 16, 32
"""Step and least value of the side of a pattern, pixels; the step, because the networks halve the side four times."""
BACKGROUND = 0.05
"""Background in photons per pixel, added to measured and expected counts. It is a stabiliser, not a physical one."""
HELD_SHARE = 0.1
"""Dose of a second exposure, to which no arm is fitted, over that of the first. It shows which arm did not learn."""


class Frozen(BaseModel):
    """Base class of all settings: they cannot be changed, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Seeds(Frozen):
    """One seed for each random decision, so that changing one seed leaves the other decisions alone."""

    sample: int = 41
    """Built-in object and probe."""
    simulation: int = 42
    """Scan positions and photons; the division of measured counts into exposures."""
    grouping: int = 123
    """Groups of positions for PtychoPINN."""
    subsampling: int = 456
    """Positions that are kept in a view."""
    training: int = 7
    """Weights and batches of the networks."""
    iteration: int = 11
    """Random choices of the iterative solvers; split counts that choose options, or the probe of a measured scan."""

    def replicate(self, number: int) -> Seeds:
        """Return the seeds of a replicate of the study, which has another object, other photons and other weights.

        Parameters
        ----------
        number
            Number of the replicate; 0 returns the seeds unchanged.

        Returns
        -------
        Seeds
        """
        return Seeds(**{name: seed + 1_000_000 * number for name, seed in self})


class SampleSettings(Frozen):
    """Built-in object and scan."""

    object_size: int = Field(512, ge=160)
    """Side of the square object, pixels."""
    n_pixels: int = Field(64, ge=LEAST_SIDE, multiple_of=SIDE_STEP)
    """N, the side of the detector, of the probe and of a window, pixels."""
    scan_step: float = Field(5.0, gt=0)
    """Step of the raster scan from which the views are thinned, object pixels."""
    jitter: float = Field(0.3, ge=0)
    """Half width of the uniform random displacement of positions, as a fraction of the step."""


class GroupingSettings(Frozen):
    """Grouping of positions for the physics-informed network (OVERSAMPLING-001)."""

    gridsize: Literal[1, 2] = 2
    """g; a group holds C = g**2 positions."""
    n_neighbours: int = Field(7, ge=1)
    """K; the other members of a group are drawn from the K nearest neighbours of a position."""

    @property
    def group_size(self) -> int:
        """C, the number of positions in a group."""
        return self.gridsize**2

    @model_validator(mode="after")
    def _oversampling(self) -> GroupingSettings:
        """Reject fewer neighbours than a group has positions."""
        if self.n_neighbours < self.group_size:
            raise ValueError(f"OVERSAMPLING-001: K={self.n_neighbours} must be at least C={self.group_size}")
        return self


class TrainingSettings(Frozen):
    """Optimisation of one network. Its length is in steps, not seconds, so that equal seeds give equal weights."""

    steps: int = Field(..., ge=1)
    """Steps of the optimiser."""
    patterns_per_step: int = Field(32, ge=4)
    """Diffraction patterns in one batch."""
    learning_rate: float = Field(1e-3, gt=0)
    """Largest learning rate: it rises linearly to this value and then falls to zero as a cosine."""
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    """Fraction of the steps in which the learning rate rises."""
    clip_norm: float = Field(0.1, gt=0)
    """Global gradient norm above which a step is scaled down."""
    width: int = Field(32, ge=8)
    """Feature maps at the finest scale; the next scales have twice and four times as many."""
    skips: bool = False
    """Whether the decoders also get the finer scales of the encoder (skip connections). With few photons, skip
    connections copy the noise of the pattern, which is its own target. With many photons, the coarsest scale alone
    limits the resolution."""
    validation_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Fraction of the training half that is held out to choose the checkpoint."""
    evaluations: int = Field(20, ge=1)
    """Number of times that the held-out loss is computed."""
    thinning: float = Field(0.0, ge=0, lt=1)
    """q, the fraction of the counts that PtychoPINN does not see and that its loss is computed on. It is drawn anew at
    every step; with 0 the network sees all counts, and the loss uses the same ones."""
    use_symmetries: bool = True
    """Train on mirror images of the patterns too, for those mirrors under which the probe is its own image."""
    mixed_precision: bool = True
    """Use mixed_bfloat16 where the processor supports it; the physics layer is always float32."""


class StudyDesign(Frozen):
    """All settings of a run."""

    study: str = STUDY_ID
    profile: str
    """Name of the profile, which sets sizes and lengths."""
    replicate: int = Field(0, ge=0)
    """Number of the replicate; every seed depends on it."""
    doses: tuple[int, ...] = DOSES
    """Photons per pattern."""
    views: dict[str, float] = VIEWS
    """Overlap of each view, 1 - step / (90 % diameter of the probe)."""
    splits: tuple[str, ...] = SPLITS
    seeds: Seeds = Seeds()
    sample: SampleSettings = SampleSettings()
    arms: dict[str, dict[str, Any]] = {}
    """Settings that the profile fixes, by key of the arm. They override the settings chosen by split counts."""
    ms_ssim_sigma: float = Field(1.0, ge=0)
    """Standard deviation of the Gaussian blur of both images before MS-SSIM, pixels."""
    max_registration_px: float = Field(2.0, gt=0)
    """Largest accepted shift between arm and truth, pixels; a larger one means a wrong frame and is an error."""

    @classmethod
    def for_profile(cls, profile: str, replicate: int = 0) -> StudyDesign:
        """Return the design of a profile.

        Parameters
        ----------
        profile
            smoke (for CI), laptop (two cores) or full (a GPU).
        replicate
            Number of the replicate.

        Returns
        -------
        StudyDesign

        Raises
        ------
        InputError
            The profile is not known.
        """
        check_profile(profile)
        changes = {"profile": profile, "replicate": replicate, "seeds": Seeds().replicate(replicate)}
        return cls.model_validate(_PROFILES[profile] | changes)


# The smoke profile has few patterns, so a wide strip is held out; otherwise its groups would differ from the others.
_SMOKE = {"steps": 300, "evaluations": 5, "learning_rate": 2e-3, "validation_fraction": 0.2}

_FULL = {"steps": 20_000, "patterns_per_step": 64, "width": 64}

_PROFILES: dict[str, dict] = {
    "smoke": {
        "sample": {"object_size": 256, "n_pixels": 32},
        "arms": {
            "pinn": _SMOKE,
            "baseline": _SMOKE,
            "unrolled": {"steps": 40, "draws": 2, "width": 8, "evaluations": 2, "learning_rate": 3e-3},
            "ptychi": {"epochs": 15, "first_epochs": 0},
            "map": {"iterations": 60, "rounds": 1},
            "pinn_map": {"rounds": 1},
            "ptychi_prior": {"epochs": 10, "width": 8, "levels": 2},
        },
    },
    "laptop": {},
    "full": {
        "sample": {"object_size": 880, "scan_step": 5.0},
        "arms": {"pinn": _FULL, "baseline": _FULL},
    },
}


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return a value that is one of the allowed ones, or raise InputError that lists them."""
    if value not in allowed:
        raise InputError(name, value, "one of " + ", ".join(allowed), f"give {name}={allowed[0]}")
    return str(value)


def _whole(name: str, value: object, most: int) -> int:
    """Return a whole number from 0 to `most`, given as a number or as text, or raise InputError."""
    # isascii excludes digits of other scripts, which isdecimal accepts.
    if not (str(value).isascii() and str(value).isdecimal()) or int(str(value)) > most:
        raise InputError(name, value, f"a whole number from 0 to {most}", f"give {name}=0")
    return int(str(value))


NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e\+?[0-9]{1,2})?", re.ASCII)
"""A number in ASCII digits, as on a command line. Python itself would also accept digits of other scripts."""


def check_dose(dose: object) -> int:
    """Return the dose (mean detected photons per pattern) as an int, or raise InputError.

    Parameters
    ----------
    dose
        A number, or text such as 1000 or 1e5.

    Returns
    -------
    int
        From 1 to `MAX_DOSE`.

    Raises
    ------
    InputError
        The value is not a whole number in that range.

    Examples
    --------
    >>> check_dose("1000")
    1000
    """
    expected = f"a whole number of photons per pattern from 1 to {MAX_DOSE}"
    text = isinstance(dose, str) and not NUMBER.fullmatch(dose)
    try:
        # float(True) would be 1, so a bool is excluded here.
        number = math.nan if text or isinstance(dose, bool) else float(dose)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError("dose", dose, expected, "give dose=1000") from None
    if not math.isfinite(number) or number != int(number) or not 1 <= number <= MAX_DOSE:
        raise InputError("dose", dose, expected, "give dose=1000")
    return int(number)


def check_replicate(replicate: object) -> int:
    """Return the number of a replicate, or raise InputError."""
    return _whole("replicate", replicate, MAX_REPLICATE)


def check_seed(seed: object) -> int:
    """Return a seed, or raise InputError."""
    return _whole("seed", seed, MAX_SEED)


def check_groups(n_groups: object) -> int:
    """Return the number of groups, or raise InputError; 0 stands for one group per position."""
    return _whole("n_groups", n_groups, MAX_GROUPS)


def check_share(s_img: object) -> float:
    """Return the fraction of the thinned positions that is kept, or raise InputError."""
    if isinstance(s_img, bool) or not isinstance(s_img, int | float) or not 0 < s_img <= 1:
        raise InputError("s_img", s_img, "a share above 0 and up to 1", "give s_img=1.0")
    return float(s_img)


def check_sample(sample: object) -> str:
    """Return the name of a built-in object, or `MEASURED`; raise InputError for any other value."""
    return _one_of("sample", sample, (*SAMPLES, MEASURED))


def check_probe(probe: object) -> str:
    """Return the name of a built-in probe, or `MEASURED`; raise InputError for any other value."""
    return _one_of("probe", probe, (*PROBES, MEASURED))


def check_disturbance(disturbed: object) -> str:
    """Return the name of a disturbance of a simulated experiment, or raise InputError."""
    return _one_of("disturbed", disturbed, DISTURBANCES)


def check_view(view: object) -> str:
    """Return the name of a view, or raise InputError.

    Examples
    --------
    >>> check_view("dense")
    'dense'
    """
    return _one_of("view", view, tuple(VIEWS))


def check_split(split: object) -> str:
    """Return the name of a split, or raise InputError."""
    return _one_of("split", split, SPLITS)


def check_profile(profile: object) -> str:
    """Return the name of a profile, or raise InputError."""
    return _one_of("profile", profile, PROFILES)


def check_backend(backend: object) -> str:
    """Return the name of a Keras backend, or raise InputError."""
    return _one_of("backend", backend, BACKENDS)


def judged(splits: Collection[str]) -> str:
    """Return the split by which a run is judged: test if the run has it, otherwise its first split."""
    return "test" if "test" in splits else next(iter(splits))
