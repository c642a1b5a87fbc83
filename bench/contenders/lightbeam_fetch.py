"""Ed-Fi's lightbeam: `lightbeam fetch` from an ODS of the same records, its settings as they come.

lightbeam_fetch.py URL ROWS FOLDER: becomes the program itself, once its configuration is written.
"""

import os
import sys
from pathlib import Path

CONFIGURATION = """
data_dir: {folder}
edfi_api:
  base_url: {root}/
  mode: shared_instance
  version: 3
  client_id: bench
  client_secret: bench
connection:
  verify_ssl: true
fetch:
  page_size: 100
log_level: ERROR
"""


def main(url: str, folder: str) -> None:
    root = url.partition("/ims/")[0]
    configuration = Path(folder) / "lightbeam.yaml"
    configuration.write_text(CONFIGURATION.format(folder=folder, root=root))
    program = Path(sys.executable).parent / "lightbeam"
    os.execv(program, [str(program), "fetch", "-s", "students", "-c", str(configuration)])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3])
