"""The matrix: every client's CLI against a real gateway, its output compared field by field; see matrix.py."""
