"""Proving who we are: tokens that are renewed in time, static bearers, OAuth 1.0a signatures."""
