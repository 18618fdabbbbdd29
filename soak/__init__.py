"""Hours of work on COM workers, with an eye on what must not grow: `make soak`."""
