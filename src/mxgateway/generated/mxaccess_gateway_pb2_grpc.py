"""`mxgateway_contract.generated.mxaccess_gateway_pb2_grpc` under its public name."""

from mxgateway_contract.generated.mxaccess_gateway_pb2_grpc import *
