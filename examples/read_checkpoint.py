"""Reads the newest checkpoint of a run and prints the policy's action means (or probabilities) for some observations.

    pip install numpy safetensors
    python examples/read_checkpoint.py RUN '[[0.1, -0.2], [0.0, 0.0]]'

Tensors: mlp.L.weight [inputs, outputs], mlp.L.bias [outputs], log_std [width] for continuous actions; logits [S, A] for tables.
A layer computes y = x @ weight + bias; all layers but the last are followed by tanh or ReLU (config.toml says which).
"""

import glob
import json
import os
import sys

import numpy as np
from safetensors.numpy import load_file


def load(run):
    """Tensors of the newest checkpoint of a run directory, by name."""
    newest = max(glob.glob(os.path.join(run, "checkpoints", "*.json")))
    return load_file(newest[: -len(".json")] + ".safetensors")


def outputs(tensors, x, activation=np.tanh):
    """What the policy's network says of observations x [rows, inputs]: means, or logits."""
    layers = sum(name.startswith("mlp.") and name.endswith(".weight") for name in tensors)
    for i in range(layers):
        x = x @ tensors[f"mlp.{i}.weight"] + tensors[f"mlp.{i}.bias"]
        if i < layers - 1:
            x = activation(x)
    return x


if __name__ == "__main__":
    tensors = load(sys.argv[1])
    observations = np.array(json.loads(sys.argv[2]), dtype=tensors["mlp.0.weight"].dtype)
    print(json.dumps(outputs(tensors, observations).tolist()))
