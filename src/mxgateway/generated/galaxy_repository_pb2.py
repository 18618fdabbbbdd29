"""`mxgateway_contract.generated.galaxy_repository_pb2` under its public name."""

from mxgateway_contract.generated.galaxy_repository_pb2 import *
