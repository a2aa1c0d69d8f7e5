"""A Hugging Face Hub on localhost, for the demo, the tests and the benchmarks.

It answers the requests that the unmodified clients of huggingface_hub 0.36 send for dataset repos, and those of the
readers in requirements/readers.txt, which use 2.x; takes in large files by LFS or, with --xet, by Xet; keeps content
by sha256 and every revision of every tree on disk; and misbehaves on command. It binds 127.0.0.1 only and its tokens
are no secrets. `python -m localhub --root FOLDER` runs it; `localhub.testing.running_hub(FOLDER)` does in a test.

    server ──► app ──► routes ──► api/, xet/ ──► hub ──► repos/ (commits, content by sha256, cards), xet/store
                 └───► faults/ (what misbehaves, and its control)

Wherever a module says "as the Hub", the source is huggingface_hub 0.36.2 (what its clients send, read and react to),
the public documents at huggingface.co/docs/hub and …/docs/xet, or error texts quoted in the named issue threads.
"""

DEFAULT_USER = "permutans"
WRITE_TOKEN = "hf_localhub_write"  # noqa: S105
READ_TOKEN = "hf_localhub_read"  # noqa: S105
