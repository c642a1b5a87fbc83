"""The arithmetic of politeness: how fast, who next, how much is left, and when to leave a server alone."""
