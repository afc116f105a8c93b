//! A store in memory with a disk that can fail: what a commit has not synced is lost in a power cut.
