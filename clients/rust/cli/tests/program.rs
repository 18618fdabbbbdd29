//! The program as its users start it, without a gateway.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const KEY: &str = "mxgw_id_0123456789abcdef";

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mxgw"))
        .args(arguments)
        .env("MXGW_TEST_KEY", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn version_says_what_it_speaks() {
    let found = run(&["version", "--json"], "");
    assert_eq!(found.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((document["name"].as_str(), document["gatewayProtocolVersion"].as_u64()), (Some("mxgw"), Some(3)));
}

#[test]
fn wrong_usage_is_one_line_that_names_the_option() {
    let cases: [(&[&str], &str); 9] = [
        (&["no-such"], "no-such"),
        (&["ping"], "--session-id"),
        (&["ping", "--session-id"], "--session-id"),
        (&["read-bulk", "--session-id", "s", "--server-handle", "x", "--items", "a"], "--server-handle"),
        (&["unregister", "--session-id", "s", "--server-handle", "3000000000"], "beyond 32 bits"),
        (&["bench-read-bulk", "--timeout-ms", "-1"], "--timeout-ms"),
        (&["ping", "--session-id", "s", "--plaintext", "--tls"], "--tls"),
        (&["ping", "--session-id", "s", "--api-key", "a", "--api-key-env", "B"], "--api-key-env"),
        (&["ping", "--session-id", "s", "--api-key-env", "MXGW_NOT_SET"], "MXGW_NOT_SET"),
    ];
    for (arguments, wanted) in cases {
        let found = run(arguments, "");
        let said = text(&found.stderr);
        assert_eq!(found.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wanted) && said.trim_end().lines().count() == 1, "{arguments:?}: {said}");
    }
}

#[test]
fn a_value_that_is_none_names_flag_and_cause() {
    let write = ["write", "--session-id", "s", "--server-handle", "1", "--item-handle", "2", "--plaintext"];
    let found = run(&[&write[..], &["--value-type", "int32", "--value", "x", "--timeout", "1"]].concat(), "");
    // Whether a gateway is asked first is no matter: it is refused or unreachable, and never a crash.
    assert!(matches!(found.status.code(), Some(1 | 2)), "{}", text(&found.stderr));
    let error = mxgateway_cli::text::value("x", "int32", "--value").unwrap_err();
    assert!(error.contains("--value") && error.contains("invalid digit"), "{error}");
}

#[test]
fn a_batch_goes_on_after_a_failure_and_ends_with_its_input() {
    // Rust-028
    let lines = "version --json\n\n'open\nno-such\nbatch\nversion --json";
    let found = run(&["batch"], lines);
    assert_eq!(found.status.code(), Some(0));
    let printed = text(&found.stdout);
    assert_eq!(printed.matches("__MXGW_BATCH_EOR__").count(), 6, "{printed}");
    assert_eq!(printed.matches("\"type\":\"error\"").count(), 3, "{printed}");
    assert_eq!(printed.matches("\"name\": \"mxgw\"").count(), 2, "{printed}");
}

#[test]
fn an_unreachable_gateway_is_a_failure_that_shows_no_key() {
    let arguments = ["ping", "--session-id", "s", "--endpoint", "127.0.0.1:1", "--plaintext"];
    for key in [["--api-key", KEY], ["--api-key-env", "MXGW_TEST_KEY"]] {
        let found = run(&[&arguments[..], &key].concat(), "");
        let said = text(&found.stderr);
        assert_eq!(found.status.code(), Some(1), "{said}");
        assert!(said.contains("127.0.0.1:1") && !said.contains(KEY), "{said}");
    }
}

#[test]
fn help_lists_every_command_and_each_has_its_own() {
    let all = text(&run(&["--help"], "").stdout);
    for name in ["smoke", "read-bulk", "stream-events", "galaxy-browse", "acknowledge-alarm", "bench-stream-events"] {
        assert!(all.contains(&format!("  {name} ")), "{name}");
        let own = run(&[name, "--help"], "");
        assert_eq!(own.status.code(), Some(0));
        assert!(text(&own.stdout).contains("--endpoint"), "{name}");
    }
}
