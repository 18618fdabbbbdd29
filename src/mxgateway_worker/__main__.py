"""`python -m mxgateway_worker`."""

from __future__ import annotations

import sys

from mxgateway_worker.main import main

if __name__ == "__main__":
    sys.exit(main())
