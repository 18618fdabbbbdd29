"""`python -m mxgateway_server`: the same as `mxgateway`."""

from mxgateway_server.cli.main import main

if __name__ == "__main__":
    main()
