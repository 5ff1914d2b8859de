from __future__ import annotations

import subprocess
import sys

CODE = """
from studylib.arms.torchvision_shim import ready_torchvision
declared = ready_torchvision()
assert ready_torchvision() is declared
from torchvision.transforms import GaussianBlur
from torchmetrics.functional.image import structural_similarity_index_measure
import ptychi.api
print("ready")
"""


def test_ptychi_and_torchmetrics_import_beside_the_cpu_build_of_torch():
    """In a process of its own: an import that failed once cannot be tried again from the start."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.split()[-1] == "ready", done.stderr[-2000:]
