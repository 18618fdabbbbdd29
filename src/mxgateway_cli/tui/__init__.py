"""`mxgw-py tui`: browse, watch and write in a terminal. Needs the extra `tui` (textual)."""
