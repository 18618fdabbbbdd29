//! One run of the program: an invocation, or the lines of a batch.

use std::collections::HashMap;
use std::io::{BufWriter, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mxgateway::{Error, ErrorKind, GatewayClient, redact};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

use crate::contract::{COMMANDS, END_OF_RECORD};
use crate::parsing;
use crate::run::Run;
use crate::text::{printable, split_line};

const DONE: u8 = 0;
const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Why an invocation did not do what it should.
#[derive(Debug)]
pub enum Failure {
    /// Its help was asked for.
    Help(String),
    /// It makes no sense.
    Usage(String),
    /// It failed.
    Failed(String),
    /// Ctrl-C, or SIGTERM.
    Interrupted,
    /// What it printed says it already.
    Silent,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::Argument {
            return Self::Usage(error.to_string());
        }
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The signals that came; the first one ends what runs, those within half a second of it are that one.
#[derive(Clone)]
pub struct Signals {
    came: watch::Receiver<bool>,
    is_terminated: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> Self {
        let (tell, came) = watch::channel(false);
        let is_terminated = Arc::new(AtomicBool::new(false));
        let terminated = is_terminated.clone();
        tokio::spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                let by_term = next_signal().await;
                match first {
                    None => {
                        first = Some(Instant::now());
                        terminated.store(by_term, Ordering::Release);
                        let _ = tell.send(true);
                    }
                    Some(first) if first.elapsed() > Duration::from_millis(500) => {
                        std::process::exit(INTERRUPTED.into());
                    }
                    Some(_) => {}
                }
            }
        });
        Self { came, is_terminated }
    }

    /// Waits for the first one.
    pub async fn came(&self) {
        let mut came = self.came.clone();
        if came.wait_for(|came| *came).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub fn has_come(&self) -> bool {
        *self.came.borrow()
    }
}

/// Waits for Ctrl-C or SIGTERM; true for the latter.
async fn next_signal() -> bool {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = async {
            match signal(SignalKind::terminate()) {
                Ok(mut term) => term.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupt => false,
            _ = terminate => true,
        }
    }
    #[cfg(not(unix))]
    {
        interrupt.await;
        false
    }
}

/// What the lines of a batch share.
pub struct Program {
    pub out: BufWriter<Stdout>,
    pub clients: HashMap<String, GatewayClient>,
    pub signals: Signals,
    pub in_batch: bool,
}

impl Program {
    pub fn new() -> Self {
        Self {
            out: BufWriter::new(std::io::stdout()),
            clients: HashMap::new(),
            signals: Signals::listen(),
            in_batch: false,
        }
    }

    /// Runs one invocation and gives its exit code.
    pub async fn main(&mut self, arguments: &[String]) -> u8 {
        let code = if arguments.first().is_some_and(|name| name == "batch") && arguments.len() == 1 {
            self.batch().await
        } else {
            match self.execute(arguments).await {
                Ok(()) => DONE,
                Err((failure, secrets)) => {
                    let (code, text) = self.told(&failure, &secrets);
                    if !text.is_empty() {
                        eprintln!("{text}");
                    }
                    code
                }
            }
        };
        for client in self.clients.values() {
            client.close();
        }
        if self.out.flush().is_err() && code == DONE { FAILURE } else { code }
    }

    async fn execute(&mut self, arguments: &[String]) -> Result<(), (Failure, Vec<String>)> {
        let plain = |failure| (failure, Vec::new());
        let name = arguments.first().map_or("--help", String::as_str);
        if matches!(name, "-h" | "--help" | "help") {
            return self.help().map_err(|error| plain(error.into()));
        }
        let Some(command) = parsing::find(name) else {
            return Err(plain(Failure::Usage(format!("no such command {name:?}; mxgw --help lists them"))));
        };
        if name == "batch" && !arguments.iter().any(|each| matches!(each.as_str(), "-h" | "--help")) {
            let text = if self.in_batch {
                "batch within batch is not possible"
            } else {
                "batch takes no arguments; it reads lines from stdin"
            };
            return Err(plain(Failure::Usage(text.to_owned())));
        }
        let given = match parsing::parse(command, &arguments[1..]) {
            Ok(given) => given,
            Err(Failure::Help(text)) => {
                return write!(self.out, "{text}").map_err(|error| plain(error.into()));
            }
            Err(failure) => return Err(plain(failure)),
        };
        let mut run = Run::new(self, command, given);
        let outcome = run.execute().await;
        let secrets = run.secrets;
        outcome.map_err(|failure| (failure, secrets))
    }

    /// Exit code and text of a failure.
    fn told(&self, failure: &Failure, secrets: &[String]) -> (u8, String) {
        let (code, text) = match failure {
            Failure::Help(_) => (DONE, ""),
            Failure::Silent => (FAILURE, ""),
            Failure::Usage(text) => (USAGE, text.as_str()),
            Failure::Failed(text) => (FAILURE, text.as_str()),
            Failure::Interrupted if self.signals.is_terminated.load(Ordering::Acquire) => {
                (TERMINATED, "ended by SIGTERM")
            }
            Failure::Interrupted => (INTERRUPTED, "interrupted"),
        };
        if text.is_empty() {
            return (code, String::new());
        }
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        (code, format!("Error: {}", printable(&redact(text, &secrets))))
    }

    /// Runs one invocation for each line of stdin, until its end; all lines share their connections.
    async fn batch(&mut self) -> u8 {
        self.in_batch = true;
        let mut lines = BufReader::new(tokio::io::stdin());
        let mut is_first = true;
        loop {
            let mut raw = Vec::new();
            let read = tokio::select! {
                read = lines.read_until(b'\n', &mut raw) => read,
                () = self.signals.came() => Ok(0),
            };
            if !matches!(read, Ok(length) if length > 0) {
                return if self.signals.has_come() { self.interrupted() } else { DONE };
            }
            let line = String::from_utf8_lossy(&raw);
            let line = if std::mem::take(&mut is_first) { line.trim_start_matches('\u{feff}') } else { &line };
            let outcome = match split_line(line) {
                Err(reason) => Err((Failure::Usage(format!("the line cannot be split: {reason}")), Vec::new())),
                Ok(words) if words.is_empty() => Ok(()),
                Ok(words) => self.execute(&words).await,
            };
            if let Err((failure, secrets)) = outcome {
                let (_, text) = self.told(&failure, &secrets);
                if !text.is_empty() {
                    let _ = writeln!(self.out, "{}", json!({"error": text, "type": "error"}));
                }
            }
            if writeln!(self.out, "{END_OF_RECORD}").and_then(|()| self.out.flush()).is_err() {
                return FAILURE;
            }
            if self.signals.has_come() {
                return self.interrupted();
            }
        }
    }

    fn interrupted(&self) -> u8 {
        let (code, text) = self.told(&Failure::Interrupted, &[]);
        eprintln!("{text}");
        code
    }

    fn help(&mut self) -> std::io::Result<()> {
        writeln!(
            self.out,
            "Usage: mxgw COMMAND [OPTIONS]\n\nAVEVA System Platform tags from a terminal, through an MXAccess gateway.\n\n\
             TLS is the default; an unencrypted channel has to be asked for with --plaintext. A key comes from \
             --api-key-env\nVARIABLE, and never appears in any output. mxgw COMMAND --help lists the options of a command."
        )?;
        let mut section = "";
        for command in COMMANDS {
            if command.section != section {
                section = command.section;
                writeln!(self.out, "\n{section}:")?;
            }
            writeln!(self.out, "  {:<30} {}", command.name, command.help)?;
        }
        Ok(())
    }
}
