"""`python -m mxgateway_cli`."""

from mxgateway_cli.main import main

if __name__ == "__main__":
    main()
