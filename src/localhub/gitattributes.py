"""Which files go to LFS storage, and the `.gitattributes` that says so in a new repo."""

from fnmatch import fnmatchcase

LFS_PATTERNS = (
    *(f"*.{ending}" for ending in "7z arrow avro bin bz2 ckpt ftz gz h5 joblib lance lz4 mds mlmodel model".split()),
    *(f"*.{ending}" for ending in "msgpack npy npz onnx orc ot parquet pb pickle pkl pt pth rar safetensors".split()),
    *(f"*.{ending}" for ending in "tar tflite tgz wasm xz zip zst".split()),
    *(f"*.{ending}" for ending in "aac flac mp3 ogg wav bmp gif jpeg jpg png tiff webp mp4 webm".split()),
)
"""Like the first commit of a dataset repo on the Hub: archives, tables, models, sound, pictures, films."""
DEFAULT_CONTENT = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS).encode()
LARGEST_REGULAR_BYTES = 10 << 20
"""Larger files must be LFS (huggingface.co/docs/hub/repositories-getting-started)."""

_LFS_ENDINGS = frozenset(pattern.removeprefix("*.") for pattern in LFS_PATTERNS)


def is_lfs(path: str, size: int, sample: bytes) -> bool:
    """Whether a file goes to LFS: by its ending, its size, or a first part that is no text."""
    ending = path.rpartition(".")[2].lower()
    return size > LARGEST_REGULAR_BYTES or ending in _LFS_ENDINGS or is_binary(sample)


def is_binary(sample: bytes) -> bool:
    """Whether the first bytes of a file are no UTF-8 text; a character cut in two at the end is none's fault."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def is_ignored(path: str, gitignore: str) -> bool:
    """Whether simple patterns of a `.gitignore` (names, paths, folders, wildcards; no negation) match `path`."""
    patterns = [line.strip() for line in gitignore.splitlines() if line.strip() and not line.startswith(("#", "!"))]
    segments = path.split("/")
    for pattern in (pattern.strip("/") for pattern in patterns):
        if "/" in pattern and (fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*")):
            return True
        if "/" not in pattern and any(fnmatchcase(segment, pattern) for segment in segments):
            return True
    return False
