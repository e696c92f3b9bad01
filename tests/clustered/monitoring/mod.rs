//! Prometheus' own word on `deploy/`: on its files, and, beside a cluster under load, on every query in them.

mod alerts;
mod promql;
mod promtool;
mod queries;
mod scene;
