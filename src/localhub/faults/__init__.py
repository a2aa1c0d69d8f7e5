"""Misbehaviour on command: what a test asks for (`values`), what is due (`mischief`), what it does (`effects`)."""

from localhub.faults.mischief import Mischief
from localhub.faults.values import Action, Endpoint, Fault, Latency, Quota

__all__ = ["Action", "Endpoint", "Fault", "Latency", "Mischief", "Quota"]
