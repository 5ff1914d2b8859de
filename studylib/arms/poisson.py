"""The Poisson likelihood of a whole scan with its gradient, and total variation, on torch.

References
----------
Thibault, Guizar-Sicairos, Maximum-likelihood refinement for coherent diffractive imaging, New J. Phys. 14, 063004
(2012), eqs. 3 and 8 (the likelihood of the counts and its gradient).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from studylib.design import BACKGROUND
from studylib.physics.forward import probes_at
from studylib.physics.windows import window_corners
from studylib.scan import Scan

if TYPE_CHECKING:
    import torch

IN_CACHE = 2**17
"""Number of pixels whose exit waves a processor computes together: 1 MiB, so that they stay in its cache."""
IN_MEMORY = 2**24
"""The same number on a GPU, which is fast only with many pixels at once."""
HELD = 2**32
"""Largest size, in bytes, of the counts and probes of a scan that are held in memory. Those of a larger scan are made
as they are used, which takes longer and gives the same numbers."""
EPSILON = 1e-3
"""Smoothing of the total variation at zero, in units of the object's modulus."""


class Likelihood:
    """Negative log-likelihood of the counts of a scan, as a function of the object.

    Counts, mask and background have the zero frequency first, as the far field has, so that no wave has to be shifted.

    Parameters
    ----------
    scan
        Counts, probe and positions.
    background_share
        Factor of the stabilising background: the share of a whole scan's counts that this scan holds.

    Raises
    ------
    InputError
        The window of a position leaves the frame of the object.
    """

    fixed_probe: ClassVar = True
    """Whether the probe stays as it is, so that its shifted copies may be held in memory."""

    def __init__(self, scan: Scan, background_share: float = 1.0) -> None:
        import torch

        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.scan, self.stabiliser = scan, BACKGROUND * background_share
        n = scan.n_pixels
        corners = window_corners(scan.positions, n, scan.shape)
        self.corners = torch.from_numpy(np.ascontiguousarray(corners)).to(self.device)  # (position, row and column)
        # Positions are processed in parts, so that the waves of one part fit into the cache or the GPU.
        step = max(1, (IN_MEMORY if self.device.type == "cuda" else IN_CACHE) // n**2)
        self.parts = [slice(k, k + step) for k in range(0, len(scan.positions), step)]
        self.n_values = len(scan.positions) * n**2
        self.held = self.n_values * 12 <= HELD  # four bytes of counts, eight of probes
        self.held_counts = self._hold(self._counts_of, torch.float32) if self.held else None
        self.held_probes = self._hold(self._probes_of, torch.complex64) if self.held and self.fixed_probe else None
        # Mask and background in the order of the far field: zero frequency first.
        seen = None if scan.mask is None else np.fft.ifftshift(scan.mask).astype(np.float32)
        self.mask = None if seen is None else torch.from_numpy(seen).to(self.device)
        dark = None if scan.dark is None else np.ascontiguousarray(np.fft.ifftshift(scan.dark))
        self.dark = None if dark is None else torch.from_numpy(dark).to(self.device)

    def _counts_of(self, part: slice) -> torch.Tensor:
        """Read the counts of some positions, (positions in part, N, N) float32, and put the zero frequency first."""
        import torch

        shifted = np.fft.ifftshift(self.scan.take(part).counts, axes=(1, 2))
        return torch.from_numpy(np.ascontiguousarray(shifted)).to(self.device)

    def _probes_of(self, part: slice) -> torch.Tensor:
        """Compute the shifted probes of some positions, (positions in part, N, N) complex64."""
        import torch

        return torch.from_numpy(probes_at(self.scan.probe, self.scan.positions[part])).to(self.device)

    def _hold(self, make: Callable[[slice], torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
        """Return the counts or the probes of all positions, made part by part.

        Made all at once they would need five times the memory on the way.

        Parameters
        ----------
        make
            Function from a part of the positions to its counts or probes.
        dtype
            Type of the result.

        Returns
        -------
        (positions, N, N)
        """
        import torch

        shape = len(self.scan.positions), self.scan.n_pixels, self.scan.n_pixels
        held = torch.empty(shape, dtype=dtype, device=self.device)
        for part in self.parts:
            held[part] = make(part)
        return held

    def _counts(self, part: slice) -> torch.Tensor:
        """Return the counts of some positions, (positions in part, N, N) float32: the held ones, or read anew."""
        return self._counts_of(part) if self.held_counts is None else self.held_counts[part]

    def _probes(self, part: slice) -> torch.Tensor:
        """Return the probes of some positions, (positions in part, N, N) complex64: the held ones, or made anew."""
        return self._probes_of(part) if self.held_probes is None else self.held_probes[part]

    def _windows(self, canvas: torch.Tensor, part: slice) -> torch.Tensor:
        """Copy the windows of some positions from an object.

        Parameters
        ----------
        canvas : (rows, columns) complex64
        part
            Positions.

        Returns
        -------
        (positions in part, N, N) complex64
        """
        n = self.scan.n_pixels
        # `unfold` makes a view (row, column, window row, window column); indexing it with the corners copies the
        # windows of the positions: (position, window row, window column).
        return canvas.unfold(0, n, 1).unfold(1, n, 1)[self.corners[part, 0], self.corners[part, 1]]

    def _far_field(self, windows: torch.Tensor, probes: torch.Tensor) -> torch.Tensor:
        """Return the waves at the detector, zero frequency first, and 0 at masked pixels.

        Parameters
        ----------
        windows, probes : (positions in part, N, N) complex64

        Returns
        -------
        (positions in part, N, N) complex64
        """
        import torch

        wave = torch.fft.fft2(probes * windows, norm="ortho")
        return wave if self.mask is None else wave * self.mask

    def _counted(self, wave: torch.Tensor) -> torch.Tensor:
        """Return the expected counts of waves at the detector: their intensity plus the scan's background."""
        return _square(wave) if self.dark is None else _square(wave) + self.dark

    def _add(self, canvas: torch.Tensor, windows: torch.Tensor, part: slice) -> None:
        """Add windows to a canvas at their places, in place. This is the adjoint of `_windows`.

        Parameters
        ----------
        canvas : (rows, columns) complex64
        windows : (positions in part, N, N) complex64
        part
            Positions of the windows.
        """
        import torch

        n = self.scan.n_pixels
        if self.device.type == "cpu":
            # On a processor a loop over contiguous slices is used; on a GPU all pixels are added in one call.
            for window, (row, column) in zip(windows, self.corners[part].tolist(), strict=True):
                canvas[row : row + n, column : column + n] += window
            return
        inside = torch.arange(n, device=windows.device)
        # Flat index of every pixel of every window on the canvas: (position, window row, window column)
        rows = self.corners[part, 0, None, None] + inside[:, None]
        places = rows * canvas.shape[1] + self.corners[part, 1, None, None] + inside
        torch.view_as_real(canvas).view(-1, 2).index_add_(
            0, places.reshape(-1), torch.view_as_real(windows).reshape(-1, 2)
        )

    def loss_and_gradient(self, image: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Return the negative log-likelihood of an object and its gradient.

        Parameters
        ----------
        image : (rows, columns, 2) float32
            Real and imaginary part of the object.

        Returns
        -------
        loss
            Sum over patterns and pixels of lambda - (n + b) log(lambda + b), nats. Here n are the counts, lambda is the
            expected pattern including the scan's background, and b is the stabilising background.
        gradient : (rows, columns, 2) float32
            Derivative of the loss with respect to the real and the imaginary part.

        References
        ----------
        Thibault, Guizar-Sicairos, New J. Phys. 14, 063004 (2012), eqs. 3 and 8.
        """
        import torch

        canvas, loss = torch.view_as_complex(image), 0.0
        total = torch.zeros_like(canvas)
        for part in self.parts:
            probes, windows = self._probes(part), self._windows(canvas, part)  # (position, row, column)
            wave = self._far_field(windows, probes)  # (position, row frequency, column frequency)
            expected = self._counted(wave)
            counts = self._counts(part) + self.stabiliser
            seen = expected + self.stabiliser
            loss += float((expected - counts * seen.log()).sum(dtype=torch.float64))
            # Wirtinger: dL/dpsi* = F^-1[(1 - (n + b) / (lambda + b)) F psi]. The derivative with respect to the real
            # and the imaginary part is twice that.
            back = torch.fft.ifft2(wave * (1 - counts / seen), norm="ortho")
            self._add(total, 2 * probes.conj() * back, part)
            self._note(part, windows, back)
        return loss, torch.view_as_real(total)

    def _note(self, part: slice, windows: torch.Tensor, back: torch.Tensor) -> None:
        """Do nothing here; a subclass with a free probe collects the gradient of the probe.

        Parameters
        ----------
        part
            Positions.
        windows : (positions in part, N, N) complex64
            The object in the window of each position.
        back : (positions in part, N, N) complex64
            Derivative of the loss with respect to the conjugate exit waves.
        """

    def step(self) -> None:
        """Do nothing here; a subclass with a free probe moves the probe.

        The step uses what the last call of `loss_and_gradient` collected.
        """

    def expected(self, image: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Return the expected patterns of an object.

        Parameters
        ----------
        image : (rows, columns) complex64

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre; 0 at masked pixels
        """
        import torch

        canvas: Any = torch.from_numpy(np.ascontiguousarray(image, np.complex64)).to(self.device)
        waves = (self._far_field(self._windows(canvas, part), self._probes(part)) for part in self.parts)
        parts = [self._counted(wave).cpu().numpy() for wave in waves]
        return np.fft.fftshift(np.concatenate(parts), axes=(1, 2))


def total_variation(image: torch.Tensor, amplitude: float, phase: float) -> tuple[float, torch.Tensor]:
    """Return the total variation of a complex image, with separate weights for amplitude and phase, and its gradient.

    The total variation is isotropic. Let d be the difference between the next pixel and the pixel o, and u = o / |o|
    the direction of the pixel in the complex plane. The part of d along u is the change of amplitude. The part across u
    is the amplitude times the change of phase. With equal weights this is the usual total variation of the complex
    image. A global phase never matters. The gradient is written out: with r = Re(d u*), the square under the root is
    phase^2 |d|^2 + (amplitude^2 - phase^2) r^2, summed over the differences to the next row and the next column.

    Parameters
    ----------
    image : (rows, columns, 2) float32
        Real and imaginary part.
    amplitude, phase
        Weights of the two parts.

    Returns
    -------
    value
        Sum over pixels.
    gradient : (rows, columns, 2) float32
        Derivative with respect to the real and the imaginary part.

    References
    ----------
    Rudin, Osher, Fatemi, Nonlinear total variation based noise removal algorithms, Physica D 60, 259 (1992).
    """
    import torch

    canvas = torch.view_as_complex(image)
    # The last row and the last column have no next pixel, so all maps are one row and one column smaller.
    here = canvas[:-1, :-1]
    modulus = torch.sqrt(_square(here) + 1e-12)
    along = here / modulus
    steps = (canvas[1:, :-1] - here, canvas[:-1, 1:] - here)  # to the next row, to the next column
    both, more = phase**2, amplitude**2 - phase**2
    radials = [_inner(step, along) for step in steps]
    smooth = (max(amplitude, phase) * EPSILON) ** 2
    root = torch.full_like(modulus, smooth)
    for step, radial in zip(steps, radials, strict=True):
        root += both * _square(step) + more * radial.square()
    root.sqrt_()
    gradient = torch.zeros_like(canvas)
    for step, radial, there in zip(steps, radials, (gradient[1:, :-1], gradient[:-1, 1:]), strict=True):
        # Each difference acts on two pixels: on the next one, and with the opposite sign on the pixel itself. The pixel
        # also sets the direction u, which gives the term with (step - radial * along).
        turning = more * radial / root
        pull = both / root * step + turning * along
        there.add_(pull)
        gradient[:-1, :-1] += turning / modulus * (step - radial * along) - pull
    return float((root - smooth**0.5).sum(dtype=torch.float64)), torch.view_as_real(gradient)


def _square(values: torch.Tensor) -> torch.Tensor:
    """Return |z|^2 of complex numbers."""
    return values.real.square() + values.imag.square()


def _inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return Re(a b*) of complex numbers."""
    return a.real * b.real + a.imag * b.imag
