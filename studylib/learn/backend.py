"""Choice of the framework beneath Keras, before Keras is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from studylib.design import check_backend
from studylib.errors import InputError


def use_backend(name: str) -> None:
    """Set the framework that Keras computes with.

    Parameters
    ----------
    name
        torch or tensorflow.

    Raises
    ------
    InputError
        The name is unknown, or Keras already runs on the other framework: a process cannot change it.
    """
    name = check_backend(name)
    if "keras" in sys.modules:
        running = sys.modules["keras"].config.backend()
        if running != name:
            raise InputError("backend", name, f"{running}, on which Keras already runs", "restart the kernel")
    os.environ["KERAS_BACKEND"] = name
    # TensorFlow then prints errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and the framework beneath Keras.

    On torch, TensorFlow is hidden from Keras during this call, and Keras takes it for absent from then on. Otherwise
    Keras would import it wherever it is installed, only to seed it and to know its types. That costs each training five
    seconds and half a gigabyte (docs/speed.md).

    Parameters
    ----------
    seed
        One seed for all three.
    """
    import keras

    with _hidden("tensorflow") if keras.config.backend() == "torch" else nullcontext():
        keras.utils.set_random_seed(seed)


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Make ``import module`` fail within the block, unless the module has been imported already."""
    if module in sys.modules:
        yield
        return
    # Python raises ImportError for a module whose entry is None.
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


def precision(mixed: bool) -> str:
    """Return the Keras dtype policy: mixed_bfloat16 where the GPU, or else the processor, computes in it.

    Parameters
    ----------
    mixed
        Whether mixed precision is wanted; float32 otherwise.

    Returns
    -------
    Name of the dtype policy
    """
    if not mixed:
        return "float32"
    import torch

    has = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else _cpu_has_bfloat16()
    return "mixed_bfloat16" if has else "float32"


def _cpu_has_bfloat16() -> bool:
    """Return whether the processor computes in bfloat16."""
    import torch

    # The function is private to torch, so another version of torch may not have it.
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe is not None and probe())
