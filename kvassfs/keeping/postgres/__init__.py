"""A keeper of many stores in one PostgreSQL database. The only SQL of the program beside ``kvassfs/store``."""
