"""What a stage needs of a machine: the memory and the time for which a scheduler is asked.

Both were measured on the laptop profile (docs/cluster.md; the stamps of a hub hold its own figures). The memory is then
doubled and the time multiplied by six: a scheduler kills a job that asked for too little, and a job that asks for more
only waits a little longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MEMORY = {
    "00_design": 140, "01_generate": 550, "01_reference": 1500, "01_measured": 1500, "01_ceiling": 1500,
    "02_overlap": 430, "03_train": 1500, "03_select": 930, "04_reconstruct": 930, "05_compare": 920, "05_limit": 700,
    "05_uncertainty": 930, "06_evidence": 400,
}  # fmt: skip
"""Peak memory of the process of each notebook, MiB, laptop profile, for the arm that needs most. 01_reference stands
for 01_generate of a measured scan, which also reconstructs the reference."""
SECONDS = {
    "00_design": 2, "01_generate": 8, "01_reference": 400, "01_measured": 400, "01_ceiling": 200,
    "02_overlap": 3, "03_train": 350, "03_select": 700, "04_reconstruct": 640, "05_compare": 17,
    "05_limit": 300, "05_uncertainty": 600, "06_evidence": 4,
}  # fmt: skip
"""Wall time of each notebook with the start of its kernel, seconds, for the arm and condition that need longest."""
FULL_MEMORY, FULL_TIME = 4, 12
"""Factors by which the full profile asks for more memory and time: it has about eight times as many patterns."""
GPU = ("01_reference", "01_measured", "01_ceiling", "03_train", "03_select", "04_reconstruct", "05_uncertainty")
"""Notebooks that can use a GPU."""


@dataclass(frozen=True)
class Resources:
    """Memory, time and GPUs for which a stage asks.

    Attributes
    ----------
    memory_mib
        Memory, MiB.
    minutes
        Largest wall time, minutes.
    gpu
        Number of GPUs that it can use, 0 or 1.
    """

    memory_mib: int
    minutes: int
    gpu: int


def resources(notebook: str, profile: str, measured: bool = False) -> Resources:
    """Return the memory, time and GPUs for which a stage asks.

    Parameters
    ----------
    notebook
        Stem of the notebook's name, such as 03_train.
    profile
        Profile of the design; smoke asks for as much as laptop.
    measured
        Whether the sample is a measured scan.

    Returns
    -------
    `Resources`, with at least five minutes
    """
    notebook = "01_reference" if measured and notebook == "01_generate" else notebook
    memory, time = (FULL_MEMORY, FULL_TIME) if profile == "full" else (1, 1)
    minutes = max(5, math.ceil(6 * time * SECONDS[notebook] / 60))
    return Resources(2 * memory * MEMORY[notebook], minutes, int(notebook in GPU))
