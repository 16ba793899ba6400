"""Write CLIP image towers as ONNX files, in the layouts that exporters and quantisers leave behind."""

from __future__ import annotations

import numpy as np

MATRICES = ("_proj.weight", "fc1.weight", "fc2.weight", "visual_projection.weight")


def quantise(weight, axis, kind=np.int8):
    """Whole numbers, scale and zero point of an array; axis None for one scale over all of it."""
    axes = None if axis is None else tuple(a for a in range(weight.ndim) if a != axis)
    low, high = np.minimum(weight.min(axes), 0), np.maximum(weight.max(axes), 0)
    limits = np.iinfo(kind)
    scale = ((high - low) / (limits.max - limits.min)).astype(np.float32)
    zero = np.round(limits.min - low / scale)
    shape = [-1 if a == axis else 1 for a in range(weight.ndim)]
    q = np.round(weight / scale.reshape(shape)) + zero.reshape(shape)
    return np.clip(q, limits.min, limits.max).astype(kind), scale, zero.astype(kind)


def write_tower(path, state, style):
    """Write Hugging Face's state of a tower as ONNX.

    style: "float" and "int8" with anonymous matrices (in, out), "uint8" with one scale for each array, the patch
    embedding and positions too, "gemm" with matrices (out, in) and the bias as the third input.
    """
    from onnx import TensorProto, helper, numpy_helper, save

    arrays, nodes = {}, []

    def keep(name, value):
        arrays[name] = value

    for count, (name, tensor) in enumerate(state.items()):
        value = tensor.detach().numpy()
        bias = name.removesuffix("weight") + "bias"
        stem = "/" + name.removesuffix(".weight").replace(".", "/")
        anonymous = f"onnx::MatMul_{1000 + count}"
        if not name.endswith(MATRICES):
            if style == "uint8" and name.endswith(("patch_embedding.weight", "position_embedding.weight")):
                for suffix, part in zip(
                    ("_quantized", "_scale", "_zero_point"), quantise(value, None, np.uint8), strict=True
                ):
                    keep(name + suffix, part)
            else:
                keep(name, value)
            continue
        out = f"{stem}/out"
        if style == "gemm":
            keep(anonymous, value)
            inputs = [f"{stem}/in", anonymous, *([bias] if bias in state else [])]
            nodes.append(helper.make_node("Gemm", inputs, [out], name=f"{stem}/Gemm", transB=1))
            continue
        if style == "float":
            keep(anonymous, np.ascontiguousarray(value.T))
            nodes.append(helper.make_node("MatMul", [f"{stem}/in", anonymous], [out], name=f"{stem}/MatMul"))
        else:
            axis, kind = (1, np.int8) if style == "int8" else (None, np.uint8)
            for suffix, part in zip(
                ("_quantized", "_scale", "_zero_point"), quantise(value.T, axis, kind), strict=True
            ):
                keep(anonymous + suffix, part)
            inputs = [f"{stem}/in_quantized", f"{anonymous}_quantized", f"{stem}/in_zero", f"{anonymous}_zero_point"]
            nodes += [
                helper.make_node("Mul", [f"{stem}/in_scale", f"{anonymous}_scale"], [f"{stem}/scales"]),
                helper.make_node("MatMulInteger", inputs, [f"{stem}/integer"], name=f"{stem}/MatMul_quant"),
                helper.make_node("Cast", [f"{stem}/integer"], [f"{stem}/cast"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{stem}/cast", f"{stem}/scales"], [out]),
            ]
        if bias in state:
            nodes.append(helper.make_node("Add", [bias, out], [f"{stem}/sum"]))
    keep("onnx::Gather_7", np.arange(3))  # an index, no weight
    initialisers = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
    graph = helper.make_graph(nodes, "tower", [], [], initialisers)
    save(helper.make_model(graph), path)
    return arrays


def dequantised(path):
    """An independent reading of int8 matrices: {bias name, or "": (out, in)}, found from the biases backwards."""
    import onnx

    graph = onnx.load(path).graph
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    matrices = {}
    for scaled in (n for n in graph.node if n.op_type == "Mul" and made_by.get(n.input[0], n).op_type == "Cast"):
        integer, scales = made_by[made_by[scaled.input[0]].input[0]], made_by[scaled.input[1]]
        q, zero, scale = (arrays[n] for n in (integer.input[1], integer.input[3], scales.input[1]))
        rows = (
            [[(int(v) - int(z)) * s for v, z, s in zip(row, zero, scale, strict=True)] for row in q]
            if q.size < 5000
            else None
        )
        value = np.array(rows) if rows else (q.astype(np.float64) - zero.astype(np.float64)) * scale.astype(np.float64)
        adds = [n for n in graph.node if n.op_type == "Add" and scaled.output[0] in n.input]
        biases = [n for add in adds for n in add.input if n != scaled.output[0]]
        matrices[biases[0] if biases else ""] = value.T
    return matrices
