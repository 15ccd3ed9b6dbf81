"""`f16_gguf.py IN OUT`: a GGUF file with its quantised matrices written out in half precision, all else the same."""

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, Keys, LlamaFileType
from gguf.quants import dequantize

WRITTEN_BY_WRITER = {Keys.General.ARCHITECTURE, Keys.General.FILE_TYPE}


def main(source: Path, out: Path) -> None:
    """Reads `source` and writes `out`."""
    reader = GGUFReader(source)
    architecture = reader.fields[Keys.General.ARCHITECTURE].contents()
    partial = out.with_suffix(".partial")
    writer = GGUFWriter(partial, architecture)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    for field in reader.fields.values():
        if field.name in WRITTEN_BY_WRITER or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        writer.add_key_value(
            field.name, field.contents(), kind, sub_type=field.types[-1] if kind == GGUFValueType.ARRAY else None
        )
    for tensor in reader.tensors:
        plain = tensor.tensor_type in (GGMLQuantizationType.F32, GGMLQuantizationType.F16)
        data = tensor.data if plain else dequantize(tensor.data, tensor.tensor_type).astype(np.float16)
        writer.add_tensor(tensor.name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.rename(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
