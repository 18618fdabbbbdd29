"""Run time, pure Python: the plant that all sessions share, read from a Galaxy database, a clock and the board."""
