"""Limit/offset paging as arithmetic: which windows to ask for, how pages join, what that proves. No I/O."""
