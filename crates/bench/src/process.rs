//! What the kernel says about a process: CPU time and memory, from /proc.

use anyhow::{Context, Result};

/// What a process has used up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads, in microseconds.
    pub cpu_us: u64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
}

/// Asks about a process.
pub fn usage(pid: u32) -> Result<Usage> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}: is the process gone?"))
    };
    let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second();
    let ticks = cpu_ticks(&read("stat")?).with_context(|| format!("/proc/{pid}/stat has no CPU times"))?;
    let rss_kib = rss_kib(&read("status")?).with_context(|| format!("/proc/{pid}/status has no VmRSS"))?;
    Ok(Usage { cpu_us: ticks * tick_us, rss_kib })
}

/// This process.
pub fn own_usage() -> Result<Usage> {
    usage(std::process::id())
}

/// utime + stime, fields 14 and 15 of proc_pid_stat(5); the name, field 2, may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut number = || fields.next()?.parse::<u64>().ok();
    Some(number()? + number()?)
}

fn rss_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_words_are_understood() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 130 37 0 0 20 0 3";
        assert_eq!(cpu_ticks(stat), Some(167));
        assert_eq!(cpu_ticks("42 (x) S 1"), None);
        assert_eq!(rss_kib("VmPeak:\t 9 kB\nVmRSS:\t    5120 kB\n"), Some(5120));
        assert!(own_usage().unwrap().rss_kib > 0);
    }
}
