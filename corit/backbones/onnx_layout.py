"""CLIP image towers in ONNX files, float or int8: the graph is read and never run.

The names are those that Hugging Face's exporter writes. Biases, norms and embeddings keep their names there; the
matrices lose theirs. The bias that the graph adds to a product names the matrix of that product. Int8 weights are those
of onnxruntime's quantiser: NAME_quantized, NAME_scale and NAME_zero_point, with W = (q - zero point) * scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.errors import WeightsError

QUANTIZED, SCALE, ZERO_POINT = "_quantized", "_scale", "_zero_point"
PRODUCTS = ("MatMul", "MatMulInteger", "Gemm")
RESCALING = ("Cast", "Mul")  # what stands between the product of integers and its bias
PROJECTION = "visual_projection"


def read_onnx(path: Path) -> dict[str, Tensor]:
    """Read the float32 weights of a CLIP tower out of an ONNX file, int8 weights dequantised.

    Args:
        path: of a regular file; weights in a second file beside it are read too.

    Returns:
        Tensors by Hugging Face's names; matrices are (out, in).

    Raises:
        WeightsError: when the file is damaged, or no image tower of CLIP as Hugging Face exports it.
    """
    graph = _load(path).graph
    arrays = _arrays(graph)
    values = {_plain(name): _dequantised(name, arrays) for name in arrays if _is_weight(name, arrays)}
    state = {name: value for name, value in values.items() if not name.startswith("onnx::")}
    products = _products(graph, values)
    for source, _, _ in products:
        state.pop(source, None)
    state |= {name: values[source].T if transposed else values[source] for source, name, transposed in products}
    if not any(name.endswith("embeddings.class_embedding") for name in state):
        raise WeightsError(
            f"expected an image tower of CLIP in {path}, as Hugging Face's exporter writes it, but no class embedding "
            f"is among its {len(arrays)} arrays; use a safetensors file of the model"
        )
    return {name: torch.from_numpy(np.array(value, np.float32, order="C")) for name, value in state.items()}


def _load(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path)
    except (OSError, DecodeError, onnx.checker.ValidationError) as err:
        reason = (str(err).splitlines() or [type(err).__name__])[0][:160]
        raise WeightsError(f"{path} is not a whole ONNX file: {reason}; download it again") from err


def _arrays(graph: Any) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _plain(name: str) -> str:
    return name.removesuffix(QUANTIZED)


def _is_weight(name: str, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether an array is a weight itself: neither an index nor the scale or zero point of another one."""
    for suffix in (SCALE, ZERO_POINT):
        if name.endswith(suffix) and name.removesuffix(suffix) + QUANTIZED in arrays:
            return False
    return name.endswith(QUANTIZED) or arrays[name].dtype.kind not in "iub"


def _dequantised(name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    value = arrays[name]
    if not name.endswith(QUANTIZED):
        return value
    plain = _plain(name)
    if plain + SCALE not in arrays:
        raise WeightsError(f"expected {plain}{SCALE} beside {name}; only onnxruntime's quantisation to int8 is read")
    scale = arrays[plain + SCALE].astype(np.float32)
    zero = arrays.get(plain + ZERO_POINT, np.zeros((), value.dtype)).astype(np.float32)
    channels = (-1,) + (1,) * (value.ndim - 1) if value.ndim > 2 else (-1,)  # of a convolution the first, else the last
    return (value.astype(np.float32) - zero.reshape(channels)) * scale.reshape(channels)


def _products(graph: Any, values: Mapping[str, np.ndarray]) -> list[tuple[str, str, bool]]:
    """Each matrix that the graph multiplies by: its name there, its own name, and whether it is stored (in, out)."""
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    products = []
    for node in graph.node:
        source = next((_plain(n) for n in node.input[:2] if _plain(n) in values), "")
        if node.op_type in PRODUCTS and source and (name := _name(node, users)):
            products.append((source, name, not any(a.name == "transB" and a.i for a in node.attribute)))
    return products


def _name(node: Any, users: Mapping[str, list[Any]]) -> str:
    bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else _bias_behind(node, users)
    if bias.endswith(".bias"):
        return bias.removesuffix("bias") + "weight"
    return f"{PROJECTION}.weight" if PROJECTION in node.name else ""


def _bias_behind(node: Any, users: Mapping[str, list[Any]]) -> str:
    """The name of the bias that is added to a product, past the nodes that scale it; empty for none."""
    for user in users.get(node.output[0], ()):
        if user.op_type == "Add":
            return next((n for n in user.input if n.endswith(".bias")), "")
        if user.op_type in RESCALING and (bias := _bias_behind(user, users)):
            return bias
    return ""
