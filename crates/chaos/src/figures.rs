//! Numbers made from many numbers: percentiles of times, slopes of samples. Pure.

use std::time::Duration;

/// The value below or at which `fraction` of all lie; `None` if there is none.
pub fn percentile(times: &[Duration], fraction: f64) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() as f64 * fraction).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// In milliseconds, for tables.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// How much `y` grows per unit of `x` in several runs of points (x, y), each with a level of its own: least squares. 0
/// if no run has two different `x`.
pub fn slope_within(runs: &[Vec<(f64, f64)>]) -> f64 {
    let (mut spread, mut common) = (0.0, 0.0);
    for run in runs {
        let count = run.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| run.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        spread += run.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
        common += run.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    }
    if spread > 0.0 { common / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        let at = |fraction| percentile(&times, fraction).unwrap().as_millis();
        assert_eq!((at(0.0), at(0.5), at(0.99), at(1.0)), (1, 50, 99, 100));
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&times[..1], 0.5), Some(times[0]));
    }

    #[test]
    fn a_slope_is_that_of_the_lines() {
        let line = |from: f64, level: f64| (0..10).map(|x| (from + f64::from(x), level - 0.5 * f64::from(x))).collect();
        let lines: Vec<Vec<_>> = vec![line(0.0, 3.0), line(20.0, 700.0)];
        assert!((slope_within(&lines) + 0.5).abs() < 1e-9);
        let noisy = vec![vec![(0.0, 1.0), (1.0, 3.0), (2.0, 1.0), (3.0, 3.0)]];
        assert!((slope_within(&noisy) - 0.4).abs() < 1e-9);
        assert_eq!((slope_within(&[vec![(1.0, 1.0)]]), slope_within(&[vec![]]), slope_within(&[])), (0.0, 0.0, 0.0));
    }
}
