"""A GGUF file with its matrices in another number format."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from meritorder.files import replacing

_FILE_TYPES = {"F16": 1, "Q4_0": 2}  # values of `general.file_type`
_OURS = ("GGUF.", "general.file_type", "general.architecture")  # fields that are not copied but written anew


def convert(
    source: Path,
    target: Path,
    to: str,
    keep: Sequence[str] = (),
    advance: Callable[[float], None] = lambda share: None,
) -> None:
    """Write `source` to `target` with every matrix as `to` ("F16" or "Q4_0"), but for those named in `keep`.

    Vectors (norms) stay as they are. `target` appears when it is whole. `advance` gets the share that is done, 0 ... 1.
    """
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
    from gguf.quants import dequantize, quant_shape_to_byte_shape, quantize

    reader: Any = GGUFReader(str(source))
    wanted = GGMLQuantizationType[to]
    kept = {tensor.name for tensor in reader.tensors if len(tensor.shape) == 1} | set(keep)
    kinds = [tensor.tensor_type if tensor.name in kept else wanted for tensor in reader.tensors]
    whole = sum(int(tensor.n_elements) for tensor in reader.tensors)
    done = 0
    with replacing(target) as partial:
        writer: Any = GGUFWriter(str(partial), arch=reader.fields["general.architecture"].contents())
        writer.add_file_type(_FILE_TYPES[to])
        for name, field in reader.fields.items():
            if not name.startswith(_OURS):
                inner = field.types[-1] if len(field.types) > 1 else None
                writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
        for tensor, kind in zip(reader.tensors, kinds, strict=True):
            shape = [int(size) for size in reversed(tensor.shape)]  # GGUF names the innermost first
            size = math.prod(quant_shape_to_byte_shape(shape, kind))
            writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor, kind in zip(reader.tensors, kinds, strict=True):  # one matrix in memory at a time
            same = tensor.tensor_type == kind
            writer.write_tensor_data(
                tensor.data if same else quantize(dequantize(tensor.data, tensor.tensor_type), kind)
            )
            done += int(tensor.n_elements)
            advance(done / whole)
        writer.close()
