//! Generates the Rust types of `proto/` into `crates/wire/src/generated.rs`.
//!
//! The result is committed, so that building the product needs no protobuf compiler.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::root;

const TARGET: &str = "crates/wire/src/generated.rs";

/// Writes the generated file.
pub fn write() -> Result<()> {
    let target = root().join(TARGET);
    std::fs::write(&target, generate()?).with_context(|| format!("writing {}", target.display()))
}

/// Fails when the committed file is not what `proto/` generates.
pub fn check() -> Result<()> {
    let committed = std::fs::read_to_string(root().join(TARGET))?;
    ensure!(committed == generate()?, "{TARGET} is out of date: run `cargo xtask codegen`");
    Ok(())
}

fn generate() -> Result<String> {
    let proto = root().join("proto");
    let mut files: Vec<PathBuf> = std::fs::read_dir(proto.join("hongyan/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, [&proto])?;
    let out = std::env::temp_dir().join(format!("hongyan-codegen-{}", std::process::id()));
    std::fs::create_dir_all(&out)?;
    prost_build::Config::new().bytes(["."]).out_dir(&out).compile_fds(descriptors)?;
    let text = std::fs::read_to_string(out.join("hongyan.v1.rs"))?;
    std::fs::remove_dir_all(&out)?;
    Ok(text)
}
