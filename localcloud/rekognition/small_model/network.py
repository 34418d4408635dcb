"""MobileNetV2 with three dense layers behind it, in numpy: one picture in, five probabilities out.

The structure is that of Keras' MobileNetV2 (alpha 1.0). Arrays are height x width x channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from localcloud.rekognition.small_model.weights import Array

#: Pixels of each side of the picture that the network takes.
SIDE = 224

_EPSILON = 1e-3  # of Keras' BatchNormalization
_STRIDED_BLOCKS = frozenset({1, 3, 6, 13})
_BLOCKS = 17


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution with its batch normalization folded in."""

    kernel: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class _Block:
    """An inverted residual block; the first one of the network expands nothing."""

    expand: _Layer | None
    depthwise: _Layer
    project: _Layer
    stride: int


class Network:
    """Stateless after its construction: threads may share it."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._first = _convolution(weights, "Conv1", "bn_Conv1")
        self._blocks = [_block(weights, number) for number in range(_BLOCKS)]
        self._last = _convolution(weights, "Conv_1", "Conv_1_bn")
        self._dense = [
            _Layer(weights[f"dense_{number}/kernel"], weights[f"dense_{number}/bias"]) for number in (1, 2, 3)
        ]

    def probabilities(self, picture: Array) -> Sequence[float]:
        """The probabilities of the five classes, in the order of the model.

        Args:
            picture: 224 x 224 x 3, red, green and blue of 0 to 1.
        """
        values = _relu6(_three_by_three(picture, self._first))
        for block in self._blocks:
            values = _through(block, values)
        features = _relu6(_pointwise(values, self._last)).mean(axis=(0, 1))
        for layer in self._dense[:-1]:
            features = np.maximum(features @ layer.kernel + layer.bias, 0)
        scores = features @ self._dense[-1].kernel + self._dense[-1].bias
        exponentials = np.exp(scores - scores.max())
        return [float(probability) for probability in exponentials / exponentials.sum()]


def _convolution(weights: Mapping[str, Array], name: str, normalization: str, kernel: str = "kernel") -> _Layer:
    scale = weights[f"{normalization}/gamma"] / np.sqrt(weights[f"{normalization}/moving_variance"] + _EPSILON)
    bias = weights[f"{normalization}/beta"] - weights[f"{normalization}/moving_mean"] * scale
    found = weights[f"{name}/{kernel}"]
    # A depthwise kernel has one filter for each channel, and its last axis is the filter.
    folded = found[..., 0] * scale if kernel == "depthwise_kernel" else found * scale
    return _Layer(folded.astype(np.float32), bias.astype(np.float32))


def _block(weights: Mapping[str, Array], number: int) -> _Block:
    name = f"block_{number}" if number else "expanded_conv"
    return _Block(
        _convolution(weights, f"{name}_expand", f"{name}_expand_BN") if number else None,
        _convolution(weights, f"{name}_depthwise", f"{name}_depthwise_BN", "depthwise_kernel"),
        _convolution(weights, f"{name}_project", f"{name}_project_BN"),
        stride=2 if number in _STRIDED_BLOCKS else 1,
    )


def _through(block: _Block, values: Array) -> Array:
    wide = values if block.expand is None else _relu6(_pointwise(values, block.expand))
    deep = _relu6(_depthwise(wide, block.depthwise, block.stride))
    narrow = _pointwise(deep, block.project)
    return values + narrow if values.shape == narrow.shape else narrow


def _pointwise(values: Array, layer: _Layer) -> Array:
    height, width, channels = values.shape
    flat: Array = values.reshape(-1, channels) @ layer.kernel.reshape(channels, -1) + layer.bias
    return flat.reshape(height, width, -1)


def _three_by_three(picture: Array, layer: _Layer) -> Array:
    """The first convolution: stride 2, padded at the right and at the bottom."""
    padded = np.pad(picture, ((0, 1), (0, 1), (0, 0)))
    windows = np.concatenate(list(_shifted(padded, 2)), axis=2)
    height, width, values = windows.shape
    flat: Array = windows.reshape(-1, values) @ layer.kernel.reshape(values, -1) + layer.bias
    return flat.reshape(height, width, -1)


def _depthwise(values: Array, layer: _Layer, stride: int) -> Array:
    before = 1 if stride == 1 else 0
    padded = np.pad(values, ((before, 1), (before, 1), (0, 0)))
    kernels = layer.kernel.reshape(9, -1)
    places = zip(kernels, _shifted(padded, stride), strict=True)
    total: Array = sum((shifted * kernel for kernel, shifted in places), start=layer.bias)
    return total


def _shifted(padded: Array, stride: int) -> Sequence[Array]:
    """What each of the nine places of a kernel sees, row by row."""
    height, width = (padded.shape[0] - 3) // stride + 1, (padded.shape[1] - 3) // stride + 1
    return [
        padded[row : row + stride * height : stride, column : column + stride * width : stride]
        for row in range(3)
        for column in range(3)
    ]


def _relu6(values: Array) -> Array:
    return np.clip(values, 0, 6)
