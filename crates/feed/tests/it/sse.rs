//! Just enough of an SSE client.

use reqwest::Response;
use serde_json::Value;

/// An open stream.
pub(crate) struct Sse {
    response: Response,
    buffer: String,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) id: u64,
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Sse {
    pub(crate) fn new(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next block, without the empty line that ends it; `None` at a clean end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let mut block: String = self.buffer.drain(..end + 2).collect();
                block.truncate(end);
                return Some(block);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event, comments and other fields left out.
    pub(crate) async fn event(&mut self) -> Option<Frame> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let Some(id) = field("id: ") else { continue };
            return Some(Frame {
                id: id.parse().unwrap(),
                event: field("event: ").unwrap(),
                data: serde_json::from_str(&field("data: ").unwrap()).unwrap(),
            });
        }
    }

    pub(crate) async fn events(&mut self, count: usize) -> Vec<Frame> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await.unwrap());
        }
        events
    }
}
