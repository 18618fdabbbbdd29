"""`mxgateway` whose dashboard samples as often a second as a variable says: an hour of open pages within minutes."""

from __future__ import annotations

import os

from mxgateway_server.cli.main import main
from mxgateway_server.dashboard import component

SAMPLES = "BENCH_SAMPLES_A_SECOND"

if __name__ == "__main__":
    component.SAMPLE_SECONDS = 1 / float(os.environ[SAMPLES])
    main()
