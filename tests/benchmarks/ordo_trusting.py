"""`ordo` as it is installed, which trusts the certificates of a folder: `python -m tests.benchmarks.ordo_trusting F buy …`.

Its own start is what `python -m ordo_cli` does, and the folder is looked up as the system's is.
"""

from __future__ import annotations

import ssl
import sys

if __name__ == "__main__":
    folder = sys.argv.pop(1)
    paths = ssl.get_default_verify_paths()._replace(openssl_capath=folder)
    ssl.get_default_verify_paths = lambda: paths
    from ordo_cli.__main__ import main

    main()
