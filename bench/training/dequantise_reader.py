"""Turn the shipped int8 reader back into a float network, from which training can go on.

    python -m bench.training.dequantise_reader FOLDER [NETWORK.onnx]

The float weights are not in the repository. What int8 rounded stays rounded.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from qa import reader


def dequantise(source: Path, folder: Path) -> None:
    """Write the network of an ONNX file in transformers' format."""
    import onnx
    import torch
    from onnx import numpy_helper
    from transformers import BertForQuestionAnswering

    from index.encoding.sentence_transformer import packaged_model

    graph = onnx.load(source).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    network = BertForQuestionAnswering.from_pretrained(str(packaged_model()))
    weights = network.state_dict()
    missing = {name for name in weights if ".embeddings." not in name}  # training leaves the embeddings as they are
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            matrix = _floats(node.input[1].removesuffix("_quantized"), values)
            # Channels that were divided on the way in had their weights multiplied.
            entering = makers.get(makers[node.input[0]].input[0])
            if entering is not None and entering.op_type == "Mul" and np.ndim(values.get(entering.input[1], 0)) == 1:
                matrix = matrix * values[entering.input[1]][:, None]
            path = node.name.strip("/").removesuffix("_quant").removesuffix("/MatMul").split("/")
            name = ".".join(part for part in path if part != "linear").removeprefix("network.") + ".weight"
            weights[name] = torch.tensor(np.ascontiguousarray(matrix.T))
            missing.remove(name)
    for name, value in values.items():
        own = name.removeprefix("network.").replace(".linear.", ".")
        if own in missing:
            weights[own] = torch.tensor(value)
            missing.remove(own)
    if missing:
        raise ValueError(f"{source} lacks {sorted(missing)}")
    network.load_state_dict(weights)
    network.save_pretrained(folder)


def _floats(name: str, values: dict[str, Any]) -> Any:
    """A quantised matrix as float32."""
    steps = values[f"{name}_quantized"].astype(np.float32) - values[f"{name}_zero_point"].astype(np.float32)
    return steps * values[f"{name}_scale"]


if __name__ == "__main__":
    source = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(reader.__file__).with_name(reader.NETWORK)
    dequantise(source, Path(sys.argv[1]))
