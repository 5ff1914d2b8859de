"""A Keras network that runs as a flat list of torch operations, without the Python code of Keras between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import keras
import torch
from torch.fx.experimental.proxy_tensor import make_fx

HOT = 40
"""Runs on inputs of one shape before they are recorded: recording takes about as long as these runs would save."""

_history: WeakKeyDictionary[keras.Model, tuple[dict[Any, int], dict[Any, Callable]]] = WeakKeyDictionary()
"""Number of runs and recorded graphs of each network, by shape, for as long as the network lives."""


class Recorded(keras.Model):
    """A network whose operations are recorded once it has run often on inputs of one shape.

    The same operations run on the same weights and give the same numbers, bit for bit. What is saved is the Python code
    of some sixty layers in each step (`make bench`). On TensorFlow, which compiles a graph of its own, the network
    itself runs.

    Parameters
    ----------
    network
        Its layers must not behave differently in training. It is trained when this model is.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name=f"recorded_{network.name}")
        self.network = network

    def call(self, inputs: Any) -> Any:
        """Return what the network returns.

        Parameters
        ----------
        inputs
            Tensor, or list of tensors, as the network takes them.

        Returns
        -------
        Tensor, or list of tensors
        """
        several = isinstance(inputs, (list, tuple))
        tensors = tuple(inputs) if several else (inputs,)
        # Keras infers shapes with meta tensors, which hold no numbers: nothing is recorded then.
        if keras.config.backend() != "torch" or any(not torch.is_tensor(t) or t.is_meta for t in tensors):
            return self.network(inputs)
        runs, graphs = _history.setdefault(self.network, ({}, {}))
        # With and without gradients, and for each shape and type, there is a graph of its own.
        key = torch.is_grad_enabled(), *((t.shape, t.dtype) for t in tensors)
        runs[key] = runs.get(key, 0) + 1
        if runs[key] <= HOT:
            return self.network(inputs)
        if key not in graphs:
            graphs[key] = make_fx(lambda *x: self.network(list(x) if several else x[0]))(*tensors)
        return graphs[key](*tensors)
