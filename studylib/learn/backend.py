"""Choice of the framework beneath Keras, before Keras is imported."""

from __future__ import annotations

import os
import sys

from studylib.design import check_backend
from studylib.errors import InputError


def use_backend(name: str) -> None:
    """Set the framework that Keras computes with.

    Raises
    ------
    InputError
        Unknown, or Keras already runs on the other one: that cannot be changed within a process.
    """
    name = check_backend(name)
    if "keras" in sys.modules:
        running = sys.modules["keras"].config.backend()
        if running != name:
            raise InputError("backend", name, f"{running}, on which Keras already runs", "restart the kernel")
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def precision(mixed: bool) -> str:
    """Return the Keras dtype policy: mixed_bfloat16 where the processor computes in it."""
    if not mixed:
        return "float32"
    import torch

    has = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else _cpu_has_bfloat16()
    return "mixed_bfloat16" if has else "float32"


def _cpu_has_bfloat16() -> bool:
    import torch

    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe is not None and probe())
