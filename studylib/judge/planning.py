"""From what photons allow and what arms reached beside it: dose, step and arm for a wanted image. Numbers only.

What an arm will reach in an experiment is taken as what the photons of that experiment allow times the factor by which
the arm missed it where it was measured, at as many photons per pixel and the same overlap.
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
"""Doses that are looked at between the least and the largest, evenly on a logarithmic scale."""
SLACK = 1.05
"""Factor by which photons per pixel may lie outside the measured ones and still count as measured."""


@dataclass(frozen=True)
class Reached:
    """How an arm did in one view.

    Attributes
    ----------
    photons : (doses,)
        Photons that a pixel sends, rising.
    factors : (doses,)
        The arm's figure over what the photons allow, geometric mean over replicates.
    seconds : (doses,)
        Training and reconstruction, for one position.
    """

    photons: tuple[float, ...]
    factors: tuple[float, ...]
    seconds: tuple[float, ...]

    def factor(self, photons: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor at some photons per pixel; outside the measured ones that of the nearest."""
        return np.exp(np.interp(np.log(photons), np.log(self.photons), np.log(self.factors)))

    def seconds_at(self, photons: float) -> float:
        """Return the seconds of one position."""
        return float(np.interp(math.log(photons), np.log(self.photons), self.seconds))

    def beyond(self, photons: float) -> str:
        """Return in words that some photons per pixel lie outside the measured ones, or nothing."""
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
        Mean distance of neighbours, object pixels.
    positions
        Of the whole field.
    pixels, measured_pixels
        Detector pixels of a pattern, here and where the seconds were measured.
    share
        Of the photons that fall on the object, what the detector counts.
    """

    step: float
    positions: int
    pixels: int
    measured_pixels: int
    share: float = 1.0


@dataclass(frozen=True)
class Option:
    """One way to get what is wanted.

    Attributes
    ----------
    dose
        Photons per pattern; None where no dose does.
    photons
        Photons per pixel.
    expected
        The quantity wanted, at that dose; at the largest dose where none does; None where photons tell of nothing.
    exposure, measuring
        Seconds of one position, and of the whole field with the overhead; None without a flux.
    seconds
        Of computing, about.
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
    """Return how every arm did beside what the photons allow, by arm and view.

    Parameters
    ----------
    response
        response.json of a study.
    target
        Whose figures are compared.
    like
        Names of the object and the probe whose conditions are taken.

    Raises
    ------
    InputError
        It holds no limits, or not that object and probe.
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
        factor = target.of(figure) / target.of(limit[LIMITS[target.quantity]])
        seconds = row["seconds"] / row["positions"]
        told[row["arm"], row["view"]][row["dose"]].append((limit["photons_per_pixel"], factor, seconds))
    return {key: _over_replicates(by_dose) for key, by_dose in told.items()}


def where_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the condition and the replicate of a row or a limit."""
    return row["sample"], row["probe"], row["view"], row["dose"], row["replicate"]


def _over_replicates(by_dose: Mapping[int, Sequence[tuple[float, float, float]]]) -> Reached:
    columns = [zip(*by_dose[dose], strict=True) for dose in sorted(by_dose)]
    means = [(np.mean(n), np.exp(np.mean(np.log(f))), np.mean(s)) for n, f, s in columns]
    return Reached(*(tuple(map(float, column)) for column in zip(*means, strict=True)))


def expected(
    allowed: Sequence[Allowed], found: Reached, target: Target, doses: NDArray[np.float64] | float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return photons per pixel and the quantity wanted at some doses, as an arm is expected to have it."""
    known = [(a.dose, a.photons_per_pixel, told) for a in allowed if (told := target.allowed(a))]
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
    """Return for every view and arm the least dose from which on the wanted image is expected.

    Parameters
    ----------
    allowed
        By view, doses rising.
    found
        By arm and view.
    target
        What is wanted.
    geometry
        By view.
    flux
        Photons per second on the object; None: times of the measurement are left out.
    overhead
        Seconds of each position beside its exposure.

    Returns
    -------
    The least photons first, those that do not get there last
    """
    made = [
        _option(arm, view, allowed[view], reach, target, geometry[view], flux, overhead)
        for (arm, view), reach in found.items()
        if view in allowed
    ]
    return sorted(made, key=lambda o: (o.photons is None, o.photons or 0.0, o.expected or math.inf))


def _option(
    arm: str, view: str, allowed: Sequence[Allowed], found: Reached, target: Target, where: Geometry,
    flux: float | None, overhead: float,
) -> Option:  # fmt: skip
    allowed = [a for a in allowed if target.allowed(a)]
    if not allowed:
        return Option(view, arm, where.step, where.positions, None, None, None, beyond="photons tell of nothing")
    doses = np.geomspace(allowed[0].dose, allowed[-1].dose, GRID)
    values = expected(allowed, found, target, doses)[1]
    if values[-1] > target.value:
        words = f"not reached by {doses[-1]:,.0f} photons per pattern"
        return Option(view, arm, where.step, where.positions, None, None, float(values[-1]), beyond=words)
    above = np.flatnonzero(values > target.value)
    dose, less = float(doses[0]), "the least dose that was looked at: less may do"
    if len(above):
        pair = slice(above[-1], above[-1] + 2)
        # From the largest dose at which it is not reached to the next, which reaches it.
        dose = math.exp(np.interp(-math.log(target.value), -np.log(values[pair]), np.log(doses[pair])))
        less = ""
    photons, value = (float(x) for x in expected(allowed, found, target, dose))
    exposure = None if flux is None else dose / where.share / flux
    measuring = None if exposure is None else where.positions * (exposure + overhead)
    seconds = found.seconds_at(photons) * where.positions * where.pixels / where.measured_pixels
    return Option(
        view, arm, where.step, where.positions, dose, photons, value, exposure, measuring, seconds,
        "; ".join(filter(None, (found.beyond(photons), less))),
    )  # fmt: skip


def best(options: Sequence[Option]) -> tuple[Option, ...]:
    """Return the option of the least light and, where there is a flux, the one that is measured soonest; () of none.

    Where two of a view need the same within `SLACK`, the one that is computed sooner.
    """
    light = [(o.photons, o.seconds, o) for o in options if o.photons is not None and o.seconds is not None]
    time = [(o.measuring, o.seconds, o) for o in options if o.measuring is not None and o.seconds is not None]
    return tuple(_sooner(ways) for ways in (light, time) if ways)


def _sooner(ways: Sequence[tuple[float, float, Option]]) -> Option:
    """Return of the options that cost the least, within `SLACK`, the one that is computed soonest."""
    least = min(cost for cost, _, _ in ways)
    return min((way for way in ways if way[0] <= least * SLACK), key=lambda way: way[1])[2]
