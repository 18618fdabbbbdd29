//! What the commands do.

mod alarms;
mod bulk;
mod galaxy;
mod items;
mod sessions;

use mxgateway::GatewayClient;

use crate::measure;
use crate::program::Failure;
use crate::run::{Done, Run};

pub use sessions::event_text;

/// Does what the command says.
pub async fn work(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    match run.command.name {
        "smoke" => measure::smoke(run, client).await,
        "bench-read-bulk" => measure::read_bulk(run, client).await,
        "bench-stream-events" => measure::stream_events(run, client).await,
        "open-session" => sessions::open(run, client).await,
        "close-session" => sessions::close(run, client).await,
        "session-state" => sessions::state(run, client).await,
        "ping" => sessions::ping(run, client).await,
        "worker-info" => sessions::worker_info(run, client).await,
        "stream-events" => sessions::stream_events(run, client).await,
        "drain-events" => sessions::drain_events(run, client).await,
        "register" => items::register(run, client).await,
        "add-item" | "add-item2" | "add-buffered-item" => items::add(run, client).await,
        "suspend" | "activate" => items::status(run, client).await,
        "write" | "write2" | "write-secured" | "write-secured2" => items::write(run, client).await,
        "authenticate-user" => items::authenticate(run, client).await,
        "archestra-user-to-id" => items::archestra(run, client).await,
        "unregister"
        | "remove-item"
        | "advise"
        | "advise-supervisory"
        | "unadvise"
        | "set-buffered-update-interval" => items::plain(run, client).await,
        "read-bulk" => bulk::read(run, client).await,
        "write-bulk" | "write2-bulk" | "write-secured-bulk" | "write-secured2-bulk" => bulk::write(run, client).await,
        "subscribe-bulk" | "add-item-bulk" => bulk::by_name(run, client).await,
        "unsubscribe-bulk" | "advise-item-bulk" | "unadvise-item-bulk" | "remove-item-bulk" => {
            bulk::by_handle(run, client).await
        }
        "galaxy-test-connection" => galaxy::test_connection(run, client).await,
        "galaxy-last-deploy" => galaxy::last_deploy(run, client).await,
        "galaxy-discover" => galaxy::discover(run, client).await,
        "galaxy-browse" => galaxy::browse(run, client).await,
        "galaxy-watch" => galaxy::watch(run, client).await,
        "query-active-alarms" => alarms::query(run, client).await,
        "stream-alarms" => alarms::stream(run, client).await,
        "acknowledge-alarm" => alarms::acknowledge(run, client).await,
        other => Err(Failure::Usage(format!("{other} is not implemented"))),
    }
}
