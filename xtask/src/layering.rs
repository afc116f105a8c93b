//! Keeps the arrows between crates as ARCHITECTURE.md draws them: which crate may use which, who may know SQL, sockets,
//! arguments and variables. What is not in the tables here is forbidden.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::headers::sources;
use crate::root;

const PREFIX: &str = "hongyan-";

/// What each crate may use of the others (tests may use more). A crate that is missing here is an error.
const ARROWS: &[(&str, &[&str])] = &[
    ("fault", &[]),
    ("wire", &["fault"]),
    ("domain", &[]),
    ("store", &["domain", "fault"]),
    ("cluster", &["wire", "domain", "fault"]),
    ("logic", &["wire", "domain", "store", "cluster", "fault"]),
    ("gate", &["wire", "domain", "cluster", "fault"]),
    ("api", &["domain", "store", "cluster", "logic"]),
    ("server", &["api", "cli", "client", "cluster", "domain", "fault", "gate", "logic", "store", "wire"]),
    ("client", &["wire", "fault"]),
    ("cli", &["client"]),
    // It judges what clients saw and shares nothing with what it judges.
    ("checker", &[]),
    ("bench", &["checker", "client", "wire"]),
    ("fuzz-targets", &["client", "cluster", "domain", "gate", "logic", "store", "wire"]),
    ("chaos", &["checker", "client", "fault", "wire"]),
    ("sim", &["checker", "client", "cluster", "domain", "fault", "gate", "logic", "store", "wire"]),
];

/// Libraries that only some crates may use.
const LIBRARIES: &[(&str, &[&str])] = &[
    // SQL is known to stores: the server's, and the client's own.
    ("rusqlite", &["store", "client", "sim"]),
    ("clap", &["server", "cli", "bench", "chaos", "sim"]),
    ("axum", &["api", "gate", "server"]),
    // The gate takes connections over that become WebSockets.
    ("hyper", &["api", "gate", "server"]),
    ("ratatui", &["cli"]),
    ("crossterm", &["cli"]),
    ("snow", &["wire"]),
    ("jsonwebtoken", &["logic", "server"]),
    ("argon2", &["server"]),
    ("prometheus-client", &["api"]),
];

/// Words that only the sources of some crates may contain.
const WORDS: &[(&str, &[&str])] = &[
    ("tokio::net", &["api", "bench", "chaos", "client", "gate", "server"]),
    ("std::net::TcpListener", &["api", "chaos", "gate", "server"]),
    ("std::net::TcpStream", &["api", "bench", "chaos", "client", "gate", "server"]),
    ("std::env::", &["bench", "chaos", "checker", "cli", "fault", "server", "sim"]),
    ("std::process::exit", &["chaos", "server"]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Fails if a crate uses what it may not.
pub fn check() -> Result<()> {
    let mut wrong = wrong_dependencies(&metadata()?);
    for path in sources(&["crates"])? {
        wrong.extend(wrong_words(&path)?);
    }
    ensure!(wrong.is_empty(), "the layering is broken:\n  {}", wrong.join("\n  "));
    Ok(())
}

fn metadata() -> Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .context("running cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn wrong_dependencies(metadata: &Metadata) -> Vec<String> {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some(name) = package.name.strip_prefix(PREFIX) else { continue };
        let Some(allowed) = arrows.get(name) else {
            wrong.push(format!("the crate {name} has no arrows: add it to xtask/src/layering.rs and ARCHITECTURE.md"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|used| used.kind.is_none()) {
            let library = LIBRARIES.iter().find(|(library, _)| *library == dependency.name);
            let forbidden = match (dependency.name.strip_prefix(PREFIX), library) {
                (Some(other), _) => !allowed.contains(&other),
                (None, Some((_, users))) => !users.contains(&name),
                (None, None) => false,
            };
            if forbidden {
                wrong.push(format!("{name} may not use {}", dependency.name));
            }
        }
    }
    wrong
}

fn wrong_words(path: &Path) -> Result<Vec<String>> {
    let inside = path.strip_prefix(root().join("crates")).context("sources are asked for below crates")?;
    let mut parts = inside.iter().filter_map(|part| part.to_str());
    let (name, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if folder != "src" {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path)?;
    let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let broken =
        WORDS.iter().filter(|(word, users)| !users.contains(&name) && code.iter().any(|line| line.contains(word)));
    Ok(broken.map(|(word, _)| format!("{} may not say {word}", inside.display())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Metadata {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
            .collect();
        Metadata { packages: vec![Package { name: name.to_owned(), dependencies }] }
    }

    #[test]
    fn the_arrows_hold() {
        check().unwrap();
    }

    #[test]
    fn a_wrong_arrow_is_found() {
        let wrong = |name, dependencies: &[_]| wrong_dependencies(&package(name, dependencies));
        assert_eq!(wrong("hongyan-gate", &[("hongyan-store", None)]), ["gate may not use hongyan-store"]);
        assert_eq!(wrong("hongyan-logic", &[("rusqlite", None)]), ["logic may not use rusqlite"]);
        assert_eq!(wrong("hongyan-new", &[]).len(), 1, "a crate without arrows");
        assert!(wrong("hongyan-gate", &[("hongyan-store", Some("dev"))]).is_empty(), "tests may");
        assert!(wrong("hongyan-store", &[("rusqlite", None), ("hongyan-domain", None)]).is_empty());
    }
}
