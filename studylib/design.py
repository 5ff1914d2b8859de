"""The study's design: what is varied, what is fixed, and how large a profile is.

Everything here is frozen. A stage receives the part it needs; nothing reads a global.
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
"""Name of object and probe of a measured scan."""
PROFILES = ("smoke", "laptop", "full")
MAX_DOSE = 10_000_000_000
MAX_REPLICATE = 999
MAX_SEED, MAX_GROUPS = 2**31 - 1, 10_000_000
SIDE_STEP, LEAST_SIDE = 16, 32
"""What the side of a pattern is a multiple of, since the networks halve it four times, and its least, pixels."""
BACKGROUND = 0.05
"""Background in photons per pixel, added to measured and expected counts: a stabiliser, not a physical background."""
HELD_SHARE = 0.1
"""Dose of a second exposure that no arm is fitted to, over that of the first: it tells which arm did not learn."""


class Frozen(BaseModel):
    """Base of all settings: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Seeds(Frozen):
    """One seed a random decision, so that changing one leaves the others alone."""

    sample: int = 41
    simulation: int = 42
    grouping: int = 123
    subsampling: int = 456
    training: int = 7
    iteration: int = 11

    def replicate(self, number: int) -> Seeds:
        """Return the seeds of a repetition of the study: another object, other photons, other weights."""
        return Seeds(**{name: seed + 1_000_000 * number for name, seed in self})


class SampleSettings(Frozen):
    """Built-in object and scan; pixels are object pixels."""

    object_size: int = Field(512, ge=160)
    """Side of the square object."""
    n_pixels: int = Field(64, ge=LEAST_SIDE, multiple_of=SIDE_STEP)
    """N: side of the detector, of the probe and of one window."""
    scan_step: float = Field(5.0, gt=0)
    """Pitch of the scan from which the views are thinned."""
    jitter: float = Field(0.3, ge=0)
    """Half width of the uniform position jitter, as a fraction of the pitch."""


class GroupingSettings(Frozen):
    """Grouping for the physics-informed network (OVERSAMPLING-001)."""

    gridsize: Literal[1, 2] = 2
    """g: a group holds C = g**2 positions."""
    n_neighbours: int = Field(7, ge=1)
    """K: the companions of a position are drawn from its K nearest neighbours."""

    @property
    def group_size(self) -> int:
        """C, the number of positions in a group."""
        return self.gridsize**2

    @model_validator(mode="after")
    def _oversampling(self) -> GroupingSettings:
        if self.n_neighbours < self.group_size:
            raise ValueError(f"OVERSAMPLING-001: K={self.n_neighbours} must be at least C={self.group_size}")
        return self


class TrainingSettings(Frozen):
    """Optimisation of one network. Steps, not seconds, so that a seed gives the same weights twice."""

    steps: int = Field(..., ge=1)
    patterns_per_step: int = Field(32, ge=4)
    learning_rate: float = Field(1e-3, gt=0)
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    clip_norm: float = Field(0.1, gt=0)
    """Global gradient norm above which a step is scaled down."""
    width: int = Field(32, ge=8)
    """Feature maps at the first scale; the next have twice and four times as many."""
    skips: bool = False
    """Whether the decoders are given the encoder's finer scales. Where photons are few they copy the noise of the
    pattern, which is its own target; where they are many the coarsest scale bounds what is resolved."""
    validation_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the training half that is held out to choose the checkpoint."""
    evaluations: int = Field(20, ge=1)
    """How many times the held-out loss is taken."""
    thinning: float = Field(0.0, ge=0, lt=1)
    """q: share of the counts that PtychoPINN is held against and does not see, drawn anew at every step; 0: all."""
    use_symmetries: bool = True
    """Train on the mirror images of the patterns too, as far as the probe is its own mirror image."""
    mixed_precision: bool = True
    """mixed_bfloat16 where the processor has it; the physics layer is float32 always."""


class StudyDesign(Frozen):
    """Every setting of a run."""

    study: str = STUDY_ID
    profile: str
    replicate: int = Field(0, ge=0)
    """Number of the repetition; every seed is moved by it."""
    doses: tuple[int, ...] = DOSES
    views: dict[str, float] = VIEWS
    splits: tuple[str, ...] = SPLITS
    seeds: Seeds = Seeds()
    sample: SampleSettings = SampleSettings()
    arms: dict[str, dict[str, Any]] = {}
    """What the profile sets of each arm's settings, by key, over what was chosen by split counts."""
    ms_ssim_sigma: float = Field(1.0, ge=0)
    """Gaussian pre-blur of both images before MS-SSIM, pixels."""
    max_registration_px: float = Field(2.0, gt=0)
    """A shift beyond this between arm and truth means a wrong frame, and is refused."""

    @classmethod
    def for_profile(cls, profile: str, replicate: int = 0) -> StudyDesign:
        """Return the design of a profile: ``smoke`` (CI), ``laptop`` (2 cores) or ``full`` (GPU)."""
        check_profile(profile)
        changes = {"profile": profile, "replicate": replicate, "seeds": Seeds().replicate(replicate)}
        return cls.model_validate(_PROFILES[profile] | changes)


# Few patterns: a wide strip is held out so that its groups are like the others.
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
        },
    },
    "laptop": {},
    "full": {
        "sample": {"object_size": 880, "scan_step": 5.0},
        "arms": {"pinn": _FULL, "baseline": _FULL},
    },
}


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InputError(name, value, "one of " + ", ".join(allowed), f"give {name}={allowed[0]}")
    return str(value)


def _whole(name: str, value: object, most: int) -> int:
    if not (str(value).isascii() and str(value).isdecimal()) or int(str(value)) > most:
        raise InputError(name, value, f"a whole number from 0 to {most}", f"give {name}=0")
    return int(str(value))


NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e\+?[0-9]{1,2})?", re.ASCII)
"""Digits as a command line has them: other scripts have digits too, and Python reads them all."""


def check_dose(dose: object) -> int:
    """Return the dose (mean detected photons per pattern) as an int, or raise InputError."""
    expected = f"a whole number of photons per pattern from 1 to {MAX_DOSE}"
    text = isinstance(dose, str) and not NUMBER.fullmatch(dose)
    try:
        number = math.nan if text or isinstance(dose, bool) else float(dose)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError("dose", dose, expected, "give dose=1000") from None
    if not math.isfinite(number) or number != int(number) or not 1 <= number <= MAX_DOSE:
        raise InputError("dose", dose, expected, "give dose=1000")
    return int(number)


def check_replicate(replicate: object) -> int:
    """Return the number of the repetition, or raise InputError."""
    return _whole("replicate", replicate, MAX_REPLICATE)


def check_seed(seed: object) -> int:
    """Return a seed, or raise InputError."""
    return _whole("seed", seed, MAX_SEED)


def check_groups(n_groups: object) -> int:
    """Return a number of groups, 0 for one a position, or raise InputError."""
    return _whole("n_groups", n_groups, MAX_GROUPS)


def check_share(s_img: object) -> float:
    """Return the share of the thinned positions that is kept, or raise InputError."""
    if isinstance(s_img, bool) or not isinstance(s_img, int | float) or not 0 < s_img <= 1:
        raise InputError("s_img", s_img, "a share above 0 and up to 1", "give s_img=1.0")
    return float(s_img)


def check_sample(sample: object) -> str:
    """Return the kind of object, or raise InputError."""
    return _one_of("sample", sample, (*SAMPLES, MEASURED))


def check_probe(probe: object) -> str:
    """Return the kind of probe, or raise InputError."""
    return _one_of("probe", probe, (*PROBES, MEASURED))


def check_disturbance(disturbed: object) -> str:
    """Return what is wrong with a simulated experiment, or raise InputError."""
    return _one_of("disturbed", disturbed, DISTURBANCES)


def check_view(view: object) -> str:
    """Return the view, or raise InputError."""
    return _one_of("view", view, tuple(VIEWS))


def check_split(split: object) -> str:
    """Return the split, or raise InputError."""
    return _one_of("split", split, SPLITS)


def check_profile(profile: object) -> str:
    """Return the profile, or raise InputError."""
    return _one_of("profile", profile, PROFILES)


def check_backend(backend: object) -> str:
    """Return the Keras backend, or raise InputError."""
    return _one_of("backend", backend, BACKENDS)


def judged(splits: Collection[str]) -> str:
    """Return the split that a run is judged by: test when it was run."""
    return "test" if "test" in splits else next(iter(splits))
