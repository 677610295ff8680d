"""Pairing: a device that joins gets key, hub and settings from another, through a mailbox at the hub that learns nothing."""
