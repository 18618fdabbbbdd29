//! Single items, writes and users.

use mxgateway::{GatewayClient, command, pb, status_text, to_mx_value};
use pb::mx_command::Payload;
use serde_json::json;

use crate::json::{Names, document};
use crate::program::Failure;
use crate::run::{Done, Run};

pub async fn register(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let name = run.own("client-name");
    let handle = run.limited(async { Ok(session.register(name).await?) }).await?;
    run.print(&json!({"sessionId": session.id(), "serverHandle": handle}), &[handle.to_string()])
}

pub async fn add(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let server = run.given.handle("server-handle");
    let (item, context) = (run.given.text("item"), run.given.text("context"));
    let name = run.command.name;
    let adding = async {
        Ok(match name {
            "add-item" => session.add_item(server, item).await?,
            "add-item2" => session.add_item2(server, item, context).await?,
            _ => session.add_buffered_item(server, item, context).await?,
        })
    };
    let handle = run.limited(adding).await?;
    let document = json!({"sessionId": session.id(), "serverHandle": server, "itemHandle": handle});
    run.print(&document, &[handle.to_string()])
}

/// Runs a command of the generated messages and prints the reply.
async fn invoke(run: &mut Run<'_>, client: &GatewayClient, payload: Payload, text: &str) -> Done {
    let session = run.session(client);
    let reply = run.limited(async { Ok(session.invoke(command(payload)).await?) }).await?;
    run.message(&reply, text.to_owned())
}

/// A command without a result of its own.
pub async fn plain(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let (server_handle, item_handle) = (run.given.handle("server-handle"), run.given.handle("item-handle"));
    let payload = match run.command.name {
        "unregister" => Payload::Unregister(pb::UnregisterCommand { server_handle }),
        "remove-item" => Payload::RemoveItem(pb::RemoveItemCommand { server_handle, item_handle }),
        "advise" => Payload::Advise(pb::AdviseCommand { server_handle, item_handle }),
        "advise-supervisory" => Payload::AdviseSupervisory(pb::AdviseSupervisoryCommand { server_handle, item_handle }),
        "unadvise" => Payload::UnAdvise(pb::UnAdviseCommand { server_handle, item_handle }),
        _ => {
            let milliseconds = run.given.text("milliseconds");
            let update_interval_milliseconds = milliseconds
                .parse()
                .map_err(|error| Failure::Usage(format!("--milliseconds: {milliseconds:?}: {error}")))?;
            Payload::SetBufferedUpdateInterval(pb::SetBufferedUpdateIntervalCommand {
                server_handle,
                update_interval_milliseconds,
            })
        }
    };
    invoke(run, client, payload, "ok").await
}

pub async fn status(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let (server, item) = (run.given.handle("server-handle"), run.given.handle("item-handle"));
    let is_activation = run.command.name == "activate";
    let calling = async {
        Ok(if is_activation { session.activate(server, item).await? } else { session.suspend(server, item).await? })
    };
    let found = run.limited(calling).await?;
    run.print(&json!({"status": document(&found, Names::Json)}), &[status_text(&found)])
}

pub async fn write(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let value = Some(run.value(run.given.text("value"), "--value")?);
    let (server_handle, item_handle) = (run.given.handle("server-handle"), run.given.handle("item-handle"));
    let user_id = run.given.handle("user-id");
    let (current_user_id, verifier_user_id) = run.users();
    let timestamp_value = run.given.time("timestamp").map(to_mx_value).transpose()?;
    let payload = match run.command.name {
        "write" => Payload::Write(pb::WriteCommand { server_handle, item_handle, value, user_id }),
        "write2" => Payload::Write2(pb::Write2Command { server_handle, item_handle, value, timestamp_value, user_id }),
        "write-secured" => Payload::WriteSecured(pb::WriteSecuredCommand {
            server_handle,
            item_handle,
            current_user_id,
            verifier_user_id,
            value,
        }),
        _ => Payload::WriteSecured2(pb::WriteSecured2Command {
            server_handle,
            item_handle,
            current_user_id,
            verifier_user_id,
            value,
            timestamp_value,
        }),
    };
    invoke(run, client, payload, "sent; the outcome comes as OnWriteComplete").await
}

pub async fn authenticate(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let password = password(run)?;
    run.secrets.push(password.clone());
    let session = run.session(client);
    let (server, user) = (run.given.handle("server-handle"), run.given.text("user"));
    let id = run.limited(async { Ok(session.authenticate_user(server, user, password).await?) }).await?;
    print_user(run, id)
}

/// Never from the command line.
fn password(run: &Run<'_>) -> Result<String, Failure> {
    let nobody =
        || Failure::Usage("there is no terminal to ask for the password; use --password-env VARIABLE".to_owned());
    if run.given.has("password-env") {
        let name = run.given.text("password-env");
        let unset = || Failure::Usage(format!("the environment variable {name} (--password-env) is not set"));
        return std::env::var(name).map_err(|_| unset());
    }
    if run.program.in_batch {
        return Err(nobody());
    }
    eprint!("Password: ");
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(length) if length > 0 => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => Err(nobody()),
    }
}

pub async fn archestra(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let (server, guid) = (run.given.handle("server-handle"), run.given.text("guid"));
    let id = run.limited(async { Ok(session.archestra_user_to_id(server, guid).await?) }).await?;
    print_user(run, id)
}

fn print_user(run: &mut Run<'_>, id: i32) -> Done {
    run.print(&json!({"sessionId": run.given.text("session-id"), "userId": id}), &[id.to_string()])
}
