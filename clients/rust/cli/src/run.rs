//! One invocation: its client, its limits, and what it prints.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use mxgateway::{
    ClientBuilder, GATEWAY_PROTOCOL_VERSION, GatewayClient, Session, VERSION, WORKER_PROTOCOL_VERSION, pb,
};
use prost::{Message, Name};
use serde_json::{Value, json};

use crate::json::{Names, document};
use crate::parsing::{CommandSpec, Given};
use crate::program::{Failure, Program};
use crate::text::{self, printable};
use crate::works;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub type Done = Result<(), Failure>;

/// One invocation.
pub struct Run<'a> {
    pub program: &'a mut Program,
    pub command: &'static CommandSpec,
    pub given: Given,
    /// Not for any output.
    pub secrets: Vec<String>,
    pub key_source: String,
}

impl<'a> Run<'a> {
    pub fn new(program: &'a mut Program, command: &'static CommandSpec, given: Given) -> Self {
        Self { program, command, given, secrets: Vec::new(), key_source: String::new() }
    }

    pub async fn execute(&mut self) -> Done {
        if self.command.name == "version" {
            return self.version();
        }
        let client = self.client().await?;
        works::work(self, &client).await
    }

    pub fn timeout(&self) -> Duration {
        if self.given.has("timeout") { seconds(self.given.number("timeout")) } else { DEFAULT_TIMEOUT }
    }

    /// Waits for work that has to end within --timeout and at Ctrl-C.
    pub async fn limited<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let limit = self.timeout();
        let late = || Failure::Failed(format!("the command did not end within {limit:?} (--timeout)"));
        tokio::select! {
            biased;
            () = self.program.signals.came() => Err(Failure::Interrupted),
            done = tokio::time::timeout(limit, work) => done.unwrap_or_else(|_| Err(late())),
        }
    }

    /// Waits for work that goes on until it is done or Ctrl-C.
    pub async fn interruptible<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.program.signals.came() => Err(Failure::Interrupted),
            done = work => done,
        }
    }

    /// The gateway that the options name; the lines of a batch share it.
    async fn client(&mut self) -> Result<GatewayClient, Failure> {
        let builder = self.builder()?;
        let names = ["endpoint", "api-key", "api-key-env", "ca-file", "client-cert", "client-key"];
        let mut shared: Vec<&str> = names.iter().map(|name| self.given.text(name)).collect();
        shared.extend(["server-name-override", "timeout", "shutdown-timeout"].map(|name| self.given.text(name)));
        shared.push(if self.given.has("plaintext") { "plaintext" } else { "tls" });
        let shared = shared.join("\n");
        if let Some(client) = self.program.clients.get(&shared) {
            return Ok(client.clone());
        }
        let client = self.limited(async { Ok(builder.connect().await?) }).await?;
        self.program.clients.insert(shared, client.clone());
        Ok(client)
    }

    fn builder(&mut self) -> Result<ClientBuilder, Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        let given = &self.given;
        let of_tls = ["ca-file", "client-cert", "client-key", "server-name-override"];
        if given.has("plaintext") && given.has("tls") {
            return usage("--plaintext and --tls exclude each other");
        }
        if given.has("plaintext") && of_tls.iter().any(|name| given.has(name)) {
            return usage(
                "--ca-file, --client-cert, --client-key and --server-name-override are TLS options; they exclude \
                 --plaintext",
            );
        }
        if given.has("api-key") && given.has("api-key-env") {
            return usage("give either --api-key or --api-key-env");
        }
        if given.has("client-cert") != given.has("client-key") {
            return usage("--client-cert and --client-key belong together");
        }
        let default = if given.has("plaintext") { "localhost:5000" } else { "localhost:5001" };
        let endpoint = if given.has("endpoint") { given.text("endpoint") } else { default };
        let mut builder = GatewayClient::builder(endpoint)
            .call_timeout(self.timeout())
            .shutdown_timeout(seconds(given.number("shutdown-timeout")));
        for name in ["ca-file", "client-cert", "client-key"] {
            if given.has(name) && !Path::new(given.text(name)).exists() {
                return Err(Failure::Usage(format!("--{name} {} does not exist", given.text(name))));
            }
        }
        if given.has("plaintext") {
            builder = builder.plaintext();
        }
        if given.has("ca-file") {
            builder = builder.ca_file(given.text("ca-file"));
        }
        if given.has("client-cert") {
            builder = builder.client_certificate(given.text("client-cert"), given.text("client-key"));
        }
        if given.has("server-name-override") {
            builder = builder.server_name_override(given.text("server-name-override"));
        }
        match self.key()? {
            None => Ok(builder),
            Some(key) => {
                self.secrets.push(key.clone());
                Ok(builder.api_key(key))
            }
        }
    }

    fn key(&mut self) -> Result<Option<String>, Failure> {
        if self.given.has("api-key") {
            "--api-key".clone_into(&mut self.key_source);
            return Ok(Some(self.given.text("api-key").to_owned()));
        }
        if !self.given.has("api-key-env") {
            return Ok(None);
        }
        let name = self.given.text("api-key-env").to_owned();
        self.key_source = format!("environment variable {name}");
        match std::env::var(&name) {
            Ok(key) if !key.is_empty() => Ok(Some(key)),
            _ => Err(Failure::Usage(format!(
                "the environment variable {name} (--api-key-env) is not set; set it to the API key"
            ))),
        }
    }

    pub fn session(&self, client: &GatewayClient) -> Session {
        client.attach_session(self.given.text("session-id"), Vec::<String>::new())
    }

    /// A default name of `conformance/cli.json` as this program's.
    pub fn own(&self, name: &str) -> String {
        self.given.text(name).replacen("mxgw-py", "mxgw", 1)
    }

    /// The value of --value, or another option, by --type.
    pub fn value(&self, text: &str, flag: &str) -> Result<pb::MxValue, Failure> {
        text::value(text, self.given.text("type"), flag).map_err(Failure::Usage)
    }

    /// Operator and verifier, who is the operator again when not given.
    pub fn users(&self) -> (i32, i32) {
        let current = self.given.handle("current-user-id");
        let verifier = if self.given.has("verifier-user-id") { self.given.handle("verifier-user-id") } else { current };
        (current, verifier)
    }

    // ------------------------------------------------------------------------------------------------------ output

    /// Prints a document with --json, else the lines.
    pub fn print(&mut self, document: &Value, lines: &[String]) -> Done {
        if self.given.has("json") {
            return self.always(document);
        }
        for line in lines {
            writeln!(self.program.out, "{}", printable(line))?;
        }
        Ok(())
    }

    /// Prints a document.
    pub fn always(&mut self, document: &Value) -> Done {
        let text = serde_json::to_string_pretty(document).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(writeln!(self.program.out, "{text}")?)
    }

    /// Prints a message.
    pub fn message<M: Message + Name>(&mut self, message: &M, line: String) -> Done {
        self.print(&document(message, Names::Json), &[line])
    }

    /// Prints a message of a stream as it comes.
    pub fn line<M: Message + Name>(&mut self, message: &M, line: &str) -> Done {
        if self.given.has("jsonl") {
            writeln!(self.program.out, "{}", document(message, Names::Json))?;
        } else {
            writeln!(self.program.out, "{}", printable(line))?;
        }
        Ok(self.program.out.flush()?)
    }

    /// Tells of progress, so that stdout holds results only.
    pub fn note(&self, text: &str) {
        if !self.program.in_batch {
            eprintln!("{}", printable(text));
        }
    }

    fn version(&mut self) -> Done {
        let line = format!(
            "mxgw {VERSION}, gateway protocol {GATEWAY_PROTOCOL_VERSION}, worker protocol {WORKER_PROTOCOL_VERSION}"
        );
        let document = json!({
            "name": "mxgw", "version": VERSION, "gatewayProtocolVersion": GATEWAY_PROTOCOL_VERSION,
            "workerProtocolVersion": WORKER_PROTOCOL_VERSION,
        });
        self.print(&document, &[line])
    }
}

/// Seconds of an option as a duration; what is beyond any is as good as for ever.
pub fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or(Duration::from_secs(u32::MAX.into()))
}

/// An enum's name in words.
pub fn words(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}
