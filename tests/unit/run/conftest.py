"""What the tests of plans and stages share."""

from __future__ import annotations

from studylib.run import paths

GIVEN = {
    "samples": ["leaves", "phase"], "probes": ["smooth"], "doses": ["1e5", "1000"], "views": ["dense", "sparse"],
    "replicates": "2", "arms": "map pinn", "splits": ["test"], "profile": "smoke", "backend": "torch",
}  # fmt: skip

PATH = paths.choice(1000, "dense", "map")
