"""Models of analysis/response.json, from which its JSON Schema is made.

Pydantic writes the docstring of each model into the published schema (docs/schemas/response.schema.json).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from studylib.evidence.schema import Number, RelativePath, Sha256, Strict, UtcTime
from studylib.judge.compare import SAW_REFERENCE


class Where(Strict):
    """A condition, over its replicates."""

    sample: str
    """Kind of the built-in object, or the file name of the base."""
    probe: str
    """Kind of the probe, and in words what is wrong with the experiment."""
    view: str
    dose: int
    """Photons per pattern."""


class Row(Where):
    """Scores of one arm in one condition; null where a channel has no contrast, or a curve never crosses."""

    replicate: int
    arm: str
    status: str
    note: str = ""
    """Why the status is not ok, or a remark on an arm whose status is ok. For a network that corrects the image of
    another arm, the remark says that the counts chose that image."""
    fluence: Number
    """Photons per object pixel, all patterns together."""
    positions: int
    phase_ms_ssim: Number | None
    amplitude_ms_ssim: Number | None
    phase_ms_ssim_raw: Number | None
    amplitude_ms_ssim_raw: Number | None
    phase_mae: Number | None
    amplitude_mae: Number | None
    phase_frc50: Number | None
    amplitude_frc50: Number | None
    seconds: Number | None
    """Time of training and reconstruction."""

    @property
    def saw_reference(self) -> bool:
        """Whether the arm learned from the reference that it is scored against."""
        return SAW_REFERENCE in self.note


class Limit(Where):
    """What the photons allow: mean absolute errors, null with a reason where it was not found."""

    replicate: int
    fluence: Number
    """Photons per object pixel."""
    photons_per_pixel: Number
    """Mean number of photons that a pixel of the scored box sends to the detector."""
    phase_bound: Number | None
    """Cramer-Rao bound, rad."""
    phase_diagonal: Number
    """Error from each pixel's own n photons, 1 / sqrt(2 n), rad."""
    phase_wiener: Number | None
    """Error of Wiener's estimator, rad."""
    amplitude_bound: Number | None
    amplitude_wiener: Number | None
    frc50: Number | None
    reason: str


class Sure(Where):
    """How large the errors of an arm's pixels are by two halves of the counts, and how many pixels that covers."""

    arm: str
    replicate: int
    phase_told: Number
    """Mean of the estimated error, rad."""
    amplitude_told: Number
    phase_within_one: Number | None = None
    """Fraction of pixels whose truth lies within the estimated error; null for a measured scan, which has no truth."""
    phase_within_two: Number | None = None
    """Fraction of pixels whose truth lies within twice the estimated error."""
    amplitude_within_one: Number | None = None
    amplitude_within_two: Number | None = None


class Point(Where):
    """A point of a curve: mean over replicates with its Student t interval at 95 %, null of a single one."""

    arm: str
    metric: str
    fluence: Number
    mean: Number
    interval_low: Number | None
    interval_high: Number | None
    least: Number
    most: Number
    replicates: int
    unfit: int
    """Number of replicates in which the arm did not learn, or in which its contrast is out of bounds."""


class Delta(Where):
    """PtychoPINN - other, paired by replicate."""

    other: str
    metric: str
    mean: Number
    interval_low: Number | None
    interval_high: Number | None
    replicates: int


class Needed(Strict):
    """The dose at which the mean phase MS-SSIM of an arm reaches a level; null outside the doses of the study."""

    sample: str
    probe: str
    view: str
    arm: str
    level: Number
    dose: Number | None


class AtEqualFluence(Where):
    """A measured phase MS-SSIM beside that of another view, interpolated to the same fluence; null outside."""

    arm: str
    fluence: Number
    score: Number
    other_view: str
    other_score: Number | None


class Winner(Where):
    """The arm with the best phase MS-SSIM, and those that tie with it."""

    best: str | None
    ties: list[str]


class Failed(Strict):
    """A condition without evidence."""

    folder: RelativePath
    reason: str


class Response(Strict):
    """analysis/response.json."""

    generated_at: UtcTime
    study: dict[str, Any]
    split: str
    rows: list[Row]
    points: list[Point]
    deltas: list[Delta]
    needed: list[Needed]
    equal_fluence: list[AtEqualFluence]
    winners: list[Winner]
    failed: list[Failed]
    limits: list[Limit] = Field(default_factory=list)
    """Empty for a measured scan, and for a study that was run before limits were computed."""
    sure: list[Sure] = Field(default_factory=list)
    """Empty for a study without an arm that estimates its errors, and for one from before such estimates."""
    tables: dict[RelativePath, Sha256]
    """SHA-256 of every comparison table that was read, by its path."""
