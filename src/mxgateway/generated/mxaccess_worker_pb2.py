"""`mxgateway_contract.generated.mxaccess_worker_pb2` under its public name."""

from mxgateway_contract.generated.mxaccess_worker_pb2 import *
