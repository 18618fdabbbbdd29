package mxgateway

import (
	"context"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// StreamAlarms streams the active alarms, a marker that the snapshot is complete, and then each transition. It belongs
// to the gateway and needs no session.
func (c *Client) StreamAlarms(ctx context.Context, request *pb.StreamAlarmsRequest) (*Stream[*pb.AlarmFeedMessage], error) {
	what := call{rpcCall: rpcCall{what: "StreamAlarms", correlationID: request.GetClientCorrelationId()}, method: serviceName + "StreamAlarms"}
	return openStream(ctx, c.c, what, request, func() *pb.AlarmFeedMessage { return &pb.AlarmFeedMessage{} })
}

// QueryActiveAlarms streams the alarms that are active now.
func (c *Client) QueryActiveAlarms(ctx context.Context, request *pb.QueryActiveAlarmsRequest) (*Stream[*pb.ActiveAlarmSnapshot], error) {
	what := call{rpcCall: rpcCall{what: "QueryActiveAlarms", correlationID: request.GetClientCorrelationId()}, method: serviceName + "QueryActiveAlarms"}
	return openStream(ctx, c.c, what, request, func() *pb.ActiveAlarmSnapshot { return &pb.ActiveAlarmSnapshot{} })
}

// AcknowledgeAlarm acknowledges one alarm. What the plant says to it is in the reply, and no error.
func (c *Client) AcknowledgeAlarm(ctx context.Context, request *pb.AcknowledgeAlarmRequest) (*pb.AcknowledgeAlarmReply, error) {
	return checkedCall(ctx, c.c, "AcknowledgeAlarm", request.GetClientCorrelationId(), false, 0, request, &pb.AcknowledgeAlarmReply{})
}

// AcknowledgeAlarms acknowledges many alarms, 1,000 at most, or those that a filter takes together with the number that
// it must match. What the plant says to each is in the reply, and no error.
func (c *Client) AcknowledgeAlarms(ctx context.Context, request *pb.AcknowledgeAlarmsRequest) (*pb.AcknowledgeAlarmsReply, error) {
	return checkedCall(ctx, c.c, "AcknowledgeAlarms", request.GetClientCorrelationId(), false, 0, request, &pb.AcknowledgeAlarmsReply{})
}
