//! Secrets as files: 32 random bytes in hexadecimal, mode 0600, made at first start. A secret that others could read, or
//! that nobody drew at random, stops the server (reliability row 25).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Bytes of every secret.
pub const BYTES: usize = 32;
/// Bits of a file's mode that nobody but the owner may have.
const OTHERS: u32 = 0o077;
/// More than any file with a secret holds, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// A secret.
pub type Secret = [u8; BYTES];

/// Reads a secret, or makes it if there is none.
pub fn read_or_make(path: &Path) -> Result<Secret> {
    if path.try_exists().with_context(|| format!("looking for {}", path.display()))? { read(path) } else { make(path) }
}

/// Makes a secret; the file must not exist. It is complete and on disk before it has its name.
pub fn make(path: &Path) -> Result<Secret> {
    let mut secret = Secret::default();
    aws_lc_rs::rand::fill(&mut secret).ok().context("the system gives no randomness")?;
    write(path, &hex(&secret)).with_context(|| format!("writing {}", path.display()))?;
    Ok(secret)
}

/// Reads a secret and refuses one that is not secret.
pub fn read(path: &Path) -> Result<Secret> {
    let (name, text) = (path.display(), read_private(path)?);
    let secret = parse(text.trim()).with_context(|| format!("{name} must hold {} hexadecimal digits", 2 * BYTES))?;
    if is_weak(&secret) {
        bail!("the secret {name} was not drawn at random: remove the file, and a new one will be made");
    }
    Ok(secret)
}

/// The text of a file that nobody else may read.
pub fn read_private(path: &Path) -> Result<String> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("reading the secret {name}"))?;
    let mode = file.metadata()?.mode() & 0o777;
    ensure!(mode & OTHERS == 0, "others may read the secret {name} (mode {mode:o}): replace it, or chmod 600 {name}");
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(|| format!("reading the secret {name}"))?;
    Ok(text)
}

/// Writes a file that nobody else may read, in place of what is there.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::rename(unfinished(path, text)?, path)?;
    sync_folder(path)
}

/// Of 32 random bytes hardly ever fewer than 20 are different; a typed pattern has few.
fn is_weak(secret: &Secret) -> bool {
    let mut seen = [false; 256];
    secret.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count() < 12
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = unfinished(path, text)?;
    // Unlike a rename, a link never replaces a secret that is in use.
    std::fs::hard_link(&unfinished, path)?;
    std::fs::remove_file(&unfinished)?;
    sync_folder(path)
}

/// The text on disk, under another name.
fn unfinished(path: &Path, text: &str) -> std::io::Result<PathBuf> {
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(unfinished)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// In hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From hexadecimal.
pub fn parse(text: &str) -> Option<Secret> {
    let mut secret = Secret::default();
    if text.len() != 2 * BYTES {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise.key");
        let secret = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), secret);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(make(&path).is_err(), "never replaced");
        assert_eq!(read(&path).unwrap(), secret);
    }

    #[test]
    fn what_is_not_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.key");
        let good = hex(&make(&path).unwrap());
        let refusal = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            read(&path).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(refusal(&good, 0o600), Ok(()));
        for mode in [0o640, 0o604, 0o644, 0o660] {
            assert!(refusal(&good, mode).unwrap_err().contains("others may read"), "{mode:o}");
        }
        for text in ["", "abc", &good[1..], &format!("{good}00"), &good.replace(&good[..1], "x")] {
            assert!(refusal(text, 0o600).unwrap_err().contains("64 hexadecimal digits"), "{text}");
        }
        for text in ["00".repeat(32), "ff".repeat(32), "0123456789abcdef".repeat(4)] {
            assert!(refusal(&text, 0o600).unwrap_err().contains("not drawn at random"), "{text}");
        }
    }
}
