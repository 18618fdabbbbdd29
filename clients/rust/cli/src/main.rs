//! AVEVA System Platform tags from a terminal, through an MXAccess gateway.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // One thread is enough: what it waits for is the gateway.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(mxgateway_cli::main(&arguments));
    // A read of stdin that nobody waits for any more must not keep the program.
    runtime.shutdown_background();
    ExitCode::from(code)
}
