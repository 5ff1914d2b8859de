"""Let a CUDA build of torchvision import beside the CPU build of torch.

PyPI's torchvision registers fake kernels for two operators on import, and fails when its compiled part
cannot be loaded to declare them. ptychi and torchmetrics need only pure Python parts of it.
"""

from __future__ import annotations

import functools
import sys

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@functools.cache
def ready_torchvision() -> bool:
    """Make ``import torchvision`` work; return whether the two operators had to be declared."""
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return False
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms" + SIGNATURE)
    library.define("qnms" + SIGNATURE)
    _libraries.append(library)
    import torchvision  # noqa: F401

    return True


_libraries: list = []  # The operators live as long as their library object.
