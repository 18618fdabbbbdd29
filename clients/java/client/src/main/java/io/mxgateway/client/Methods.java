package io.mxgateway.client;

import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import io.mxgateway.proto.AcknowledgeAlarmReply;
import io.mxgateway.proto.AcknowledgeAlarmRequest;
import io.mxgateway.proto.AcknowledgeAlarmsReply;
import io.mxgateway.proto.AcknowledgeAlarmsRequest;
import io.mxgateway.proto.ActiveAlarmSnapshot;
import io.mxgateway.proto.AlarmFeedMessage;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.ListSessionsReply;
import io.mxgateway.proto.ListSessionsRequest;
import io.mxgateway.proto.MxAccessGatewayProto;
import io.mxgateway.proto.MxCommandBatch;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandReplyBatch;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventBatch;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.OpenSessionRequest;
import io.mxgateway.proto.QueryActiveAlarmsRequest;
import io.mxgateway.proto.StreamAlarmsRequest;
import io.mxgateway.proto.StreamEventsRequest;
import io.mxgateway.proto.galaxy.BrowseChildrenReply;
import io.mxgateway.proto.galaxy.BrowseChildrenRequest;
import io.mxgateway.proto.galaxy.DeployEvent;
import io.mxgateway.proto.galaxy.DiscoverHierarchyReply;
import io.mxgateway.proto.galaxy.DiscoverHierarchyRequest;
import io.mxgateway.proto.galaxy.GalaxyRepositoryProto;
import io.mxgateway.proto.galaxy.GetLastDeployTimeReply;
import io.mxgateway.proto.galaxy.GetLastDeployTimeRequest;
import io.mxgateway.proto.galaxy.TestConnectionReply;
import io.mxgateway.proto.galaxy.TestConnectionRequest;
import io.mxgateway.proto.galaxy.WatchDeployEventsRequest;

/** The calls of both services, for gRPC's call API: of the contract's own descriptors. */
public final class Methods {
  private static final ServiceDescriptor GATEWAY =
      MxAccessGatewayProto.getDescriptor().findServiceByName("MxAccessGateway");
  private static final ServiceDescriptor GALAXY =
      GalaxyRepositoryProto.getDescriptor().findServiceByName("GalaxyRepository");

  /** OpenSession. */
  public static final io.grpc.MethodDescriptor<OpenSessionRequest, OpenSessionReply> OPEN_SESSION =
      of(
          GATEWAY,
          "OpenSession",
          OpenSessionRequest.getDefaultInstance(),
          OpenSessionReply.getDefaultInstance());

  /** CloseSession. */
  public static final io.grpc.MethodDescriptor<CloseSessionRequest, CloseSessionReply>
      CLOSE_SESSION =
          of(
              GATEWAY,
              "CloseSession",
              CloseSessionRequest.getDefaultInstance(),
              CloseSessionReply.getDefaultInstance());

  /** Invoke. */
  public static final io.grpc.MethodDescriptor<MxCommandRequest, MxCommandReply> INVOKE =
      of(
          GATEWAY,
          "Invoke",
          MxCommandRequest.getDefaultInstance(),
          MxCommandReply.getDefaultInstance());

  /** InvokeStream. */
  public static final io.grpc.MethodDescriptor<MxCommandBatch, MxCommandReplyBatch> INVOKE_STREAM =
      of(
          GATEWAY,
          "InvokeStream",
          MxCommandBatch.getDefaultInstance(),
          MxCommandReplyBatch.getDefaultInstance());

  /** StreamEvents. */
  public static final io.grpc.MethodDescriptor<StreamEventsRequest, MxEvent> STREAM_EVENTS =
      of(
          GATEWAY,
          "StreamEvents",
          StreamEventsRequest.getDefaultInstance(),
          MxEvent.getDefaultInstance());

  /** StreamEventBatches. */
  public static final io.grpc.MethodDescriptor<StreamEventsRequest, MxEventBatch>
      STREAM_EVENT_BATCHES =
          of(
              GATEWAY,
              "StreamEventBatches",
              StreamEventsRequest.getDefaultInstance(),
              MxEventBatch.getDefaultInstance());

  /** ListSessions. */
  public static final io.grpc.MethodDescriptor<ListSessionsRequest, ListSessionsReply>
      LIST_SESSIONS =
          of(
              GATEWAY,
              "ListSessions",
              ListSessionsRequest.getDefaultInstance(),
              ListSessionsReply.getDefaultInstance());

  /** StreamAlarms. */
  public static final io.grpc.MethodDescriptor<StreamAlarmsRequest, AlarmFeedMessage>
      STREAM_ALARMS =
          of(
              GATEWAY,
              "StreamAlarms",
              StreamAlarmsRequest.getDefaultInstance(),
              AlarmFeedMessage.getDefaultInstance());

  /** QueryActiveAlarms. */
  public static final io.grpc.MethodDescriptor<QueryActiveAlarmsRequest, ActiveAlarmSnapshot>
      QUERY_ACTIVE_ALARMS =
          of(
              GATEWAY,
              "QueryActiveAlarms",
              QueryActiveAlarmsRequest.getDefaultInstance(),
              ActiveAlarmSnapshot.getDefaultInstance());

  /** AcknowledgeAlarm. */
  public static final io.grpc.MethodDescriptor<AcknowledgeAlarmRequest, AcknowledgeAlarmReply>
      ACKNOWLEDGE_ALARM =
          of(
              GATEWAY,
              "AcknowledgeAlarm",
              AcknowledgeAlarmRequest.getDefaultInstance(),
              AcknowledgeAlarmReply.getDefaultInstance());

  /** AcknowledgeAlarms. */
  public static final io.grpc.MethodDescriptor<AcknowledgeAlarmsRequest, AcknowledgeAlarmsReply>
      ACKNOWLEDGE_ALARMS =
          of(
              GATEWAY,
              "AcknowledgeAlarms",
              AcknowledgeAlarmsRequest.getDefaultInstance(),
              AcknowledgeAlarmsReply.getDefaultInstance());

  /** TestConnection of the Galaxy service. */
  public static final io.grpc.MethodDescriptor<TestConnectionRequest, TestConnectionReply>
      TEST_CONNECTION =
          of(
              GALAXY,
              "TestConnection",
              TestConnectionRequest.getDefaultInstance(),
              TestConnectionReply.getDefaultInstance());

  /** GetLastDeployTime of the Galaxy service. */
  public static final io.grpc.MethodDescriptor<GetLastDeployTimeRequest, GetLastDeployTimeReply>
      GET_LAST_DEPLOY_TIME =
          of(
              GALAXY,
              "GetLastDeployTime",
              GetLastDeployTimeRequest.getDefaultInstance(),
              GetLastDeployTimeReply.getDefaultInstance());

  /** DiscoverHierarchy of the Galaxy service. */
  public static final io.grpc.MethodDescriptor<DiscoverHierarchyRequest, DiscoverHierarchyReply>
      DISCOVER_HIERARCHY =
          of(
              GALAXY,
              "DiscoverHierarchy",
              DiscoverHierarchyRequest.getDefaultInstance(),
              DiscoverHierarchyReply.getDefaultInstance());

  /** BrowseChildren of the Galaxy service. */
  public static final io.grpc.MethodDescriptor<BrowseChildrenRequest, BrowseChildrenReply>
      BROWSE_CHILDREN =
          of(
              GALAXY,
              "BrowseChildren",
              BrowseChildrenRequest.getDefaultInstance(),
              BrowseChildrenReply.getDefaultInstance());

  /** WatchDeployEvents of the Galaxy service. */
  public static final io.grpc.MethodDescriptor<WatchDeployEventsRequest, DeployEvent>
      WATCH_DEPLOY_EVENTS =
          of(
              GALAXY,
              "WatchDeployEvents",
              WatchDeployEventsRequest.getDefaultInstance(),
              DeployEvent.getDefaultInstance());

  private Methods() {}

  private static <Q extends Message, R extends Message> io.grpc.MethodDescriptor<Q, R> of(
      ServiceDescriptor service, String name, Q request, R reply) {
    MethodDescriptor method = service.findMethodByName(name);
    MethodType type =
        method.isClientStreaming()
            ? MethodType.BIDI_STREAMING
            : method.isServerStreaming() ? MethodType.SERVER_STREAMING : MethodType.UNARY;
    return io.grpc.MethodDescriptor.<Q, R>newBuilder()
        .setType(type)
        .setFullMethodName(
            io.grpc.MethodDescriptor.generateFullMethodName(service.getFullName(), name))
        .setRequestMarshaller(ProtoUtils.marshaller(request))
        .setResponseMarshaller(ProtoUtils.marshaller(reply))
        .build();
  }
}
