"""What commands do with values as Unix tools do with files: search, edit, watch, hand to programs."""
