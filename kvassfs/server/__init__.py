"""Serving a hub over HTTP."""
