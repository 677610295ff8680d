"""The mount: keys shown as files."""
