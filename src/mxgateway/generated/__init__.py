"""The public name of the code generated from `protos/`; written by `make protos`."""
