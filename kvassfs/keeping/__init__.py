"""What a hub needs of the store that it serves, and who keeps it: this program's own store, or PostgreSQL."""
