"""`mxgateway_contract.generated.mxaccess_gateway_pb2` under its public name."""

from mxgateway_contract.generated.mxaccess_gateway_pb2 import *
