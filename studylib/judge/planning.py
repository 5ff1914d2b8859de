"""The dose, step and arm that a wanted image needs, from the limit of the photons and from how far arms missed it.

The expected result of an arm in a planned experiment is the limit that its photons set, times the factor by which the
arm missed the limit in a measured study, at the same number of photons per pixel and the same overlap. Numbers only.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib.errors import InputError
from studylib.judge.target import FIGURES, LIMITS, Allowed, Target

GRID = 400
"""Number of doses that are tried between the smallest and the largest, evenly spaced on a logarithmic scale."""
SLACK = 1.05
"""Factor by which photons per pixel may lie outside the measured range and still count as measured."""


@dataclass(frozen=True)
class Reached:
    """Results of an arm in one view, relative to the limit.

    Attributes
    ----------
    photons : (doses,)
        Photons that leave an object pixel, all patterns together, rising.
    factors : (doses,)
        Figure of the arm divided by the figure that the photons allow, geometric mean over replicates.
    seconds : (doses,)
        Time of training and reconstruction for one position, s.
    """

    photons: tuple[float, ...]
    factors: tuple[float, ...]
    seconds: tuple[float, ...]

    def factor(self, photons: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor at some numbers of photons per pixel, interpolated on logarithmic scales.

        Parameters
        ----------
        photons : (doses,) float64
            Photons per object pixel.

        Returns
        -------
        (doses,) float64; outside the measured range the factor of the nearest measured value
        """
        return np.exp(np.interp(np.log(photons), np.log(self.photons), np.log(self.factors)))

    def seconds_at(self, photons: float) -> float:
        """Return the time of training and reconstruction for one position, s, at a number of photons per pixel."""
        return float(np.interp(math.log(photons), np.log(self.photons), self.seconds))

    def beyond(self, photons: float) -> str:
        """Return a warning if a number of photons per pixel lies outside the measured range.

        The range is widened by the factor `SLACK` at both ends.

        Parameters
        ----------
        photons
            Photons per object pixel.

        Returns
        -------
        The warning in words; empty inside the range
        """
        low, high = self.photons[0], self.photons[-1]
        if low / SLACK <= photons <= high * SLACK:
            return ""
        return f"{photons:,.3g} photons per pixel: measured at {low:,.4g} to {high:,.4g} photons per pixel"


@dataclass(frozen=True)
class Geometry:
    """The scan of a view.

    Attributes
    ----------
    step
        Mean distance between neighbouring positions, object pixels.
    positions
        Number of positions of the whole field.
    pixels, measured_pixels
        Detector pixels of a pattern, in the planned experiment and in the study whose times are used.
    share
        Fraction of the photons on the object that the detector counts.
    """

    step: float
    positions: int
    pixels: int
    measured_pixels: int
    share: float = 1.0


@dataclass(frozen=True)
class Option:
    """One way to reach the wanted image.

    Attributes
    ----------
    view, arm
        Names of the view and of the arm.
    step
        Mean distance between neighbouring positions, object pixels.
    positions
        Number of positions of the whole field.
    dose
        Photons per pattern; None if no dose is enough.
    photons
        Photons per object pixel, all patterns together.
    expected
        Expected value of the wanted quantity at that dose; at the largest dose if no dose is enough; None if the
        photons determine nothing.
    exposure, measuring
        Time of one exposure, and of the whole field with the overhead, s; None without a flux.
    seconds
        Approximate computing time, s.
    beyond
        What is extrapolated, in words.
    """

    view: str
    arm: str
    step: float
    positions: int
    dose: float | None
    photons: float | None
    expected: float | None
    exposure: float | None = None
    measuring: float | None = None
    seconds: float | None = None
    beyond: str = field(default="")


def reached(response: Mapping[str, Any], target: Target, like: tuple[str, str]) -> dict[tuple[str, str], Reached]:
    """Return how far every arm missed the limit of the photons, by arm and view.

    Parameters
    ----------
    response
        Content of response.json of a study.
    target
        Wanted quantity, whose figures are compared.
    like
        Names of the object and the probe whose conditions are used.

    Returns
    -------
    `Reached` by (arm, view)

    Raises
    ------
    InputError
        The response holds no limits, or no conditions with that object and probe.
    """
    limits = {where_of(x): x for x in response.get("limits", []) if x[LIMITS[target.quantity]]}
    if not limits:
        raise InputError("response", "no limits in it", "conditions with their limits", "make response writes them")
    kinds = sorted({(x["sample"], x["probe"]) for x in limits.values()})
    if like not in kinds:
        words = "one of " + ", ".join(f"{sample} under {probe}" for sample, probe in kinds)
        raise InputError("like", " under ".join(like), words, f"give --like {' '.join(kinds[0])}")
    told: dict[tuple[str, str], dict[int, list[tuple[float, float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in response["rows"]:
        limit, figure = limits.get(where_of(row)), row[FIGURES[target.quantity]]
        if (row["sample"], row["probe"]) != like or row["status"] != "ok" or not limit or not figure:
            continue
        # Both as the wanted quantity: for a resolution the factor is one of lengths and not of frequencies.
        factor = target.of(figure) / target.of(limit[LIMITS[target.quantity]])
        seconds = row["seconds"] / row["positions"]
        # Seconds per position, so that they scale to a field of another size.
        told[row["arm"], row["view"]][row["dose"]].append((limit["photons_per_pixel"], factor, seconds))
    return {key: _over_replicates(by_dose) for key, by_dose in told.items()}


def where_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return sample, probe, view, dose and replicate of a row or of a limit."""
    return row["sample"], row["probe"], row["view"], row["dose"], row["replicate"]


def _over_replicates(by_dose: Mapping[int, Sequence[tuple[float, float, float]]]) -> Reached:
    """Average over replicates: the geometric mean of the factors, the arithmetic mean of photons and seconds.

    Parameters
    ----------
    by_dose
        For each dose one (photons per pixel, factor, seconds per position) for each replicate.
    """
    columns = [zip(*by_dose[dose], strict=True) for dose in sorted(by_dose)]
    means = [(np.mean(n), np.exp(np.mean(np.log(f))), np.mean(s)) for n, f, s in columns]
    return Reached(*(tuple(map(float, column)) for column in zip(*means, strict=True)))


def expected(
    allowed: Sequence[Allowed], found: Reached, target: Target, doses: NDArray[np.float64] | float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return photons per pixel and the expected value of the wanted quantity at some doses.

    Parameters
    ----------
    allowed
        Limits at several doses, doses rising.
    found
        Results of the arm in the view.
    target
        Wanted quantity.
    doses : (doses,) or a number
        Photons per pattern.

    Returns
    -------
    photons : (doses,) float64
        Photons per object pixel.
    values : (doses,) float64
        Expected value for this arm, interpolated on logarithmic scales.
    """
    known = [(a.dose, a.photons_per_pixel, told) for a in allowed if (told := target.allowed(a))]
    # Rows of `known`: one for each dose. Doses where photons determine nothing are left out.
    at, light, best = np.log(known).T
    photons = np.exp(np.interp(np.log(doses), at, light))
    return photons, np.exp(np.interp(np.log(doses), at, best)) * found.factor(photons)


def options(
    allowed: Mapping[str, Sequence[Allowed]],
    found: Mapping[tuple[str, str], Reached],
    target: Target,
    geometry: Mapping[str, Geometry],
    flux: float | None = None,
    overhead: float = 0.0,
) -> list[Option]:
    """Return for every view and arm the smallest dose from which on the wanted image is expected.

    Parameters
    ----------
    allowed
        Limits by view, doses rising.
    found
        Results by arm and view.
    target
        What is wanted.
    geometry
        Scan by view.
    flux
        Photons per second on the object; without it there are no times of the measurement.
    overhead
        Time for each position beside its exposure, s.

    Returns
    -------
    Options in the order of their photons, smallest first; options that do not reach the wanted image come last
    """
    made = [
        _option(arm, view, allowed[view], reach, target, geometry[view], flux, overhead)
        for (arm, view), reach in found.items()
        if view in allowed
    ]
    # Options without photons do not reach the goal; among them the one that comes nearest is first.
    return sorted(made, key=lambda o: (o.photons is None, o.photons or 0.0, o.expected or math.inf))


def _option(
    arm: str, view: str, allowed: Sequence[Allowed], found: Reached, target: Target, where: Geometry,
    flux: float | None, overhead: float,
) -> Option:  # fmt: skip
    """Return the option of one arm in one view; parameters as for `options`.

    Parameters
    ----------
    allowed
        Limits of the view, doses rising.
    found
        Results of the arm in the view.
    where
        Scan of the view.
    """
    allowed = [a for a in allowed if target.allowed(a)]
    if not allowed:
        return Option(view, arm, where.step, where.positions, None, None, None, beyond="photons tell of nothing")
    doses = np.geomspace(allowed[0].dose, allowed[-1].dose, GRID)
    values = expected(allowed, found, target, doses)[1]
    if values[-1] > target.value:
        words = f"not reached by {doses[-1]:,.0f} photons per pattern"
        return Option(view, arm, where.step, where.positions, None, None, float(values[-1]), beyond=words)
    # The expected value need not fall steadily with the dose: what counts is the last dose that is not enough.
    above = np.flatnonzero(values > target.value)
    dose, less = float(doses[0]), "the least dose that was looked at: less may do"
    if len(above):
        pair = slice(above[-1], above[-1] + 2)
        # Interpolate between the largest dose that is not enough and the next one. `np.interp` needs rising abscissae,
        # and the values fall with the dose: hence the minus signs.
        dose = math.exp(np.interp(-math.log(target.value), -np.log(values[pair]), np.log(doses[pair])))
        less = ""
    photons, value = (float(x) for x in expected(allowed, found, target, dose))
    # The dose counts detected photons, the flux those on the object.
    exposure = None if flux is None else dose / where.share / flux
    measuring = None if exposure is None else where.positions * (exposure + overhead)
    seconds = found.seconds_at(photons) * where.positions * where.pixels / where.measured_pixels
    return Option(
        view, arm, where.step, where.positions, dose, photons, value, exposure, measuring, seconds,
        "; ".join(filter(None, (found.beyond(photons), less))),
    )  # fmt: skip


def best(options: Sequence[Option]) -> tuple[Option, ...]:
    """Return the best options: that with the fewest photons and, with a flux, that which is measured soonest.

    Among options whose cost is the same within the factor `SLACK`, the one with the shortest computing time is taken.

    Parameters
    ----------
    options
        Options to choose from.

    Returns
    -------
    One or two options; empty if none reaches the wanted image
    """
    light = [(o.photons, o.seconds, o) for o in options if o.photons is not None and o.seconds is not None]
    time = [(o.measuring, o.seconds, o) for o in options if o.measuring is not None and o.seconds is not None]
    return tuple(_sooner(ways) for ways in (light, time) if ways)


def _sooner(ways: Sequence[tuple[float, float, Option]]) -> Option:
    """Return the option with the shortest computing time among those of the lowest cost, within the factor `SLACK`.

    Parameters
    ----------
    ways
        For each option its cost, its computing time in s, and the option.
    """
    least = min(cost for cost, _, _ in ways)
    return min((way for way in ways if way[0] <= least * SLACK), key=lambda way: way[1])[2]
