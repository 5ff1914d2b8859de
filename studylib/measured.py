"""A measured scan as its file describes it: what is there, in which units, and what is missing.

The file is not accessed here, except for patterns that a reader left on disk.
"""

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
"""h c, eV m (CODATA 2018); the wavelength is h c / energy."""
KINDS = ("sample_kind", "probe_kind")
WHOLE = 1e-3
"""Largest deviation from a whole number, in units of its square root, of a count stored in single precision."""
BLOCK_BYTES = 1 << 26
"""Bytes of patterns (float64) that are in memory at a time."""


class Patterns(Protocol):
    """Diffraction patterns that are read when they are used: an array, or an object that reads from disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(positions, rows, columns)."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the stored values."""

    def __getitem__(self, where: slice) -> Any:
        """Return some patterns, (some, rows, columns), as an array or as something that numpy converts to one."""


@dataclass(frozen=True)
class Measured:
    """What a file holds of a ptychographic scan. An attribute is None where the file does not tell it.

    Attributes
    ----------
    format
        Format of the file, in words.
    name
        Name of the file, without its folder.
    patterns : (positions, rows, columns)
        Counts, or their square roots; zero frequency in the centre.
    amplitude
        Whether the patterns are square roots of counts.
    scale
        Factor of stored square roots; the square of the product is in counts.
    positions : (positions, 2) float64
        x (along columns) and y (along rows) of where the probe hits the object, object pixels, any origin.
    positions_m : (positions, 2) float64
        The same in metres.
    probe : (modes, N, N) complex64
        Any scale.
    object : (rows, columns) complex64
        A reconstruction in the file, any scale.
    mask : (rows, columns) bool
        True where a pixel of the detector can be trusted.
    background : (rows, columns) float32
        Counts per pattern expected without the probe.
    energy_ev
        Photon energy, eV.
    distance_m
        Distance from object to detector, metres.
    detector_pixel_m
        Detector pitch along columns and along rows, metres.
    object_pixel_m
        Side of an object pixel as the file states it, metres. `pixel_m` computes it from the geometry otherwise.
    indexes : (positions,) int
        Numbers that link patterns and positions of different files. Where they are None, the order links them.
    far_field
        False where the file says that the detector is in the near field.
    remarks
        What the reader assumed, in words.
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
        """Return the scan, with what it lacks taken from another file of the same scan.

        Where both files have indexes, these link the patterns of one file to the positions of the other.

        Parameters
        ----------
        other
            Another file of the same scan.

        Returns
        -------
        Measured

        Raises
        ------
        InputError
            A pattern has no position with its index.
        """
        # The file with the patterns comes first, because its order of patterns is kept.
        if self.patterns is None and other.patterns is not None:
            return other.completed(self)
        if self.places is None and self.positions_m is None:
            other = other.in_order_of(self)
        lacking = {f.name: getattr(other, f.name) for f in fields(self) if getattr(self, f.name) is None}
        if self.places is not None:
            # Positions come from one file only, because another file may count them from another origin.
            lacking |= {"positions": self.positions, "positions_m": self.positions_m}
        told = replace(self, **lacking)
        told = replace(told, far_field=self.far_field and other.far_field)
        both = f"{self.format} and {other.format}", f"{self.name}, {other.name}"
        return replace(told, format=both[0], name=both[1], remarks=(*self.remarks, *other.remarks))

    def in_order_of(self, other: Measured) -> Measured:
        """Return the scan with its positions in the order of another file's indexes.

        Parameters
        ----------
        other
            The file whose order counts.

        Returns
        -------
        Measured
            The scan itself where one of the two has no indexes, or where they are equal.

        Raises
        ------
        InputError
            An index of the other file is missing in this one.
        """
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
        """Return the scan with energy_ev, distance_m and detector_pixel_m as given; None leaves a value as it is."""
        return replace(self, **{name: value for name, value in told.items() if value is not None})

    @property
    def wavelength_m(self) -> float | None:
        """Return the wavelength h c / energy, metres."""
        return PLANCK_EV_M / self.energy_ev if self.energy_ev else None

    @property
    def pixel_m(self) -> float | None:
        """Return the side of an object pixel, metres: as stated, or wavelength x distance / (N x detector pitch).

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
        """Return x and y of the positions in object pixels, (positions, 2) float64; None where they are not known."""
        if self.positions is not None:
            return self.positions
        if self.positions_m is not None and self.pixel_m:
            return self.positions_m / self.pixel_m
        return None

    @property
    def spacing(self) -> float | None:
        """Return the mean distance of neighbouring positions, object pixels; None where it is not known."""
        return None if self.places is None or len(self.places) < 2 else mean_spacing(self.places)

    def counts(self, where: slice) -> NDArray[np.float64]:
        """Return the counts of some patterns.

        Squares of stored square roots are rounded where they are whole numbers to single precision. Everything else is
        returned as stored.

        Parameters
        ----------
        where
            Slice of the positions.

        Returns
        -------
        (some, rows, columns) float64, photons
        """
        assert self.patterns is not None
        stored = np.asarray(self.patterns[where], dtype=np.float64)
        if not self.amplitude:
            return stored
        counts = (stored * self.scale) ** 2
        return np.rint(counts) if are_whole(counts) else counts

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Yield the counts of all patterns, (some, rows, columns) float64, block by block."""
        if self.patterns is not None:
            n, rows, columns = self.patterns.shape
            # 8 bytes per count in float64.
            size = max(1, BLOCK_BYTES // (8 * rows * columns))
            for start in range(0, n, size):
                yield self.counts(slice(start, start + size))

    def _some(self, part: NDArray[np.intp] | None) -> Iterator[NDArray[np.float64]]:
        """Return an iterator over the counts of all patterns in blocks (None), or of some patterns one at a time."""
        return self.blocks() if part is None else (self.counts(slice(int(k), int(k) + 1)) for k in part)

    def scan(self, part: NDArray[np.intp] | None = None) -> Scan:
        """Return the scan for the arms: counts, the first mode of the probe, and a frame that holds all windows.

        The probe is scaled so that an object of modulus 1 gives the mean counts of the patterns on the pixels that the
        mask trusts, less the background.

        Parameters
        ----------
        part : (some,) int
            Indices of the positions that are used; None means all.

        Returns
        -------
        Scan
            Patterns (some, N, N) float32, probe in sqrt(photons), x and y of the positions in the new frame.
        """
        assert self.patterns is not None and self.places is not None and self.probe is not None
        n, where = self.patterns.shape[1], self.places if part is None else self.places[part]
        # The frame has a margin of at least a pixel around all windows; a shift by whole pixels keeps the fractions.
        where = where - np.floor(where.min(axis=0)) + n // 2 + 1
        width, height = (int(np.ceil(side)) + n // 2 + 2 for side in where.max(axis=0))
        # A hot pixel must not count as light: only pixels that the mask trusts do.
        trusted = np.ones((n, n), bool) if self.mask is None else self.mask
        # Mean photons per pattern; patterns are read twice, since all of them may not fit into the memory.
        dose = float(np.concatenate([counts[:, trusted].sum(axis=1) for counts in self._some(part)]).mean())
        scale, light = intensity_scale(max(round(dose), 1), n), self.probe[0]
        dark = 0.0 if self.background is None else float(self.background[trusted].sum())  # photons per pattern
        # The pattern of the probe alone, centred like the patterns: its light on the trusted pixels is the dose.
        pattern = np.abs(np.fft.fftshift(np.fft.fft2(light.astype(np.complex128), norm="ortho"))) ** 2
        probe = light * np.sqrt(max(dose - dark, 1e-9) / np.sum(pattern[trusted]))
        metadata: dict[str, Any] = {"dose": round(dose), "split": "test", "view": None} | dict.fromkeys(KINDS, MEASURED)
        amplitudes, done = machine.room((len(where), n, n), np.float32, f"patterns of {self.name}"), 0
        for counts in self._some(part):
            amplitudes[done : done + len(counts)] = np.sqrt(counts) / scale
            done += len(counts)
        # A mask that trusts every pixel is the same as none.
        mask = None if self.mask is None or self.mask.all() else self.mask
        metadata |= {"sample": self.name, "object_shape": [height, width]}
        return Scan(
            amplitudes, probe.astype(np.complex64), where, scale, (height, width), metadata, mask=mask,
            background=self.background,
        )  # fmt: skip

    def far_field_doubt(self) -> str:
        """Return in words why the far-field model cannot hold; an empty text where nothing speaks against it.

        A well-sampled probe fills at most half of its window. So the probes at positions farther apart than that do not
        overlap.
        """
        if not self.far_field:
            return "the file says that it is of the near field, which the study does not reconstruct"
        # A file with an object has been reconstructed already, so its pixels are not in doubt.
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
        """Return what a reconstruction needs and the file lacks: a text that says how to give it, by name."""
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
    """Return one or several images as a stack.

    Parameters
    ----------
    images : (..., rows, columns)
        One image or several, with any number of leading axes; or None.

    Returns
    -------
    (images, rows, columns) complex64, or None
    """
    return None if images is None else images.astype(np.complex64).reshape(-1, *images.shape[-2:])


def are_whole(counts: NDArray[np.float64]) -> bool:
    """Return whether all numbers are whole, to the precision that square roots in single precision keep.

    Parameters
    ----------
    counts : (...) float64
        Squares of stored square roots, or values as stored.

    Returns
    -------
    bool
    """
    # The error of a squared single-precision root grows with the count, and so does the tolerance.
    return bool(np.all(np.abs(counts - np.rint(counts)) < WHOLE * np.maximum(1, np.sqrt(np.abs(counts)))))
