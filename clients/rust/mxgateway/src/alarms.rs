//! Alarms of the gateway, which need no session.

use std::sync::Arc;

use crate::connection::{Call, Connection};
use crate::error::Result;
use crate::pb;
use crate::rpc_errors::Called;
use crate::stream::MessageStream;

/// The alarms that are active, and then each transition.
pub type AlarmFeed = MessageStream<pb::AlarmFeedMessage>;

pub(crate) async fn stream(connection: &Arc<Connection>, request: pb::StreamAlarmsRequest) -> Result<AlarmFeed> {
    let called = Called::new("StreamAlarms", &request.client_correlation_id);
    MessageStream::open(connection, called, "/mxaccess_gateway.v1.MxAccessGateway/StreamAlarms", request, None).await
}

pub(crate) async fn query(
    connection: &Arc<Connection>,
    request: pb::QueryActiveAlarmsRequest,
) -> Result<MessageStream<pb::ActiveAlarmSnapshot>> {
    let called = Called::new("QueryActiveAlarms", &request.client_correlation_id);
    MessageStream::open(connection, called, "/mxaccess_gateway.v1.MxAccessGateway/QueryActiveAlarms", request, None)
        .await
}

pub(crate) async fn acknowledge(
    connection: &Connection,
    request: pb::AcknowledgeAlarmRequest,
) -> Result<pb::AcknowledgeAlarmReply> {
    let called = Called::new("AcknowledgeAlarm", &request.client_correlation_id);
    let path = "/mxaccess_gateway.v1.MxAccessGateway/AcknowledgeAlarm";
    connection.checked(Call { called, path, timeout: None, is_idempotent: false }, request).await
}

pub(crate) async fn acknowledge_many(
    connection: &Connection,
    request: pb::AcknowledgeAlarmsRequest,
) -> Result<pb::AcknowledgeAlarmsReply> {
    let called = Called::new("AcknowledgeAlarms", &request.client_correlation_id);
    let path = "/mxaccess_gateway.v1.MxAccessGateway/AcknowledgeAlarms";
    connection.checked(Call { called, path, timeout: None, is_idempotent: false }, request).await
}
