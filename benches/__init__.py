"""Speed of the product beside the bare mechanism, measured in one run. `make bench`, or `python -m benches --help`."""
