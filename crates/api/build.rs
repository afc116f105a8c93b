//! Where the pages of the web chat will be: they are built with other tools, perhaps after the server or never.

use std::{env, fs, io};

const PAGES: &str = "../../web/chat/dist";

fn main() -> io::Result<()> {
    // A debug build notes the real place of the folder, to refuse files beside it, and there must be one to note.
    fs::create_dir_all(PAGES)?;
    // A release holds the files, and must be built again when they change.
    let watched = if env::var("PROFILE").is_ok_and(|profile| profile == "release") { PAGES } else { "build.rs" };
    println!("cargo::rerun-if-changed={watched}");
    Ok(())
}
