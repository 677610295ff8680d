"""Sharing of single entries by address: addresses, offers, QR codes."""
