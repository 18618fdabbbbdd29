"""The same without async."""

from __future__ import annotations

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.sync import (
    BrowseNode,
    ClientOptions,
    DataChange,
    GalaxyRepositoryClient,
    GatewayClient,
    MxGatewayError,
    Session,
    SubscriptionState,
    from_mx_value,
)


def values(session: Session, tags: list[str]) -> list[object]:
    server: int = session.register("script")
    results: list[pb.BulkReadResult] = session.read_bulk(server, tags)
    return [from_mx_value(result.value) for result in results]


def follow(session: Session, tags: list[str]) -> list[DataChange]:
    with session.subscribe(tags) as changes:
        for state in changes.states():
            if state is SubscriptionState.CONNECTED:
                break
        return [change for _, change in zip(range(3), changes, strict=False)]


def events(session: Session) -> list[int]:
    with session.stream_events() as stream:
        first: pb.MxEvent = next(stream)
        return [first.item_handle, *(event.item_handle for batch in stream.batches() for event in batch)]


def names(nodes: list[BrowseNode]) -> list[str]:
    return [child.name for node in nodes for child in node.expand()]


def main(key: str) -> None:
    options = ClientOptions(endpoint="localhost:5001", api_key=key, ca_file="gateway-ca.pem")
    try:
        with GatewayClient.connect(options) as client, client.open_session(client_session_name="script") as session:
            print(values(session, ["Object.Attribute"]), follow(session, ["Object.Attribute"]), events(session))
            session.write_and_confirm("Object.Attribute", 1)
        with GalaxyRepositoryClient.connect(options) as galaxy:
            print(names(galaxy.browse()), [each.tag_name for each in galaxy.iter_hierarchy()])
    except MxGatewayError as error:
        print(error, error.retryable)


if __name__ == "__main__":
    main("<key>")
