//! Chores of the repository. `cargo xtask` lists them. Nothing here is part of the product.

mod codegen;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let chore = std::env::args().nth(1).unwrap_or_default();
    match chore.as_str() {
        "codegen" => codegen::write(),
        "codegen-check" => codegen::check(),
        _ => bail!("usage: cargo xtask codegen | codegen-check"),
    }
}
