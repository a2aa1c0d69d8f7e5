"""Xet: a store that keeps content in chunks (huggingface.co/docs/xet), below /_xet/ of this same server.

writing, reading ──► access ──► store ──► xorbs, shards (the formats)
"""
