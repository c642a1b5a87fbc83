"""Harvester: rosters from many tenants' APIs into a data lake, with a proof of what is complete."""

__version__ = "0.1.0"
