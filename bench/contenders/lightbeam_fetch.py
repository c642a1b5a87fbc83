"""Ed-Fi's lightbeam, `fetch` with its defaults; the origin passes for an Ed-Fi API. URL ROWS OUT"""

import sys
from pathlib import Path

from lightbeam.__main__ import main

url, out = sys.argv[1], Path(sys.argv[3])
config = out / "lightbeam.yaml"
config.write_text(f"""
data_dir: {out}
edfi_api:
  base_url: {url}
  oauth_url: {url.rpartition("/")[0].rpartition("/")[0]}/token
  dependencies_url: {url}/dependencies
  open_api_metadata_url: {url}/metadata
  version: 3
  mode: shared_instance
  client_id: bench
  client_secret: bench
connection:
  verify_ssl: false
log_level: ERROR
""")
sys.argv = ["lightbeam", "fetch", "-c", str(config)]
main()
