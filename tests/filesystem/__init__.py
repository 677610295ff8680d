"""One suite of file-system tests, run on a plain directory, in process, and through a real mount."""
