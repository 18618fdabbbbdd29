//! Commands on single items, as LMXProxyServer has them.

use crate::error::Result;
use crate::pb::{self, mx_command::Payload, mx_command_reply::Payload as Answer};
use crate::replies::missing_payload;
use crate::session::Session;
use crate::time::MxTime;
use crate::values::{Value, to_mx_value};

/// The field of a reply's payload, or the error that it is not there.
macro_rules! field {
    ($reply:expr, $arm:ident, $name:literal, $field:ident) => {{
        let reply = $reply;
        match reply.payload {
            Some(Answer::$arm(found)) => Ok(found.$field),
            _ => Err(missing_payload(&reply, $name)),
        }
    }};
}

impl Session {
    /// Registers a client with MXAccess and returns the server handle that all other calls need.
    pub async fn register(&self, client_name: impl Into<String>) -> Result<i32> {
        let command = pb::RegisterCommand { client_name: client_name.into() };
        field!(self.run(Payload::Register(command)).await?, Register, "register", server_handle)
    }

    /// Ends a registration. Un-advise and remove its items first.
    pub async fn unregister(&self, server_handle: i32) -> Result<()> {
        self.run(Payload::Unregister(pb::UnregisterCommand { server_handle })).await.map(drop)
    }

    /// Adds an item and returns its handle. MXAccess takes any text: whether the reference exists shows only after
    /// `advise`, by the status of its first OnDataChange.
    pub async fn add_item(&self, server_handle: i32, item: impl Into<String>) -> Result<i32> {
        let command = pb::AddItemCommand { server_handle, item_definition: item.into(), client_handle: 0 };
        field!(self.run(Payload::AddItem(command)).await?, AddItem, "add_item", item_handle)
    }

    /// [`add_item`](Self::add_item) with a number of one's own, which the item's events carry where the gateway
    /// announced `client-handles`; 0 is none.
    pub async fn add_item_as(&self, server_handle: i32, item: impl Into<String>, client_handle: u32) -> Result<i32> {
        let command = pb::AddItemCommand { server_handle, item_definition: item.into(), client_handle };
        field!(self.run(Payload::AddItem(command)).await?, AddItem, "add_item", item_handle)
    }

    /// Adds an item by a reference that may start with Me, MyContainer, MyArea, … of the object `context`.
    pub async fn add_item2(
        &self,
        server_handle: i32,
        item: impl Into<String>,
        context: impl Into<String>,
    ) -> Result<i32> {
        self.add_item2_as(server_handle, item, context, 0).await
    }

    /// [`add_item2`](Self::add_item2) with a number of one's own.
    pub async fn add_item2_as(
        &self,
        server_handle: i32,
        item: impl Into<String>,
        context: impl Into<String>,
        client_handle: u32,
    ) -> Result<i32> {
        let command = pb::AddItem2Command {
            server_handle,
            item_definition: item.into(),
            item_context: context.into(),
            client_handle,
        };
        field!(self.run(Payload::AddItem2(command)).await?, AddItem2, "add_item2", item_handle)
    }

    /// Adds an item whose values come in OnBufferedDataChange events.
    pub async fn add_buffered_item(
        &self,
        server_handle: i32,
        item: impl Into<String>,
        context: impl Into<String>,
    ) -> Result<i32> {
        self.add_buffered_item_as(server_handle, item, context, 0).await
    }

    /// [`add_buffered_item`](Self::add_buffered_item) with a number of one's own.
    pub async fn add_buffered_item_as(
        &self,
        server_handle: i32,
        item: impl Into<String>,
        context: impl Into<String>,
        client_handle: u32,
    ) -> Result<i32> {
        let command = pb::AddBufferedItemCommand {
            server_handle,
            item_definition: item.into(),
            item_context: context.into(),
            client_handle,
        };
        let reply = self.run(Payload::AddBufferedItem(command)).await?;
        field!(reply, AddBufferedItem, "add_buffered_item", item_handle)
    }

    /// Removes an item. Wait for its pending OnWriteComplete first, and un-advise it.
    pub async fn remove_item(&self, server_handle: i32, item_handle: i32) -> Result<()> {
        self.run(Payload::RemoveItem(pb::RemoveItemCommand { server_handle, item_handle })).await.map(drop)
    }

    /// Subscribes to an item's changes: the current value comes at once, as OnDataChange.
    pub async fn advise(&self, server_handle: i32, item_handle: i32) -> Result<()> {
        self.run(Payload::Advise(pb::AdviseCommand { server_handle, item_handle })).await.map(drop)
    }

    /// Subscribes on a supervisory connection: no user is needed, and writes to secured attributes pass.
    pub async fn advise_supervisory(&self, server_handle: i32, item_handle: i32) -> Result<()> {
        let command = pb::AdviseSupervisoryCommand { server_handle, item_handle };
        self.run(Payload::AdviseSupervisory(command)).await.map(drop)
    }

    /// Ends a subscription (UnAdvise). Events that were under way may still arrive afterwards.
    pub async fn unadvise(&self, server_handle: i32, item_handle: i32) -> Result<()> {
        self.run(Payload::UnAdvise(pb::UnAdviseCommand { server_handle, item_handle })).await.map(drop)
    }

    /// Sets how often buffered items deliver; MXAccess rounds up to a multiple of 100 ms.
    pub async fn set_buffered_update_interval(&self, server_handle: i32, milliseconds: i32) -> Result<()> {
        let command =
            pb::SetBufferedUpdateIntervalCommand { server_handle, update_interval_milliseconds: milliseconds };
        self.run(Payload::SetBufferedUpdateInterval(command)).await.map(drop)
    }

    /// Suspends an advised item and returns the call's status; OperationComplete tells the outcome.
    pub async fn suspend(&self, server_handle: i32, item_handle: i32) -> Result<pb::MxStatusProxy> {
        let reply = self.run(Payload::Suspend(pb::SuspendCommand { server_handle, item_handle })).await?;
        field!(reply, Suspend, "suspend", status).map(Option::unwrap_or_default)
    }

    /// Resumes a suspended item and returns the call's status; its current value is sent again.
    pub async fn activate(&self, server_handle: i32, item_handle: i32) -> Result<pb::MxStatusProxy> {
        let reply = self.run(Payload::Activate(pb::ActivateCommand { server_handle, item_handle })).await?;
        field!(reply, Activate, "activate", status).map(Option::unwrap_or_default)
    }

    /// Writes a value, see [`Value`]; `user_id` is one of [`authenticate_user`](Self::authenticate_user), 0 for none.
    ///
    /// It returns as soon as MXAccess took it: the outcome comes as OnWriteComplete. The item has to be advised and its
    /// first OnDataChange seen. A write is never repeated by the library; dropping the future does not take it back.
    pub async fn write(
        &self,
        server_handle: i32,
        item_handle: i32,
        value: impl Into<Value>,
        user_id: i32,
    ) -> Result<()> {
        let value = Some(to_mx_value(value)?);
        self.run(Payload::Write(pb::WriteCommand { server_handle, item_handle, value, user_id })).await.map(drop)
    }

    /// [`write`](Self::write) with a source time of its own.
    pub async fn write2(
        &self,
        server_handle: i32,
        item_handle: i32,
        value: impl Into<Value>,
        time: impl Into<MxTime>,
        user_id: i32,
    ) -> Result<()> {
        let value = Some(to_mx_value(value)?);
        let timestamp_value = Some(to_mx_value(time.into())?);
        let command = pb::Write2Command { server_handle, item_handle, value, timestamp_value, user_id };
        self.run(Payload::Write2(command)).await.map(drop)
    }

    /// Writes in the name of one or two authenticated users: the verifier is the operator again where one signature is
    /// enough.
    pub async fn write_secured(
        &self,
        server_handle: i32,
        item_handle: i32,
        current_user_id: i32,
        verifier_user_id: i32,
        value: impl Into<Value>,
    ) -> Result<()> {
        let value = Some(to_mx_value(value)?);
        let command = pb::WriteSecuredCommand { server_handle, item_handle, current_user_id, verifier_user_id, value };
        self.run(Payload::WriteSecured(command)).await.map(drop)
    }

    /// [`write_secured`](Self::write_secured) with a source time of its own.
    pub async fn write_secured2(
        &self,
        server_handle: i32,
        item_handle: i32,
        current_user_id: i32,
        verifier_user_id: i32,
        value: impl Into<Value>,
        time: impl Into<MxTime>,
    ) -> Result<()> {
        let command = pb::WriteSecured2Command {
            server_handle,
            item_handle,
            current_user_id,
            verifier_user_id,
            value: Some(to_mx_value(value)?),
            timestamp_value: Some(to_mx_value(time.into())?),
        };
        self.run(Payload::WriteSecured2(command)).await.map(drop)
    }

    /// Checks a user's credentials and returns a user id for writes; it belongs to this server handle.
    pub async fn authenticate_user(
        &self,
        server_handle: i32,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<i32> {
        let command = pb::AuthenticateUserCommand {
            server_handle,
            verify_user: user.into(),
            verify_user_password: password.into(),
        };
        let reply = self.run(Payload::AuthenticateUser(command)).await?;
        field!(reply, AuthenticateUser, "authenticate_user", user_id)
    }

    /// The user id of an ArchestrA user by its GUID, without a password.
    pub async fn archestra_user_to_id(&self, server_handle: i32, guid: impl Into<String>) -> Result<i32> {
        let command = pb::ArchestrAUserToIdCommand { server_handle, user_id_guid: guid.into() };
        let reply = self.run(Payload::ArchestraUserToId(command)).await?;
        field!(reply, ArchestraUserToId, "archestra_user_to_id", user_id)
    }
}
