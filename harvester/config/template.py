"""What `harvester init` writes: every key that most people need, explained where it stands."""

from __future__ import annotations

TEMPLATE = """\
# A configuration of the roster harvester. All keys: docs/configuration.md
# Try it: harvester check FILE, then harvester plan FILE, then harvester run FILE.

[run]
name = "nightly"
# max_duration = "6h"           # stop in order after this long (exit 8); --resume goes on
# full_every = "7d"             # `run --incremental` takes a full pull by itself so often

[sink]
url = "./lake"                  # a directory, or "-" for NDJSON on stdout
compression = "gzip"            # gzip (every lake reads it) | zstd | none
part_size = "256MiB"            # uncompressed
require = "probable"            # the weakest certificate that is published

[state]
path = "./state"                # journals, logs, token cache, quota ledger; keep it between runs

# [guards]                      # a roster that shrank too much is held (exit 10) until `harvester release`
# vanished_share = 0.05
# [guards.resources.enrollments]
# vanished_share = 0.2          # the summer

# ── Applications: our credentials with a provider, and the limits granted to them ──────────────────────
# Secrets are references: env:NAME | file:/path | cmd:program args | keyring:service/name

[applications.sis]
provider = "oneroster-v1p2"     # or oneroster-v1p1, flyt-oneroster, flyt-skole, classlink-proxy,
                                # classlink-direct, automatic-rostering
token_url = "https://sis.example.org/oauth/token"
base_url = "https://sis.example.org"
client_id = "env:SIS_CLIENT_ID"
client_secret = "env:SIS_CLIENT_SECRET"
# token_auth = "client_secret_post"   # where the server does not take client_secret_basic
# scope = "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly"

[applications.sis.limits]       # all optional
rate = "20/s"                   # n/s, n/min or n/h
concurrency = 8                 # requests at once
# daily_requests = 200000       # never exceeded; alerts at 50, 80 and 95 %
# page_size = 100

# [applications.flyt]
# provider = "flyt-oneroster"
# environment = "production"    # test | stage | production
# client_id = "env:FLYT_CLIENT_ID"
# client_secret = "env:FLYT_CLIENT_SECRET"

# ── Tenants: one customer each. Thousands of them: [tenants_from] path = "tenants.csv" ─────────────────

[[tenants]]
id = "example-district"         # a-z, 0-9, dot, dash, underscore
application = "sis"
# resources = ["orgs", "users"] # default: orgs, academicSessions, courses, classes, users, enrollments

# [[tenants]]
# id = "bergen"
# application = "flyt"
# tenant_id = "00000000-0000-0000-0000-000000000000"
"""
