"""Sharing of single entries by address: links, what is offered at an address, QR codes."""
