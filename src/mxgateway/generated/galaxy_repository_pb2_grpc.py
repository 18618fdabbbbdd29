"""`mxgateway_contract.generated.galaxy_repository_pb2_grpc` under its public name."""

from mxgateway_contract.generated.galaxy_repository_pb2_grpc import *
