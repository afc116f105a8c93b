//! Chores of the repository. `cargo xtask` lists them. Nothing here is part of the product.

mod codegen;
mod headers;
mod layering;

use std::path::Path;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let chore = std::env::args().nth(1).unwrap_or_default();
    match chore.as_str() {
        "check" => codegen::check().and_then(|()| layering::check()).and_then(|()| headers::check()),
        "codegen" => codegen::write(),
        "codegen-check" => codegen::check(),
        "headers" => headers::check(),
        "layering" => layering::check(),
        _ => bail!("usage: cargo xtask check | codegen | codegen-check | headers | layering"),
    }
}

/// The top of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}
