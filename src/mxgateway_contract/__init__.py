"""The ground floor: what every part of the house, client, gateway and worker, knows of the contract.

Protobuf and the standard library only; it imports nothing else of this project.
"""
