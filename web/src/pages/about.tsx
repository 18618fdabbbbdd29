import { count, dateTime, duration } from "../format.ts";
import { Loading, Section } from "../parts/basics.tsx";
import { boot, frame, may, serverOffset, zone } from "../state.ts";

export function About() {
  const now = frame.value;
  const who = boot.value;
  if (!now || !who) return <Loading what="what is known" />;
  const offset = Math.round(serverOffset.value / 1000);
  return (
    <div class="columns">
      <Section title="Gateway">
        <dl class="pairs">
          <dt>Version</dt>
          <dd>{who.version}</dd>
          <dt>Started</dt>
          <dd>{dateTime(now.at - now.uptime * 1000, zone.value)}</dd>
          <dt>Up</dt>
          <dd>{duration(now.uptime)}</dd>
          <dt>Its clock</dt>
          <dd>
            {Math.abs(offset) < 2
              ? "agrees with this browser's"
              : `is ${duration(Math.abs(offset))} ${offset > 0 ? "ahead of" : "behind"} this browser's`}
          </dd>
          <dt>Streaming calls</dt>
          <dd>{count(now.liveStreams)}</dd>
        </dl>
      </Section>
      <Section title="Certificate">
        {now.certificate ? (
          <dl class="pairs">
            <dt>Names</dt>
            <dd class="wrap">{now.certificate.names.join(", ")}</dd>
            <dt>Valid until</dt>
            <dd>{dateTime(Date.parse(now.certificate.notAfter), zone.value)}</dd>
            <dt>SHA-256</dt>
            <dd class="wrap">
              <code>{now.certificate.sha256}</code>
            </dd>
          </dl>
        ) : (
          <p class="dim">The gateway has no TLS endpoint.</p>
        )}
      </Section>
      {may("admin") && (
        <Section title="Diagnostics">
          <p>
            One file for whoever helps you: settings with their origin, health, sessions, metrics, the log's last records, what
            the process does now. Without keys, secrets and values of tags; names of clients and addresses are replaced.
          </p>
          <p class="buttons">
            <a class="button" href="/api/v1/diagnostics" download="mxgateway-diagnostics.zip">
              Download the bundle
            </a>
            <a class="button" href="/api/v1/diagnostics?names=1" download="mxgateway-diagnostics.zip">
              With names
            </a>
          </p>
          <p class="dim">Who takes it stands in the audit.</p>
        </Section>
      )}
      <Section title="You">
        <dl class="pairs">
          <dt>{who.door === "key" ? "Key" : "Person"}</dt>
          <dd>{who.keyId}</dd>
          <dt>Role</dt>
          <dd>{who.role}</dd>
          <dt>Scopes</dt>
          <dd class="wrap">{who.scopes.join(", ")}</dd>
          <dt>Signed in until</dt>
          <dd>{dateTime(who.expires, zone.value)}</dd>
        </dl>
      </Section>
    </div>
  );
}
