//! Metric families under construction: the plain model of the `prometheus` crate, filled from numbers that
//! were counted elsewhere. A family without a sample is left out: no data is not 0.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::domain::tally;

/// The families of one exposition.
#[derive(Default)]
pub(super) struct Families(Vec<MetricFamily>);

/// One family; it is closed when it is dropped.
pub(super) struct Family<'a> {
    all: &'a mut Vec<MetricFamily>,
    built: MetricFamily,
    samples: Vec<Metric>,
    kind: MetricType,
}

/// Labels of one sample.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Families {
    /// A number that only grows; its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::COUNTER)
    }

    /// A number that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    /// A distribution.
    pub(super) fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::HISTOGRAM)
    }

    /// Everything.
    pub(super) fn into_inner(self) -> Vec<MetricFamily> {
        self.0
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(format!("banditop_{name}"));
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Family { all: &mut self.0, built: family, samples: Vec::new(), kind }
    }
}

impl Family<'_> {
    /// What `sample` takes from each of `items`; the family is whole then.
    pub(super) fn each<T>(mut self, items: impl IntoIterator<Item = T>, mut sample: impl FnMut(&mut Self, T)) {
        items.into_iter().for_each(|item| sample(&mut self, item));
    }

    /// A sample without labels.
    pub(super) fn is(&mut self, value: f64) {
        self.with(&[], value);
    }

    /// A sample, where there is one.
    pub(super) fn may_be(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.is(value);
        }
    }

    /// A sample with these labels; what is no finite number is no sample.
    pub(super) fn with(&mut self, labels: Labels<'_>, value: f64) {
        if !value.is_finite() {
            return;
        }
        let mut metric = labelled(labels);
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.samples.push(metric);
    }

    /// A count with these labels.
    pub(super) fn count(&mut self, labels: Labels<'_>, value: u64) {
        self.with(labels, value as f64);
    }

    /// A distribution with these labels, over the bounds that it was folded with.
    pub(super) fn distribution(&mut self, labels: Labels<'_>, values: &tally::Histogram, bounds: &[f64]) {
        let count = values.count();
        if count == 0 {
            return;
        }
        let mut cumulative = 0;
        let buckets = bounds.iter().zip(&values.counts).map(|(bound, count)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(values.sum);
        let mut metric = labelled(labels);
        metric.set_histogram(histogram);
        self.samples.push(metric);
    }
}

impl Drop for Family<'_> {
    fn drop(&mut self) {
        if !self.samples.is_empty() {
            self.built.set_metric(std::mem::take(&mut self.samples));
            self.all.push(std::mem::take(&mut self.built));
        }
    }
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}
