"""Let a CUDA build of torchvision import beside the CPU build of torch.

PyPI's torchvision registers fake kernels for two operators on import, and fails if its compiled part cannot be loaded
to declare these operators. Ptychi and torchmetrics need only pure Python parts of it.
"""

from __future__ import annotations

import functools
import sys

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
"""Signature of both operators."""


@functools.cache
def ready_torchvision() -> bool:
    """Make ``import torchvision`` work.

    Returns
    -------
    Whether the two operators had to be declared
    """
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return False
    # The failed import leaves half-initialised modules behind, which a second import would return.
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms" + SIGNATURE)
    library.define("qnms" + SIGNATURE)
    _libraries.append(library)
    import torchvision  # noqa: F401

    return True


_libraries: list = []  # The operators exist as long as their library object does.
