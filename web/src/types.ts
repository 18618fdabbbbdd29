// What the gateway sends. Names as in dashboard/sampler.py and status.py.

export interface Check {
  name: string;
  isOk: boolean;
  isNeeded: boolean;
  sinceSeconds: number;
  reason: string;
  remedy: string;
}

export interface EventStream {
  kind: string;
  peer: string;
  ageSeconds: number;
  deliveredEvents: number;
  policy: string;
  waitingEvents: number;
  waitingBytes: number;
  droppedEvents: number;
}

export interface Worker {
  pid: number;
  state: string;
  heartbeatAgeSeconds: number;
  residentBytes: number;
  cpuSeconds: number;
  callAgeSeconds: number;
  inFlight: number;
  lateReplies: number;
  unknownReplies: number;
  heartbeats: number;
  pendingCommands: number;
  queuedEvents: number;
  sentEvents: number;
  droppedEvents: number;
  refusedEvents: number;
  suppressedLines: number;
  unsentBytes: number;
}

export interface Session {
  sessionId: string;
  ownerKeyId: string;
  peer: string;
  opened: number;
  leaseSeconds: number;
  name: string;
  state: string;
  fault: string;
  ageSeconds: number;
  idleSeconds: number;
  attachedStreams: number;
  isConnected: boolean;
  isKept: boolean;
  isApart: boolean;
  commandsUnderWay: number;
  commandsStarted: number;
  eventsReceived: number;
  keptEvents: number;
  items: number;
  eventStreams: EventStream[];
  worker: Worker | null;
}

export interface SessionRow extends Session {
  eventsPerSecond: number;
  commandsPerSecond: number;
  droppedPerSecond: number;
  dropped: number;
  waiting: number;
  silence: number;
  why: string[];
}

export interface Fault {
  at: number;
  sessionId: string;
  name: string;
  key: string;
  reason: string;
  text: string;
}

export interface Ended {
  sessionId: string;
  ownerKeyId: string;
  name: string;
  peer: string;
  opened: number;
  ended: number;
  reason: string;
  isClean: boolean;
  fault: string;
  faultText: string;
  workerPid: number;
  commandsStarted: number;
  eventsReceived: number;
  eventsDropped: number;
}

export interface AlarmsPart {
  state: string;
  provider: string;
  reason: string;
  isUncertain: boolean;
  alarms: number;
  newestChange: number;
  streams: number;
  workerPid: number;
}

export interface Frame {
  n: number;
  at: number;
  uptime: number;
  isStopping: boolean;
  health: { readiness: string; checks: Check[] };
  maxSessions: number;
  totals: { opened: number; closed: number; faulted: number; killed: number };
  workers: { alive: number; starting: number; pooled: number; poolSize: number; started: number; failed: number };
  liveStreams: number;
  rates: { eventsIn: number; commands: number; dropped: number; waiting: number };
  process: { cpu: number | null; memory: number | null; lag: number | null };
  galaxy: {
    status: string;
    reason: string;
    objects: number;
    attributes: number;
    deployTime: string | null;
    isRestored: boolean;
    failures: number;
    watches: number;
  };
  audit: { waiting: number; lost: number; failures: number };
  certificate: { sha256: string; names: string[]; notAfter: string; problem: string } | null;
  alarms: AlarmsPart | null;
  faults: Fault[];
  sessions: SessionRow[];
}

export type Role = "none" | "viewer" | "operator" | "admin";

export interface Boot {
  version: string;
  keyId: string;
  displayName: string;
  role: Role;
  scopes: string[];
  kind: string;
  door: string;
  csrf: string;
  expires: number;
  now: number;
  interval: number;
  features: { alarms: boolean; readOnly: boolean; shelveHours: number };
}

export type Values = (number | null)[];

export function isFrame(value: unknown): value is Frame {
  const frame = value as Frame;
  return (
    typeof value === "object" &&
    value !== null &&
    typeof frame.n === "number" &&
    typeof frame.at === "number" &&
    Array.isArray(frame.sessions) &&
    typeof frame.health === "object"
  );
}
