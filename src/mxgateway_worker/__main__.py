"""`python -m mxgateway_worker`."""

from __future__ import annotations

import sys

from mxgateway_worker import quick_start

if __name__ == "__main__":
    quick_start.prepare()
    from mxgateway_worker.main import main

    sys.exit(main())
