"""What an experiment is planned for: an error of the phase, or a resolution; and what photons allow of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from studylib.errors import InputError

LIMITS = {"mae": "phase_wiener", "resolution": "frc50"}
FIGURES = {"mae": "phase_mae", "resolution": "phase_frc50"}
"""By what is wanted: the figure of the limit, and that of an arm."""


@dataclass(frozen=True)
class Allowed:
    """What the photons of an experiment allow at one dose, photons per pattern."""

    dose: float
    photons_per_pixel: float
    phase_wiener: float
    frc50: float | None


@dataclass(frozen=True)
class Target:
    """What is wanted of the phase.

    Attributes
    ----------
    quantity
        mae: mean absolute error, rad. resolution: half a period, object pixels, at which the ring correlation with the
        truth falls to 0.5.
    value
        The largest that will do.

    Raises
    ------
    InputError
        It is no such value.
    """

    quantity: str
    value: float

    def __post_init__(self) -> None:
        low, high = {"mae": (0.0, math.pi), "resolution": (1.0, math.inf)}[self.quantity]
        if not low < self.value < high:
            units = {"mae": "rad", "resolution": "px"}[self.quantity]
            words = f"more than {low:g} and less than {high:.3g} {units}"
            raise InputError(self.quantity, self.value, words, f"give --{self.quantity} {max(2 * low, 0.1):g}")

    def of(self, figure: float) -> float:
        """Return the quantity from a figure of a table: a share of Nyquist is a resolution of 1 over it."""
        return figure if self.quantity == "mae" else 1 / figure

    def allowed(self, limit: Allowed) -> float | None:
        """Return the quantity that photons allow; None where they tell of nothing."""
        figure = getattr(limit, LIMITS[self.quantity])
        return self.of(figure) if figure else None

    @property
    def words(self) -> str:
        """Return what is wanted, in words."""
        if self.quantity == "mae":
            return f"a mean absolute error of the phase of {self.value:g} rad"
        return f"a resolution of {self.value:g} px (half a period, ring correlation 0.5)"

    @property
    def axis(self) -> str:
        """Return the label of an axis."""
        return "expected phase MAE [rad]" if self.quantity == "mae" else "expected half period [px], FRC 0.5"

    @property
    def limit_words(self) -> str:
        """Return what the limit is."""
        return "best linear estimator (Wiener)" if self.quantity == "mae" else "best unbiased estimator"
