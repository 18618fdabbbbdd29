//! What the library says and refuses, without a gateway.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mxgateway::{
    Code, ErrorKind, GatewayClient, MxTime, StreamOptions, Value, command, from_mx_value, map_status,
    next_correlation_id, pb, redact, to_mx_value,
};
use pb::mx_command::Payload;

const KEY: &str = "mxgw_id_0123456789abcdef";

#[test]
fn correlation_ids_are_unique_from_any_thread() {
    // Rust-020
    let threads: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(|| (0..100_000).map(|_| next_correlation_id()).collect::<Vec<_>>()))
        .collect();
    let mut seen = HashSet::new();
    for thread in threads {
        for id in thread.join().unwrap() {
            assert!(!id.is_empty());
            assert!(seen.insert(id));
        }
    }
    assert_eq!(seen.len(), 800_000);
}

#[tokio::test]
async fn no_debug_text_holds_a_secret() {
    let builder = GatewayClient::builder("localhost:5001").api_key(KEY).plaintext();
    let client = builder.clone().connect_lazy().unwrap();
    let login = pb::AuthenticateUserCommand {
        server_handle: 1,
        verify_user: "joe".to_owned(),
        verify_user_password: "hunter2".to_owned(),
    };
    let command = command(Payload::AuthenticateUser(login));
    let error = map_status(&tonic_status(&format!("no key {KEY}")), "Call", "", false);
    let texts = [
        format!("{builder:?}"),
        format!("{client:?}"),
        format!("{:?}", client.galaxy()),
        format!("{command:?}"),
        format!("{error:?}"),
        error.to_string(),
        format!("{:?}", std::error::Error::source(&error)),
    ];
    for text in texts {
        assert!(!text.contains(KEY) && !text.contains("hunter2"), "{text}");
    }
}

fn tonic_status(text: &str) -> tonic::Status {
    tonic::Status::unauthenticated(text)
}

#[test]
fn a_key_with_a_line_end_is_refused_without_being_shown() {
    for key in ["", "mxgw_a_b\n", " mxgw_a_b", "mxgw_ä", "mxgw_a\u{1}b"] {
        let error = GatewayClient::builder("localhost:5001").api_key(key).plaintext().connect_lazy().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("api_key") && !error.to_string().contains("mxgw_"), "{error}");
    }
}

#[test]
fn kinds_that_are_special_cases_of_others() {
    assert!(ErrorKind::Connection.is(ErrorKind::Transport) && ErrorKind::MxAccess.is(ErrorKind::Command));
    assert!(!ErrorKind::Transport.is(ErrorKind::Connection) && !ErrorKind::Session.is(ErrorKind::Transport));
    let error = map_status(&tonic::Status::new(Code::Unavailable, "x"), "Call", "id", false);
    assert!(error.is(ErrorKind::Transport) && error.retryable());
    assert_eq!((error.kind(), error.correlation_id()), (ErrorKind::Connection, "id"));
}

#[test]
fn native_types_become_values_and_come_back() {
    let all: Vec<Value> = vec![
        true.into(),
        (-5i8).into(),
        5u16.into(),
        i32::MIN.into(),
        i64::MAX.into(),
        u32::MAX.into(),
        0.1f32.into(),
        (-0.0f64).into(),
        "größe\0".into(),
        String::new().into(),
        Vec::from([0u8, 255]).into(),
        vec![1i32, 2].into(),
        [[1.5f64], [2.5]].into(),
        Vec::<String>::new().into(),
        None::<i32>.into(),
        Duration::from_millis(1500).into(),
        vec![b"a".to_vec()].into(),
    ];
    for value in all {
        let message = to_mx_value(value.clone()).unwrap();
        assert_eq!(from_mx_value(&message), value);
    }
    let message = to_mx_value(vec![vec![1i32, 2, 3], vec![4, 5, 6]]).unwrap();
    let Some(pb::mx_value::Kind::ArrayValue(array)) = message.kind else { panic!("no array") };
    assert_eq!((array.dimensions, array.variant_type.as_str()), (vec![2, 3], "VT_ARRAY|VT_I4"));
}

#[test]
fn what_has_no_form_is_refused() {
    let refused: Vec<Value> = vec![
        f64::NAN.into(),
        f32::INFINITY.into(),
        vec![vec![1i32], vec![]].into(),
        Value::Array(vec![], None),
        Value::Array(vec![Value::Null], None),
        Value::Array(vec![true.into(), "x".into()], None),
        MxTime { seconds: i64::MAX, nanos: 0 }.into(),
    ];
    for value in refused {
        assert_eq!(to_mx_value(value).unwrap_err().kind(), ErrorKind::Argument);
    }
    let mixed = Value::Array(vec![1i32.into(), 2.5f64.into()], None);
    assert!(to_mx_value(mixed).is_ok());
}

#[test]
fn times_go_both_ways_and_beyond_the_calendar_is_told() {
    for time in [UNIX_EPOCH, UNIX_EPOCH - Duration::from_nanos(1), UNIX_EPOCH + Duration::new(5, 999_999_999)] {
        assert_eq!(SystemTime::try_from(MxTime::from(time)).unwrap(), time);
    }
    let before = MxTime::from(UNIX_EPOCH - Duration::from_nanos(1));
    assert_eq!((before.seconds, before.nanos), (-1, 999_999_999));
    assert_eq!(MxTime { seconds: 0, nanos: 100_000_000 }.to_string(), "1970-01-01T00:00:00.100Z");
    let far = MxTime { seconds: i64::MAX, nanos: 1 };
    assert!(!far.is_valid() && far.to_string().ends_with("1 ns since 1970"));
}

#[test]
fn no_part_of_a_secret_is_kept() {
    let text = redact("key mxgw_a_b: Bearer abc password=\"hun ter\" postgres://joe:pw@h/d plain", &["plain"]);
    let wanted = "key [redacted]: Bearer [redacted] password=[redacted] postgres://joe:[redacted]@h/d [redacted]";
    assert_eq!(text, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_never_answers_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = silent.local_addr().unwrap().to_string();
    let connecting = GatewayClient::builder(endpoint.clone()).plaintext().connect_timeout(Duration::from_secs(9));
    let error = connecting.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains(&endpoint), "{error}");
}

#[tokio::test]
async fn a_limit_that_no_clock_counts_is_none() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = taken.local_addr().unwrap().to_string();
    drop(taken);
    let client = GatewayClient::builder(endpoint).plaintext().call_timeout(Duration::MAX).connect_lazy().unwrap();
    assert_eq!(client.list_sessions(true).await.unwrap_err().kind(), ErrorKind::Connection);
    let options = StreamOptions { timeout: Some(Duration::MAX), ..Default::default() };
    let events = client.attach_session("s", ["event-batches"]).events(options).await.unwrap();
    assert_eq!(events.next().await.unwrap_err().kind(), ErrorKind::Connection);
}
