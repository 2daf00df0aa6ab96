"""An ONNX network that gives the same numbers, bit for bit, on every x86-64 processor with AVX2 and FMA.

Integer products are exact everywhere. onnxruntime's element-wise operations, matrix products and ReduceSum round
alike with AVX2 and with AVX-512. Softmax does not: it adds up a row in as many lanes as the processor has. A sum then
differs in its last bit, which now and again rounds an 8-bit number the other way, and by the last layer that has grown
to the size of the quantisation noise. LayerNormalization differs in the same way between releases of onnxruntime. So
both are written out here with ReduceSum, which is not slower.

Processors without FMA (from before 2013, and low-cost ones until about 2020) also round matrix products differently.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

_AXIS = "steady_axis"


def steady(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write out each Softmax and LayerNormalization over the last axis; the result is the same but for rounding.

    Args:
        model: of operator set 13 to 17, quantised or not. It is not changed.
    """
    import onnx
    from onnx import numpy_helper

    steadied = onnx.ModelProto()
    steadied.CopyFrom(model)
    graph = steadied.graph
    constants = {each.name: each for each in graph.initializer}
    takers = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            takers[name].append(node)
    outputs = {output.name for output in graph.output}
    sums: dict[str, str] = {}  # exponentials that are not yet divided by their sums
    nodes: list[onnx.NodeProto] = []

    def add(kind: str, inputs: list[str], output: str) -> str:
        nodes.append(onnx.helper.make_node(kind, inputs, [output], f"{output}/{kind}"))
        return output

    def constant(value: Any, name: str) -> str:
        graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    for node in graph.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        name = node.output[0]
        if attributes.get("axis", -1) != -1:
            nodes.append(node)
        elif node.op_type == "Softmax":
            highest = f"{name}_highest"
            nodes.append(onnx.helper.make_node("ReduceMax", [node.input[0]], [highest], f"{highest}/max", axes=[-1]))
            powers = add("Exp", [add("Sub", [node.input[0], highest], f"{name}_lower")], f"{name}_powers")
            total = add("ReduceSum", [powers, _AXIS], f"{name}_total")
            after = takers[name]
            if len(after) == 1 and after[0].op_type == "MatMul" and after[0].input[0] == name and name not in outputs:
                after[0].input[0] = powers  # it is cheaper to divide the product, which is smaller
                sums[powers] = total
            else:
                add("Div", [powers, total], name)
        elif node.op_type == "MatMul" and node.input[0] in sums:
            product = add("MatMul", list(node.input), f"{name}_undivided")
            add("Div", [product, sums[node.input[0]]], name)
        elif node.op_type == "LayerNormalization" and len(node.output) == 1 and node.input[1] in constants:
            share = constant(np.float32(1 / constants[node.input[1]].dims[-1]), f"{name}_share")
            least = constant(np.float32(attributes.get("epsilon", 1e-5)), f"{name}_least")
            total = add("ReduceSum", [node.input[0], _AXIS], f"{name}_total")
            rest = add("Sub", [node.input[0], add("Mul", [total, share], f"{name}_mean")], f"{name}_rest")
            squares = add("ReduceSum", [add("Mul", [rest, rest], f"{name}_squares"), _AXIS], f"{name}_square")
            variance = add("Add", [add("Mul", [squares, share], f"{name}_mean_square"), least], f"{name}_variance")
            deviation = add("Sqrt", [variance], f"{name}_deviation")
            parts = [add("Div", [rest, deviation], f"{name}_normal"), *node.input[1:]]
            scaled = add("Mul", parts[:2], f"{name}_scaled" if len(parts) == 3 else name)
            if len(parts) == 3:
                add("Add", [scaled, parts[2]], name)
        else:
            nodes.append(node)
    if len(nodes) > len(graph.node):
        constant(np.array([-1]), _AXIS)
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(kept)
    onnx.checker.check_model(steadied)
    return steadied
