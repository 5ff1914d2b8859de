"""A Keras network run as a flat list of torch's operations, without Keras' Python between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import keras
import torch
from torch.fx.experimental.proxy_tensor import make_fx

HOT = 40
"""Runs on inputs of one shape before it is recorded: recording takes about as long as they save."""

_history: WeakKeyDictionary[keras.Model, tuple[dict[Any, int], dict[Any, Callable]]] = WeakKeyDictionary()
"""Runs and graphs of each network, by shape, for as long as it lives."""


class Recorded(keras.Model):
    """A network whose operations are recorded once it has run often on inputs of one shape.

    The same operations on the same weights, so the same numbers, bit for bit; what is saved is the
    Python of some sixty layers a step (`make bench`). On TensorFlow, which compiles a graph of its
    own, the network itself runs.

    Parameters
    ----------
    network
        Its layers must not behave differently in training; it is trained when this is.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name=f"recorded_{network.name}")
        self.network = network

    def call(self, inputs):
        """Return what the network returns."""
        several = isinstance(inputs, (list, tuple))
        tensors = tuple(inputs) if several else (inputs,)
        if keras.config.backend() != "torch" or any(not torch.is_tensor(t) or t.is_meta for t in tensors):
            return self.network(inputs)
        runs, graphs = _history.setdefault(self.network, ({}, {}))
        key = torch.is_grad_enabled(), *((t.shape, t.dtype) for t in tensors)
        runs[key] = runs.get(key, 0) + 1
        if runs[key] <= HOT:
            return self.network(inputs)
        if key not in graphs:
            graphs[key] = make_fx(lambda *x: self.network(list(x) if several else x[0]))(*tensors)
        return graphs[key](*tensors)
