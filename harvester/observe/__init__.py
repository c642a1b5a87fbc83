"""Seeing what happens: the log, which tells no secrets, and progress for people."""
