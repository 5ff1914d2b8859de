"""What the tests of MAP, its likelihood and its coarse grids share."""

from __future__ import annotations

import numpy as np
import torch


def pair(image: np.ndarray) -> torch.Tensor:
    """Where the likelihood computes: on the GPU, if there is one."""
    image = torch.from_numpy(np.ascontiguousarray(image, np.complex64))
    return torch.view_as_real(image).clone().to("cuda" if torch.cuda.is_available() else "cpu")
