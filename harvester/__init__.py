"""Harvester: rosters from many tenants' APIs into a data lake, with a proof of what is complete.

From a program: `await harvest(load(Path("nightly.toml")))`, of `harvester.harvest` and
`harvester.config.load`, is one run and returns its manifest. Nothing is imported here, so that `--help`
need not wait for it.
"""

__version__ = "0.1.0"
