//! Writes the messages and stubs of a descriptor set: generate DESCRIPTOR_SET FOLDER [MESSAGE_WITH_SECRETS]...

use std::error::Error;
use std::{env, fs};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(set), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("generate DESCRIPTOR_SET FOLDER [MESSAGE_WITH_SECRETS]...".into());
    };
    let files = prost_types::FileDescriptorSet::decode(fs::read(set)?.as_slice())?;
    let secrets: Vec<String> = arguments.collect();
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    // Else every event is as large as the largest body, which hardly one has, and is moved and kept at that size.
    config.boxed(".mxaccess_gateway.v1.MxEvent.body.on_alarm_transition");
    config.boxed(".mxaccess_gateway.v1.MxEvent.body.on_buffered_data_change");
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .out_dir(folder)
        // A message with a secret gets a Debug of its own.
        .skip_debug(&secrets)
        .compile_fds_with_config(files, config)?;
    Ok(())
}
