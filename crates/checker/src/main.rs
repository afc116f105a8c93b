//! `hongyan-check FILE…`: judges histories and prints the reports in plain words. It ends with 1 if a promise is broken,
//! and with 2 if a file cannot be read. `-` is the standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use hongyan_checker::{CheckerOptions, LineError, Report, judge_lines};

const USAGE: &str = "usage: hongyan-check FILE…\nJudges histories of what clients saw, one record of JSON a line.";
const BROKEN: u8 = 1;
const UNREADABLE: u8 = 2;

fn main() -> ExitCode {
    let files: Vec<_> = std::env::args().skip(1).collect();
    if files.is_empty() || files.iter().any(|file| file == "--help" || file == "-h") {
        println!("{USAGE}");
        return if files.is_empty() { ExitCode::from(UNREADABLE) } else { ExitCode::SUCCESS };
    }
    let mut clean = true;
    for file in files {
        println!("{file}");
        match judge(&file) {
            Ok(report) => {
                print!("{report}");
                clean &= report.is_clean();
            }
            Err(error) => {
                eprintln!("hongyan-check: {file}: {error}");
                return ExitCode::from(UNREADABLE);
            }
        }
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) }
}

fn judge(file: &str) -> Result<Report, LineError> {
    let input: Box<dyn BufRead> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(BufReader::new(File::open(file)?)) };
    judge_lines(input, CheckerOptions::default())
}
