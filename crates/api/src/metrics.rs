//! `/metrics`: the numbers of every part of the server in the text format of OpenMetrics, which Prometheus reads. Keeps
//! no numbers itself.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hongyan_domain::measure::{Measure, Measured, Value};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::problem::Problem;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Of every name.
const PREFIX: &str = "hongyan";
const MICROSECONDS: &str = "_us";

/// The parts whose numbers are shown; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    /// Shows the numbers of these parts.
    pub fn new(parts: Vec<Arc<dyn Measured>>) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(Parts(parts)));
        Self(Arc::new(registry))
    }

    fn text(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.0)?;
        Ok(page)
    }
}

pub(crate) fn routes(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

async fn show(State(metrics): State<Metrics>) -> Result<impl IntoResponse, Problem> {
    let page = metrics.text().map_err(|_| Problem::Internal)?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], page))
}

struct Parts(Vec<Arc<dyn Measured>>);

impl fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} parts", self.0.len())
    }
}

impl Collector for Parts {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut samples = Vec::new();
        for part in &self.0 {
            part.visit(&mut |measure| samples.push(Sample::of(measure)));
        }
        for family in samples.chunk_by(|one, other| one.name == other.name) {
            let (first, kind) = (&family[0], family[0].number.metric_type());
            let mut metric = encoder.encode_descriptor(&first.name, first.help, None, kind)?;
            for sample in family {
                match sample.label {
                    Some(label) => sample.number.encode(metric.encode_family(&[label])?)?,
                    // Without a label it is alone under its name.
                    None => {
                        sample.number.encode(metric)?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A measure as it was when it was read.
struct Sample {
    name: String,
    help: &'static str,
    label: Option<(&'static str, &'static str)>,
    number: Number,
}

enum Number {
    Counter(u64),
    Gauge(i64),
    Histogram { sum: f64, buckets: Vec<(f64, u64)> },
}

impl Sample {
    /// Prometheus wants seconds; the parts count microseconds.
    fn of(measure: Measure<'_>) -> Self {
        let (name, unit) = match measure.name.strip_suffix(MICROSECONDS) {
            Some(stem) => (format!("{stem}_seconds"), 1e6),
            None => (measure.name.to_owned(), 1.0),
        };
        let number = match measure.value {
            Value::Counter(number) => Number::Counter(number),
            Value::Gauge(number) => Number::Gauge(number),
            Value::Histogram(histogram) => Number::Histogram {
                sum: histogram.sum() as f64 / unit,
                buckets: histogram
                    .buckets()
                    .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| bound as f64 / unit), count))
                    .collect(),
            },
        };
        Self { name, help: measure.help, label: measure.label, number }
    }
}

impl EncodeMetric for Number {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        match self {
            Self::Counter(number) => encoder.encode_counter::<NoLabelSet, _, u64>(number, None),
            Self::Gauge(number) => encoder.encode_gauge(number),
            Self::Histogram { sum, buckets } => {
                let count = buckets.iter().map(|(_, count)| count).sum();
                encoder.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
            }
        }
    }

    fn metric_type(&self) -> MetricType {
        match self {
            Self::Counter(_) => MetricType::Counter,
            Self::Gauge(_) => MetricType::Gauge,
            Self::Histogram { .. } => MetricType::Histogram,
        }
    }
}

#[cfg(test)]
mod tests {
    use hongyan_domain::measure::{Counter, Gauge, Histogram};

    use super::*;

    struct Part {
        sends: Counter,
        syncs: Counter,
        depth: Gauge,
        commit: Histogram,
    }

    impl Measured for Part {
        fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
            let mut show = |name, label, value| see(Measure { name, help: "What it is", label, value });
            show("gate_requests", Some(("operation", "SEND")), Value::Counter(self.sends.get()));
            show("gate_requests", Some(("operation", "SYNC")), Value::Counter(self.syncs.get()));
            show("store_queue_depth", None, Value::Gauge(self.depth.get()));
            show("store_commit_us", None, Value::Histogram(&self.commit));
        }
    }

    #[test]
    fn a_page_shows_families_gauges_and_seconds() {
        let part = Part {
            sends: Counter::default(),
            syncs: Counter::default(),
            depth: Gauge::default(),
            commit: Histogram::new(&[1_000, 1_000_000]),
        };
        part.sends.add(3);
        part.depth.add(-2);
        part.commit.observe(500);
        part.commit.observe(2_000_000);
        let page = Metrics::new(vec![Arc::new(part)]).text().unwrap();
        for line in [
            "hongyan_gate_requests_total{operation=\"SEND\"} 3",
            "hongyan_gate_requests_total{operation=\"SYNC\"} 0",
            "hongyan_store_queue_depth -2",
            "hongyan_store_commit_seconds_sum 2.0005",
            "hongyan_store_commit_seconds_bucket{le=\"0.001\"} 1",
            "hongyan_store_commit_seconds_bucket{le=\"+Inf\"} 2",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
        assert_eq!(page.matches("# TYPE hongyan_gate_requests counter").count(), 1);
    }
}
