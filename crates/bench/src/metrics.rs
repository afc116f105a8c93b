//! The server's own numbers, read from `/metrics`: only what the reports show.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

const TIME_MAX: Duration = Duration::from_secs(10);

/// Samples by name, those of different labels added up.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Asks a server.
    pub fn read(http: SocketAddr) -> Result<Self> {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIME_MAX)).build().into();
        let mut answer = agent.get(format!("http://{http}/metrics")).call().context("asking for /metrics")?;
        Ok(Self::parse(&answer.body_mut().read_to_string().context("reading /metrics")?))
    }

    fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let name = series.split('{').next().unwrap_or(series);
            *samples.entry(name.to_owned()).or_default() += value;
        }
        Self(samples)
    }

    /// The mean of what a histogram has recorded since `earlier`; `None` if nothing, or if there is no such histogram.
    pub fn mean_since(&self, earlier: &Self, histogram: &str) -> Option<f64> {
        let grown = |suffix: &str| {
            let name = format!("{histogram}_{suffix}");
            Some(self.0.get(&name)? - earlier.0.get(&name).copied().unwrap_or(0.0))
        };
        let (sum, count) = (grown("sum")?, grown("count")?);
        (count > 0.0).then(|| sum / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_that_of_the_interval() {
        let before = Metrics::parse("# TYPE x histogram\nx_sum 10\nx_count 5\nx_bucket{le=\"1\"} 5\n");
        let after = Metrics::parse("x_sum 70.0\nx_count 15\n");
        assert_eq!(after.mean_since(&before, "x"), Some(6.0));
        assert_eq!(after.mean_since(&after, "x"), None);
        assert_eq!(after.mean_since(&before, "y"), None);
        let labelled = Metrics::parse("y_sum{a=\"1\"} 1\ny_sum{a=\"2\"} 2\ny_count{a=\"1\"} 1\ny_count{a=\"2\"} 1");
        assert_eq!(labelled.mean_since(&Metrics::default(), "y"), Some(1.5));
    }
}
