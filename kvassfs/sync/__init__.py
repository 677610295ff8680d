"""Keeping a store in step with its hub: pull what others wrote, push what was written here."""

from .hub_client import Progress, Remote
from .synchroniser import Probe, Synchroniser

__all__ = ["Probe", "Progress", "Remote", "Synchroniser"]
