"""Which files go to LFS storage, and the `.gitattributes` that says so in a new repo."""

LFS_ENDINGS = """
    7z arrow avro bin bz2 ckpt ftz gz h5 joblib lance lz4 mds mlmodel model msgpack npy npz onnx orc ot parquet pb
    pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst aac flac mp3 ogg wav bmp gif jpeg jpg png tiff webp
    mp4 webm
""".split()
"""Like the first commit of a dataset repo on the Hub."""
DEFAULT_CONTENT = "".join(f"*.{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in LFS_ENDINGS).encode()
LARGEST_REGULAR_BYTES = 10 << 20
"""Larger files must be LFS (huggingface.co/docs/hub/repositories-getting-started)."""


def is_lfs(path: str, size: int, sample: bytes) -> bool:
    """Whether a file goes to LFS: by its ending, its size, or a first part that is not text."""
    ending = path.rpartition(".")[2].lower()
    return size > LARGEST_REGULAR_BYTES or ending in LFS_ENDINGS or _is_binary(sample)


def _is_binary(sample: bytes) -> bool:
    try:
        return "\0" in sample.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"  # the sample may end in the middle of a character
