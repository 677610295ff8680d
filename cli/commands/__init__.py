"""The commands of ``kvass``, one module each: options in, one call, text out."""
