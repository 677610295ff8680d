"""What comes into the store and leaves it other than key by key: import, export and backup."""
