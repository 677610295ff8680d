"""The doctor: whether all that the program needs is there and sound, and what to do where it is not."""
