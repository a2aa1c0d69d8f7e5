"""Misbehaviour on command: what a test asks for (`values`), what is due (`mischief`), what it does (`effects`)."""

from localhub.faults.mischief import Mischief
from localhub.faults.values import (
    LANGUAGE_REFUSED,
    PARENT_REFUSED,
    PARQUET_REFUSED,
    STORAGE_REFUSED,
    Action,
    Endpoint,
    Fault,
    Latency,
    Quota,
    RateLimit,
    RequestQuota,
    Style,
)

__all__ = [
    "LANGUAGE_REFUSED",
    "PARENT_REFUSED",
    "PARQUET_REFUSED",
    "STORAGE_REFUSED",
    "Action",
    "Endpoint",
    "Fault",
    "Latency",
    "Mischief",
    "Quota",
    "RateLimit",
    "RequestQuota",
    "Style",
]
