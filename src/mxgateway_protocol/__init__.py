"""What both ends of the worker's pipe share: frames, envelopes, values, statuses, quality, clocks.

Imports the generated contract, protobuf and the standard library, nothing else: the worker runs on 32-bit Python too.
"""
