"""The command ``kvass``: one module per command, imported when it is asked for."""
