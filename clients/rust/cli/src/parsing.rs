//! Invocations: options as `conformance/cli.json` has them, parsed by clap.

use std::collections::{HashMap, HashSet};

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};
use mxgateway::MxTime;

use crate::contract::{COMMANDS, COMMON};
use crate::program::Failure;
use crate::text;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    File,
    Int,
    Float,
    Time,
    Choice,
    Flag,
}

impl Kind {
    fn placeholder(self) -> &'static str {
        match self {
            Self::Text | Self::Flag => "TEXT",
            Self::File => "FILE",
            Self::Int => "INT",
            Self::Float => "FLOAT",
            Self::Time => "RFC3339",
            Self::Choice => "CHOICE",
        }
    }
}

/// One option of the contract.
#[derive(Debug)]
pub struct OptionSpec {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub required: bool,
    pub multiple: bool,
    pub fallback: Option<&'static str>,
    pub choices: &'static [&'static str],
    pub least: Option<f64>,
    pub most: Option<f64>,
    pub above: Option<f64>,
}

/// One command of the contract.
#[derive(Debug)]
pub struct CommandSpec {
    pub name: &'static str,
    pub section: &'static str,
    pub help: &'static str,
    pub connects: bool,
    pub options: &'static [OptionSpec],
}

/// The options of an invocation, checked.
#[derive(Debug, Default)]
pub struct Given {
    texts: HashMap<String, Vec<String>>,
    flags: HashSet<String>,
}

impl Given {
    /// Whether it was given by the user.
    pub fn has(&self, name: &str) -> bool {
        self.flags.contains(name)
    }

    pub fn text(&self, name: &str) -> &str {
        self.texts.get(name).and_then(|all| all.first()).map_or("", String::as_str)
    }

    pub fn texts(&self, name: &str) -> &[String] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or(0.0)
    }

    pub fn int(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// A whole number that is not negative.
    pub fn count(&self, name: &str) -> usize {
        self.text(name).parse().unwrap_or(0)
    }

    pub fn handle(&self, name: &str) -> i32 {
        self.text(name).parse().unwrap_or(0)
    }

    pub fn time(&self, name: &str) -> Option<MxTime> {
        text::time(self.texts.get(name)?.first()?).ok()
    }
}

pub fn find(name: &str) -> Option<&'static CommandSpec> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The options of a command and those of every command that connects; of the others --json alone.
fn options(command: &CommandSpec) -> impl Iterator<Item = &'static OptionSpec> {
    let common = COMMON.iter().filter(|option| command.connects || option.name == "json");
    command.options.iter().chain(common)
}

/// Reads the options of a command; none when its help was asked for, which is the text then.
pub fn parse(command: &CommandSpec, arguments: &[String]) -> Result<Given, Failure> {
    let wanted: Vec<_> = options(command).collect();
    let parser = Command::new(command.name)
        .bin_name(format!("mxgw {}", command.name))
        .about(command.help)
        .no_binary_name(true)
        .args(wanted.iter().map(|option| argument(option)));
    let matches = parser.try_get_matches_from(arguments).map_err(|error| {
        if error.kind() == clap::error::ErrorKind::DisplayHelp {
            return Failure::Help(error.render().to_string());
        }
        let text = error.render().to_string();
        let line: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        Failure::Usage(line.join(" ").trim_start_matches("error: ").to_owned())
    })?;
    let mut given = Given::default();
    for option in wanted {
        let by_user = matches.value_source(option.name) == Some(clap::parser::ValueSource::CommandLine);
        if by_user {
            given.flags.insert(option.name.to_owned());
        }
        if option.kind != Kind::Flag
            && let Some(values) = matches.get_many::<String>(option.name)
        {
            given.texts.insert(option.name.to_owned(), values.cloned().collect());
        }
    }
    Ok(given)
}

fn argument(option: &'static OptionSpec) -> Arg {
    let argument = Arg::new(option.name).long(option.name).help(option.help);
    if option.kind == Kind::Flag {
        return argument.action(ArgAction::SetTrue);
    }
    let argument = argument
        .action(if option.multiple { ArgAction::Append } else { ArgAction::Set })
        .required(option.required)
        .allow_hyphen_values(true)
        .value_name(option.kind.placeholder())
        .value_parser(ValueParser::new(move |value: &str| check(option, value).map(|()| value.to_owned())));
    // The original's name of it.
    let argument = if option.name == "type" { argument.alias("value-type") } else { argument };
    match option.fallback {
        Some(fallback) if !fallback.is_empty() => argument.default_value(fallback),
        _ => argument,
    }
}

fn check(option: &OptionSpec, value: &str) -> Result<(), String> {
    let number = match option.kind {
        Kind::Int => {
            let number: i64 = value.parse().map_err(|error| format!("it is no whole number: {error}"))?;
            let is_handle = option.name.ends_with("-handle") || option.name.ends_with("user-id");
            if is_handle && i32::try_from(number).is_err() {
                return Err("it is beyond 32 bits".to_owned());
            }
            #[allow(clippy::cast_precision_loss)]
            let number = number as f64;
            number
        }
        Kind::Float => {
            let number: f64 = value.parse().map_err(|error| format!("it is no number: {error}"))?;
            if !number.is_finite() {
                return Err("it is no number".to_owned());
            }
            number
        }
        Kind::Time => return text::time(value).map(drop),
        Kind::Choice if !option.choices.contains(&value) => {
            return Err(format!("it is none of {}", option.choices.join(", ")));
        }
        _ => return Ok(()),
    };
    match (option.least, option.most, option.above) {
        (Some(least), _, _) if number < least => Err(format!("it is below {least}")),
        (_, Some(most), _) if number > most => Err(format!("it is above {most}")),
        (_, _, Some(above)) if number <= above => Err(format!("it has to be above {above}")),
        _ => Ok(()),
    }
}
