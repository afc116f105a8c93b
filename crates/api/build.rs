//! Where the pages of the web parts will be: they are built with other tools, perhaps after the server or never.

use std::{env, fs, io};

const PAGES: [&str; 4] =
    ["../../web/chat/dist", "../../web/widget/dist", "../../web/demo/dist", "../../web/bridge/dist"];

fn main() -> io::Result<()> {
    // A release holds the files, and must be built again when they change.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    println!("cargo::rerun-if-changed=build.rs");
    for pages in PAGES {
        // A debug build notes the real place of the folder, to refuse files beside it, and there must be one to note.
        fs::create_dir_all(pages)?;
        if is_release {
            println!("cargo::rerun-if-changed={pages}");
        }
    }
    Ok(())
}
