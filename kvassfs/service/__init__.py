"""Services of systemd: their units, and having them installed, looked at and removed."""
