"""The goal of a planned experiment, an error of the phase or a resolution, and what photons allow of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from studylib.errors import InputError

LIMITS = {"mae": "phase_wiener", "resolution": "frc50"}
"""By wanted quantity: name of the figure in a limit."""
FIGURES = {"mae": "phase_mae", "resolution": "phase_frc50"}
"""By wanted quantity: name of the figure of an arm."""


@dataclass(frozen=True)
class Allowed:
    """The limit that photons set to an experiment at one dose.

    Attributes
    ----------
    dose
        Photons per pattern.
    photons_per_pixel
        Photons that leave an object pixel, all patterns together.
    phase_wiener
        Mean absolute error of the phase of the best linear estimator, rad.
    frc50
        Frequency at which the ring correlation of an unbiased image falls to 0.5, as a fraction of Nyquist; None where
        the limit has none.
    """

    dose: float
    photons_per_pixel: float
    phase_wiener: float
    frc50: float | None


@dataclass(frozen=True)
class Target:
    """The goal for the phase.

    Attributes
    ----------
    quantity
        mae: mean absolute error, rad. resolution: half a period, in object pixels, at which the ring correlation with
        the truth falls to 0.5.
    value
        The largest acceptable value.

    Raises
    ------
    InputError
        The value is outside the range that the quantity can have.
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
        """Return the quantity from a figure of a table.

        Parameters
        ----------
        figure
            Error in rad, or a frequency as a fraction of Nyquist, whose reciprocal is the half period in pixels.
        """
        return figure if self.quantity == "mae" else 1 / figure

    def allowed(self, limit: Allowed) -> float | None:
        """Return the best value of the quantity that photons allow.

        Parameters
        ----------
        limit
            Limit at one dose.

        Returns
        -------
        rad or object pixels; None where the photons determine nothing
        """
        figure = getattr(limit, LIMITS[self.quantity])
        return self.of(figure) if figure else None

    @property
    def words(self) -> str:
        """The goal, in words."""
        if self.quantity == "mae":
            return f"a mean absolute error of the phase of {self.value:g} rad"
        return f"a resolution of {self.value:g} px (half a period, ring correlation 0.5)"

    @property
    def axis(self) -> str:
        """Label of an axis with the expected value."""
        return "expected phase MAE [rad]" if self.quantity == "mae" else "expected half period [px], FRC 0.5"

    @property
    def limit_words(self) -> str:
        """Name of the estimator that sets the limit."""
        return "best linear estimator (Wiener)" if self.quantity == "mae" else "best unbiased estimator"
