"""The networks as arms."""

from __future__ import annotations

import numpy as np

from studylib.arms import registry
from studylib.design import Seeds
from tests.asymmetric import OBJECT, N, scan_of


def test_the_baseline_puts_what_it_memorised_on_the_right_frame():
    """A handful of patches: the image that it stitches is the object, neither flipped nor transposed nor shifted."""
    from studylib.learn.backend import use_backend

    use_backend("torch")
    from studylib.physics.windows import extract

    arm = registry.arm("baseline")
    whole = scan_of(1_000_000)
    scan = whole.take(np.argsort(np.abs(whole.positions - whole.positions.mean(axis=0)).max(axis=1))[:12])
    patches = extract(OBJECT, scan.positions, N)
    settings = arm.settings(steps=700, patterns_per_step=12, evaluations=2, width=16, mixed_precision=False)
    trained = arm.train(scan, patches, settings, Seeds())
    image = arm.reconstruct(scan, settings, Seeds(), trained.network).object
    low, high = scan.positions.min(axis=0).astype(int) + 1, scan.positions.max(axis=0).astype(int)
    box = slice(low[1], high[1]), slice(low[0], high[0])
    likeness = {
        name: np.abs(np.corrcoef(np.angle(image[box]).ravel(), np.angle(other).ravel())[0, 1])
        for name, other in {
            "truth": OBJECT[box], "up": OBJECT[box][::-1], "side": OBJECT[box][:, ::-1],
            "shifted": np.roll(OBJECT, 3, axis=1)[box],
        }.items()
    }  # fmt: skip
    assert likeness["truth"] > 0.8 and likeness["truth"] > 1.2 * max(likeness["up"], likeness["side"])
    assert likeness["truth"] > likeness["shifted"]
