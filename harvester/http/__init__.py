"""The HTTP edge: what talks, what bounds it, what is tried again, and how a body becomes records."""
