//! The numbers of `/metrics`.

use crate::support::Api;

/// A server's numbers, on the listener that they have to themselves.
pub(crate) struct Numbers {
    api: Api,
}

impl Numbers {
    pub(crate) fn new(port: u16) -> Self {
        Self { api: Api::new(format!("http://127.0.0.1:{port}")) }
    }

    /// The variable that has them served.
    pub(crate) fn variable(port: u16) -> (String, String) {
        ("METRICS_ADDR".to_owned(), format!("127.0.0.1:{port}"))
    }

    pub(crate) async fn text(&self) -> String {
        let answer = self.api.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        answer.text
    }

    /// The sum of all series of this name that have these labels.
    pub(crate) async fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.text().await;
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        text.lines()
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .filter(|(series, _)| labels.iter().all(|label| series.contains(label)))
            .map(|(_, value)| value.parse::<f64>().unwrap())
            .sum()
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }
}
