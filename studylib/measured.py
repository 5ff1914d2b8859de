"""A measured scan as its file tells it: what is there, in which units, and what is missing. No disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from studylib import machine
from studylib.design import MEASURED
from studylib.errors import InputError
from studylib.physics.overlap import mean_spacing
from studylib.physics.simulate import intensity_scale
from studylib.scan import Scan

PLANCK_EV_M = 1.239841984e-06
"""h c, eV m (CODATA 2018): wavelength = h c / energy."""
KINDS = ("sample_kind", "probe_kind")
WHOLE = 1e-3
"""How far from a whole number, in units of its square root, a count may be that was stored in single precision."""
BLOCK_BYTES = 1 << 26
"""Patterns that are in memory together, bytes."""


class Patterns(Protocol):
    """Patterns on disk: read as they are used."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(positions, rows, columns)."""

    @property
    def dtype(self) -> np.dtype:
        """Of what is stored."""

    def __getitem__(self, where: slice) -> Any:
        """Return some patterns, (some, rows, columns), an array or what becomes one."""


@dataclass(frozen=True)
class Measured:
    """What a file holds of a ptychographic scan; None is what it does not tell.

    Attributes
    ----------
    format
        Of the file, in words.
    name
        Of the file, without its folder.
    patterns : (positions, rows, columns)
        Counts, or their square roots; zero frequency in the centre. None where the file holds none.
    amplitude
        The patterns are square roots of counts.
    scale
        What stored amplitudes are multiplied by.
    positions : (positions, 2) float64
        x along columns and y along rows of where the probe hits the object, object pixels, any origin.
    positions_m : (positions, 2) float64
        The same in metres.
    probe : (modes, N, N) complex64
    object : (rows, columns) complex64
    mask : (rows, columns) bool
        True where a pixel of the detector can be trusted.
    background : (rows, columns) float32
        Counts of each pattern that are expected without the probe.
    energy_ev, distance_m
        Photon energy; from object to detector.
    detector_pixel_m
        Pitch along columns and rows.
    object_pixel_m
        As the file states it; `pixel_m` is what follows from the geometry otherwise.
    indexes : (positions,) int
        Numbers by which patterns and positions of different files find each other; their order where None.
    far_field
        False where the file says that the detector is in the near field.
    remarks
        What was assumed while it was read.
    """

    format: str
    name: str
    patterns: Patterns | None = None
    amplitude: bool = False
    scale: float = 1.0
    positions: NDArray[np.float64] | None = None
    positions_m: NDArray[np.float64] | None = None
    probe: NDArray[np.complex64] | None = None
    object: NDArray[np.complex64] | None = None
    mask: NDArray[np.bool_] | None = None
    background: NDArray[np.float32] | None = None
    energy_ev: float | None = None
    distance_m: float | None = None
    detector_pixel_m: tuple[float, float] | None = None
    object_pixel_m: float | None = None
    indexes: NDArray[np.integer] | None = None
    far_field: bool = True
    remarks: tuple[str, ...] = ()

    def completed(self, other: Measured) -> Measured:
        """Return the scan with what it lacks taken from another file of the same scan.

        Patterns of one file and positions of the other belong together by their indexes, where both have some.

        Raises
        ------
        InputError
            A pattern has no position of its index.
        """
        if self.patterns is None and other.patterns is not None:
            return other.completed(self)
        if self.places is None and self.positions_m is None:
            other = other.in_order_of(self)
        lacking = {f.name: getattr(other, f.name) for f in fields(self) if getattr(self, f.name) is None}
        if self.places is not None:
            lacking |= {"positions": self.positions, "positions_m": self.positions_m}
        told = replace(self, **lacking)
        told = replace(told, far_field=self.far_field and other.far_field)
        both = f"{self.format} and {other.format}", f"{self.name}, {other.name}"
        return replace(told, format=both[0], name=both[1], remarks=(*self.remarks, *other.remarks))

    def in_order_of(self, other: Measured) -> Measured:
        """Return the scan with its positions in the order of another file's indexes."""
        if self.indexes is None or other.indexes is None or np.array_equal(self.indexes, other.indexes):
            return self
        place = {int(index): row for row, index in enumerate(self.indexes)}
        lost = [int(index) for index in other.indexes if int(index) not in place]
        if lost:
            expected = f"a position for each pattern of {other.name}"
            raise InputError(f"indexes in {self.name}", f"none of {lost[:5]}", expected, "give files of one scan")
        rows = np.array([place[int(index)] for index in other.indexes])
        moved = {n: a[rows] for n in ("positions", "positions_m", "indexes") if (a := getattr(self, n)) is not None}
        return replace(self, **moved)

    def with_experiment(self, **told: Any) -> Measured:
        """Return the scan with energy_ev, distance_m and detector_pixel_m as given, where they are not None."""
        return replace(self, **{name: value for name, value in told.items() if value is not None})

    @property
    def wavelength_m(self) -> float | None:
        """Return h c / energy, metres."""
        return PLANCK_EV_M / self.energy_ev if self.energy_ev else None

    @property
    def pixel_m(self) -> float | None:
        """Return the pixel of the object, metres: as stated, or wavelength x distance / (N x detector pitch).

        References
        ----------
        Thibault et al., High-resolution scanning x-ray diffraction microscopy, Science 321, 379 (2008), supplement.
        """
        if self.object_pixel_m:
            return self.object_pixel_m
        if self.wavelength_m and self.distance_m and self.detector_pixel_m and self.patterns is not None:
            width = self.patterns.shape[2] * self.detector_pixel_m[0]
            return self.wavelength_m * self.distance_m / width
        return None

    @property
    def places(self) -> NDArray[np.float64] | None:
        """Return the positions in object pixels, (positions, 2) float64; None where they cannot be told."""
        if self.positions is not None:
            return self.positions
        if self.positions_m is not None and self.pixel_m:
            return self.positions_m / self.pixel_m
        return None

    @property
    def spacing(self) -> float | None:
        """Return the mean distance of neighbouring positions, object pixels."""
        return None if self.places is None or len(self.places) < 2 else mean_spacing(self.places)

    def counts(self, where: slice) -> NDArray[np.float64]:
        """Return the counts of some patterns, (some, rows, columns) float64.

        They are as stored, but for the rounding of square roots: squares that are whole numbers to single precision are
        given as these.
        """
        assert self.patterns is not None
        stored = np.asarray(self.patterns[where], dtype=np.float64)
        if not self.amplitude:
            return stored
        counts = (stored * self.scale) ** 2
        return np.rint(counts) if are_whole(counts) else counts

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Yield the counts of all patterns, some at a time."""
        if self.patterns is not None:
            n, rows, columns = self.patterns.shape
            size = max(1, BLOCK_BYTES // (8 * rows * columns))
            for start in range(0, n, size):
                yield self.counts(slice(start, start + size))

    def _some(self, part: NDArray[np.intp] | None) -> Iterator[NDArray[np.float64]]:
        """Return the counts of all patterns in blocks (None), or of some, one at a time."""
        return self.blocks() if part is None else (self.counts(slice(int(k), int(k) + 1)) for k in part)

    def scan(self, part: NDArray[np.intp] | None = None) -> Scan:
        """Return the scan of some positions for the arms: counts, the first mode of the probe, a frame that holds all.

        The probe is scaled so that an object of modulus 1 brings the mean counts of the patterns, less the background.

        Parameters
        ----------
        part
            Indices of the positions; all when None.
        """
        assert self.patterns is not None and self.places is not None and self.probe is not None
        n, where = self.patterns.shape[1], self.places if part is None else self.places[part]
        where = where - np.floor(where.min(axis=0)) + n // 2 + 1
        width, height = (int(np.ceil(side)) + n // 2 + 2 for side in where.max(axis=0))
        dose = float(np.concatenate([counts.sum(axis=(1, 2)) for counts in self._some(part)]).mean())
        scale, light = intensity_scale(round(dose), n), self.probe[0]
        dark = 0.0 if self.background is None else float(self.background.sum())
        probe = light * np.sqrt(max(dose - dark, 1e-9) / np.sum(np.abs(light.astype(np.complex128)) ** 2))
        metadata: dict[str, Any] = {"dose": round(dose), "split": "test", "view": None} | dict.fromkeys(KINDS, MEASURED)
        amplitudes, done = machine.room((len(where), n, n), np.float32, f"patterns of {self.name}"), 0
        for counts in self._some(part):
            amplitudes[done : done + len(counts)] = np.sqrt(counts) / scale
            done += len(counts)
        mask = None if self.mask is None or self.mask.all() else self.mask
        metadata |= {"sample": self.name, "object_shape": [height, width]}
        return Scan(
            amplitudes, probe.astype(np.complex64), where, scale, (height, width), metadata, mask=mask,
            background=self.background,
        )  # fmt: skip

    def far_field_doubt(self) -> str:
        """Return in words why the far-field model cannot hold, or nothing.

        A probe that is sampled well fills at most half of its window; positions farther apart than that share nothing.
        """
        if not self.far_field:
            return "the file says that it is of the near field, which the study does not reconstruct"
        if self.spacing is None or self.patterns is None or self.object is not None:
            return ""
        half = self.patterns.shape[2] / 2
        if self.spacing <= half:
            return ""
        return (
            f"neighbouring positions are {self.spacing:.0f} far-field object pixels apart, more than half a window of "
            f"{2 * half:.0f}: no probe that is sampled well overlaps with its neighbours. This is near field or a "
            "magnified geometry, which the study does not reconstruct"
        )

    def missing(self) -> dict[str, str]:
        """Return what a reconstruction needs and the file does not hold, and how to give it."""
        told = {}
        if self.patterns is None:
            told["patterns"] = "the file that holds the diffraction data"
        if self.places is None:
            told["positions"] = "xcoords and ycoords, object pixels, in a DATA-001 NPZ"
            if self.positions_m is not None:
                lacks = [
                    name
                    for name, value in (
                        ("energy", self.energy_ev),
                        ("distance", self.distance_m),
                        ("detector pixel", self.detector_pixel_m),
                    )
                    if not value
                ]
                told["positions"] = (
                    f"{' and '.join(lacks or ['patterns'])} of the experiment, to turn metres into pixels"
                )
        if self.probe is None:
            told["probe"] = "probeGuess (N, N) complex64, a start is enough for solvers that refine it"
        return told


def stack(images: NDArray | None) -> NDArray[np.complex64] | None:
    """Return one image or several, of any axes before the last two, as (images, rows, columns); None stays None."""
    return None if images is None else images.astype(np.complex64).reshape(-1, *images.shape[-2:])


def are_whole(counts: NDArray[np.float64]) -> bool:
    """Return whether numbers are whole, to the precision of what single-precision square roots keep of them."""
    return bool(np.all(np.abs(counts - np.rint(counts)) < WHOLE * np.maximum(1, np.sqrt(np.abs(counts)))))
