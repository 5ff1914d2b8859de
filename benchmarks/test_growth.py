"""How the geometry grows with the number of positions: KD-trees, so no faster than n log n."""

from __future__ import annotations

import pytest

from benchmarks.conftest import PINN, raster
from studylib.physics import overlap
from studylib.physics.grouping import group

SIZES = [1_000, 10_000, 100_000]
DIAMETER = 36.0


def rounds(n: int) -> int:
    return 5 if n < 100_000 else 2


@pytest.mark.parametrize("n", SIZES)
def test_growth_grouping(benchmark, rate, n):
    benchmark.pedantic(group, (raster(n), PINN.grouping, 1), rounds=rounds(n))
    rate(n, "positions_per_second")


@pytest.mark.parametrize("n", SIZES)
def test_growth_thinning(benchmark, rate, n):
    benchmark.pedantic(overlap.thin, (raster(n), 10.8, 1), rounds=1 if n == SIZES[-1] else 3)
    rate(n, "positions_per_second")


@pytest.mark.parametrize("n", SIZES)
def test_growth_overlap_metrics(benchmark, rate, n):
    """M1, M2 and M3 of a dense view: 10.8 px from one position to the next."""
    positions = raster(n, 10.8)
    groups = group(positions, PINN.grouping, 1)

    def metrics() -> None:
        overlap.members_overlap(positions, groups, DIAMETER, 7)
        overlap.images_overlap(positions, DIAMETER)
        overlap.groups_overlap(positions, groups, DIAMETER)

    benchmark.pedantic(metrics, rounds=rounds(n))
    rate(n, "positions_per_second")
