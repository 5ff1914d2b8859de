"""Training of `Unrolled` on split counts, one piece of the canvas at a time, and its use on a whole scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from studylib import progress
from studylib.errors import StageError
from studylib.learn.canvas import Canvas, device, frequencies_first
from studylib.learn.unrolled import STRIDE, TURNS, UnrolledNetwork
from studylib.physics.grouping import hold_out, middle
from studylib.physics.overlap import mean_spacing
from studylib.physics.split import share_of, split_counts
from studylib.physics.stitch import illumination
from studylib.physics.windows import window_corners
from studylib.reconstruction import Trained, peak_memory_mib
from studylib.scan import Scan

MOST = 2_000
"""Largest number of positions to train on; of a larger scan those in the middle are used."""
ERRORS = 3.0
"""Threshold in standard errors: a network that explains held-out counts worse than its starting image by more than this
is not used."""
PART = 128
"""Number of positions whose waves are in memory together when a whole scan is reconstructed."""


@dataclass(frozen=True)
class Draw:
    """One division of the counts: both shares, and the image that was made from the first one.

    Attributes
    ----------
    image : (rows, columns) complex64
        In units of the best constant object, with its mean phase removed.
    fitted, kept : (positions, N, N) unsigned integers
        Counts from which image and gradient are made, and counts from which the loss is taken.
    """

    image: torch.Tensor
    fitted: NDArray[np.uint32]
    kept: NDArray[np.uint32]


class Splits:
    """The training half, with its counts divided several times, and pieces of it to train on.

    Parameters
    ----------
    scan
        Training half of a view, or a whole measured scan.
    images
        Function from a scan to the image that the network starts from, (rows, columns) complex64.
    share
        q, the fraction of the counts from which the loss is taken.
    draws
        Number of divisions.
    patterns
        Approximate number of positions in a piece.
    validation
        Fraction of the positions that is held out.
    generator
        Source of the divisions.

    Attributes
    ----------
    scan
        The scan, with at most `MOST` positions.
    draws
        The divisions.
    kept, held : (some,) int
        Indices of the positions to train on, and of those that are held out.
    shape
        Rows and columns of a piece.
    """

    def __init__(
        self, scan: Scan, images: Callable[[Scan], NDArray[np.complex64]], share: float, draws: int, patterns: int,
        validation: float, generator: np.random.Generator,
    ) -> None:  # fmt: skip
        scan = scan if len(scan.positions) <= MOST else scan.take(middle(scan.positions, MOST))
        self.scan, self.share, self.gauge = scan, share, scan.best_constant()
        self.light = illumination(scan.probe, scan.positions, scan.shape)
        counts = scan.counts.astype(np.int64)
        self.draws = [self._draw(counts, images, generator) for _ in range(draws)]
        self.kept, self.held = hold_out(scan.positions, validation)
        n = scan.n_pixels
        # A square of `patterns` mean spacings with a window around it; its sides are multiples of what the network
        # needs.
        side = min(max(n + 32, n + mean_spacing(scan.positions) * patterns**0.5), 3 * n)
        rows, columns = scan.shape
        self.shape = int(min(side, rows)) // STRIDE * STRIDE, int(min(side, columns)) // STRIDE * STRIDE
        self.corners = window_corners(scan.positions, n, scan.shape)

    def _draw(
        self, counts: NDArray[np.int64], images: Callable[[Scan], NDArray[np.complex64]], generator: np.random.Generator
    ) -> Draw:
        """Divide the counts once, and make an image from the first share.

        Parameters
        ----------
        counts : (positions, N, N) int64
            All counts.
        images
            Function from a scan to an image, (rows, columns) complex64.
        generator
            Source of the division.
        """
        fitted, kept = split_counts(counts, (1 - self.share, self.share), generator)
        image = images(share_of(self.scan, fitted, 1 - self.share, kept, self.share))
        image = image / (self.gauge * mean_phase(image, self.light))
        return Draw(
            torch.from_numpy(image.astype(np.complex64)).to(device()), fitted.astype(np.uint32), kept.astype(np.uint32)
        )

    def piece(
        self, generator: np.random.Generator, among: NDArray[np.intp]
    ) -> tuple[tuple[int, int], NDArray[np.intp]]:
        """Return a random piece of the canvas around one of some positions.

        Parameters
        ----------
        generator
            Source of the position and of its place within the piece.
        among : (some,) int
            Indices of the positions.

        Returns
        -------
        corner
            First row and column of the piece on the canvas.
        part : (positions of the piece,) int
            Those of the given indices whose windows lie within the piece.
        """
        window = self.corners[generator.choice(among)]
        # How far a window can move within the piece, rows and columns.
        room = np.asarray(self.shape) - self.scan.n_pixels
        corner = self._on_canvas(window - generator.integers(0, room + 1))
        return corner, self.within(corner, among)

    def _on_canvas(self, corner: NDArray[np.int64]) -> tuple[int, int]:
        """Return the corner of a piece, moved so that the piece lies on the canvas."""
        row, column = np.clip(corner, 0, np.asarray(self.scan.shape) - self.shape)
        return int(row), int(column)

    def within(self, corner: tuple[int, int], among: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of some positions whose windows lie within a piece.

        Parameters
        ----------
        corner
            First row and column of the piece on the canvas.
        among : (some,) int
            Indices of the positions.

        Returns
        -------
        (positions of the piece,) int
            Those of the given indices whose windows lie within the piece.
        """
        from_corner = self.corners[among] - np.asarray(corner)
        inside = (from_corner >= 0) & (from_corner + self.scan.n_pixels <= np.asarray(self.shape))
        return among[inside.all(axis=1)]

    def canvas(self, corner: tuple[int, int], part: NDArray[np.intp], draw: Draw) -> tuple[Canvas, torch.Tensor]:
        """Return the physics of a piece and the starting image of the network there.

        Parameters
        ----------
        corner
            First row and column of the piece on the canvas.
        part : (positions of the piece,) int
            Indices of the positions whose counts are used.
        draw
            Division of the counts.

        Returns
        -------
        canvas
            Forward model of the first share of the counts.
        image : (rows, columns) complex64
            Starting image on the piece, in units of the best constant object.
        """
        canvas = Canvas(self.scan.take(part), self.gauge, 1 - self.share, corner, self.shape)
        (row, column), (rows, columns) = corner, self.shape
        return canvas, draw.image[row : row + rows, column : column + columns]

    def to_judge(self) -> Iterator[tuple[tuple[int, int], NDArray[np.intp], NDArray[np.intp]]]:
        """Yield pieces that together hold every held-out position once.

        Yields
        ------
        corner
            First row and column of the piece on the canvas.
        part : (positions of the piece,) int
            Indices of all positions within the piece.
        held : (held positions,) int
            The held-out ones among them that no earlier piece held.
        """
        left, everything = self.held, np.arange(len(self.corners))
        while len(left):
            # The first position that is left stands in the middle of the piece.
            corner = self._on_canvas(self.corners[left[0]] - (np.asarray(self.shape) - self.scan.n_pixels) // 2)
            found = self.within(corner, left)
            yield corner, self.within(corner, everything), found
            left = np.setdiff1d(left, found)


def mean_phase(image: NDArray[np.complex64], light: NDArray[np.float64]) -> complex:
    """Return exp(i p), where p is the mean phase of an image, weighted by the light on each pixel.

    Parameters
    ----------
    image : (rows, columns) complex64
        The image.
    light : (rows, columns) float64
        Weight of each pixel, here photons per object pixel.

    Returns
    -------
    Complex number of modulus 1; 1 where the weighted sum is 0
    """
    total = complex(np.sum(image * light))
    return total / abs(total) if abs(total) else 1.0


def held_losses(reconstruct: Callable[[torch.Tensor, Canvas, torch.Tensor], torch.Tensor], splits: Splits) -> NDArray:
    """Return the loss of every held-out pattern, the mean over its pixels and over the first two draws.

    Parameters
    ----------
    reconstruct
        Function from the starting image, the physics of a piece and its counts (zero frequency first) to an image.
    splits
        Scan, divisions and held-out positions.

    Returns
    -------
    (held positions,) float64
        Nats per pixel.
    """
    total, draws = np.zeros(len(splits.held)), splits.draws[:2]
    with torch.no_grad():
        for corner, part, held in splits.to_judge():
            for draw in draws:
                canvas, image = splits.canvas(corner, part, draw)
                image = reconstruct(image, canvas, frequencies_first(draw.fitted[part]))
                # (position, row, column) to one loss per position
                losses = canvas.losses(image, frequencies_first(draw.kept[part]), splits.share).mean(dim=(1, 2))
                chosen = np.isin(part, held)
                # `held` is sorted, so that this finds the row of each held-out position.
                total[np.searchsorted(splits.held, part[chosen])] += losses.cpu().numpy()[chosen] / len(draws)
    return total


def train_unrolled(network: UnrolledNetwork, splits: Splits, settings: Any, seed: int, begin: float) -> Trained:
    """Train on split counts; the last weights are kept and judged at positions that were held out.

    The held-out loss does not choose among weights: in a sparse view only a handful of patterns are held out, and their
    noise would decide.

    Parameters
    ----------
    network
        Its weights are changed, and `falls_back` is set.
    splits
        Scan, divisions and pieces.
    settings
        `UnrolledSettings`.
    seed
        Seed of pieces, draws and turns.
    begin
        Time at which the training began, in seconds of `time.perf_counter`: making the starting images is part of the
        training.

    Returns
    -------
    Trained
        With the gain over the starting image in nats per pattern, and its standard error.

    Raises
    ------
    StageError
        The training diverged.
    """
    generator, evaluations = np.random.default_rng(seed), min(settings.evaluations, settings.steps)
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate, betas=(0.9, 0.99))
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _rate((k + 1) / settings.steps, settings))
    # Held-out loss of the starting images: the reference for the gain.
    start, history, losses = held_losses(lambda image, *_: image, splits), list[dict[str, float]](), list[float]()
    pace = time.perf_counter()
    with progress.bar(settings.steps, "train Unrolled", "step") as bar:
        for step in range(1, settings.steps + 1):
            losses.append(_step(network, splits, optimiser, settings.clip_norm, generator))
            rate.step()
            bar.update(1)
            # Evaluations are evenly spread; the last one follows the last step.
            if step * evaluations // settings.steps > len(history):
                network.eval()
                judged = held_losses(partial(_image, network), splits)
                network.train()
                row = {"loss": float(np.mean(losses)), "val_loss": float(judged.mean()), "attempt": 1}
                told = {"epoch": len(history) + 1, "seconds": time.perf_counter() - begin}
                history.append(told | {"learning_rate": float(rate.get_last_lr()[0])} | row)
                losses.clear()
                if not np.isfinite([row["loss"], row["val_loss"]]).all():
                    raise StageError(f"training of Unrolled diverged at evaluation {len(history)}: {row}")
                bar.set_postfix(loss=f"{row['loss']:.5f}", held_out=f"{row['val_loss']:.5f}")
    network.eval()
    flat = float(held_losses(lambda image, *_: torch.ones_like(image), splits).mean())
    # From nats per pixel to nats per pattern.
    gains = (start - judged) * splits.scan.n_pixels**2
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / len(gains) ** 0.5)
    network.falls_back = gain < -ERRORS * error
    speed = settings.steps * settings.patterns_per_piece / (time.perf_counter() - pace)
    seconds, loss = time.perf_counter() - begin, history[-1]["val_loss"]
    return Trained(network, history, seconds, peak_memory_mib(), flat, speed, 1, loss < flat, gain, error)


def _image(network: UnrolledNetwork, image: torch.Tensor, canvas: Canvas, counts: torch.Tensor) -> torch.Tensor:
    """Return the image that the network makes of a piece."""
    return network(image, lambda x: canvas.gradient(x, counts), canvas.light)


def _rate(done: float, settings: Any) -> float:
    """Return the learning rate as a fraction of the largest: linear warm-up, then half a cosine to zero.

    Parameters
    ----------
    done
        Fraction of the steps that is done, 0 to 1.
    settings
        `UnrolledSettings`, for the fraction that is warm-up.
    """
    warmup = settings.warmup_fraction
    return done / warmup if done < warmup else 0.5 * (1 + np.cos(np.pi * (done - warmup) / (1 - warmup)))


def _step(
    network: UnrolledNetwork, splits: Splits, optimiser: torch.optim.Optimizer, clip_norm: float,
    generator: np.random.Generator,
) -> float:  # fmt: skip
    """Learn from one piece of one draw, seen in one of its eight orientations, and return the loss.

    Parameters
    ----------
    network
        Its weights are changed.
    splits
        Scan, divisions and pieces; only positions that are not held out are used.
    optimiser
        Optimiser of the weights.
    clip_norm
        Largest norm of the gradient.
    generator
        Source of piece, draw and orientation.
    """
    corner, part = splits.piece(generator, splits.kept)
    draw, turn = splits.draws[generator.integers(len(splits.draws))], int(generator.integers(TURNS))
    canvas, image = splits.canvas(corner, part, draw)
    fitted = frequencies_first(draw.fitted[part])
    # The network sees the fitted share alone, and the loss is that of the kept share.
    image = network(image, lambda x: canvas.gradient(x, fitted), canvas.light, turn)
    loss = canvas.losses(image, frequencies_first(draw.kept[part]), splits.share).mean()
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimiser.step()
    return float(loss.detach())


def apply_unrolled(network: UnrolledNetwork, scan: Scan, start: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return what the network makes of another arm's image of a scan.

    A network that explained held-out counts worse than the starting image (`falls_back`) returns that image unchanged.

    Parameters
    ----------
    network
        Trained network.
    scan
        Counts, probe, positions, mask and background.
    start : (rows, columns) complex64
        Image by another arm.

    Returns
    -------
    (rows, columns) complex64
        The object in the frame of the positions.

    Raises
    ------
    StageError
        The image is not finite.
    """
    if network.falls_back:
        return start
    light, modulus = illumination(scan.probe, scan.positions, scan.shape), scan.best_constant()
    gauge = modulus * mean_phase(start, light)
    # The gradient is a sum over positions, so it is computed in parts that fit into memory.
    parts = [scan.take(slice(k, k + PART)) for k in range(0, len(scan.positions), PART)]

    def gradient(image: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the likelihood of all counts, (rows, columns) complex64."""
        total = torch.zeros_like(image)
        for part in parts:
            total += Canvas(part, modulus, 1.0, (0, 0), scan.shape).gradient(image, frequencies_first(part.counts))
        return total

    network.eval()
    with torch.no_grad():
        first = torch.from_numpy((start / gauge).astype(np.complex64)).to(device())
        photons = torch.from_numpy((modulus**2 * light).astype(np.float32)).to(device())
        image = network(first, gradient, photons)
    found = (image.cpu().numpy() * gauge).astype(np.complex64)
    if not np.isfinite(found).all():
        raise StageError("Unrolled diverged: its object holds NaN or infinity")
    return found
