"""What a stage needs of a machine: the memory and the time that a scheduler is asked for.

Measured on the laptop profile (docs/cluster.md; the stamps of a hub have its own figures), then doubled for memory and
multiplied by six for time: a job that asks for too little is killed, one that asks for more waits a little longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MEMORY = {
    "00_design": 140, "01_generate": 550, "01_reference": 1500, "01_measured": 1500, "01_ceiling": 1500,
    "02_overlap": 430, "03_train": 1500, "03_select": 930, "04_reconstruct": 930, "05_compare": 920, "05_limit": 700,
    "05_uncertainty": 930, "06_evidence": 400,
}  # fmt: skip
"""MiB of each notebook's process at its peak, laptop profile, the arm that needs most; 01_reference is 01_generate of a
measured scan, which reconstructs."""
SECONDS = {
    "00_design": 2, "01_generate": 8, "01_reference": 400, "01_measured": 400, "01_ceiling": 200,
    "02_overlap": 3, "03_train": 350, "03_select": 700, "04_reconstruct": 640, "05_compare": 17,
    "05_limit": 300, "05_uncertainty": 600, "06_evidence": 4,
}  # fmt: skip
"""Wall time of each notebook, start of its kernel included, the arm and condition that need longest."""
FULL_MEMORY, FULL_TIME = 4, 12
"""How many times more of both the full profile asks for: it has some eight times the patterns."""
GPU = ("01_reference", "01_measured", "01_ceiling", "03_train", "03_select", "04_reconstruct", "05_uncertainty")


@dataclass(frozen=True)
class Resources:
    """What a stage asks for.

    Attributes
    ----------
    memory_mib
    minutes
        Of wall time, at the most.
    gpu
        How many it can use.
    """

    memory_mib: int
    minutes: int
    gpu: int


def resources(notebook: str, profile: str, measured: bool = False) -> Resources:
    """Return what a stage asks for.

    Parameters
    ----------
    notebook
        Stem of its notebook.
    profile
        Of the design; smoke asks for as much as laptop.
    measured
        Whether the sample is a measured scan.
    """
    notebook = "01_reference" if measured and notebook == "01_generate" else notebook
    memory, time = (FULL_MEMORY, FULL_TIME) if profile == "full" else (1, 1)
    minutes = max(5, math.ceil(6 * time * SECONDS[notebook] / 60))
    return Resources(2 * memory * MEMORY[notebook], minutes, int(notebook in GPU))
