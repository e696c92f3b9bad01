//! The memory of event ids (R6). An id is made of the value that changed, so that the same change has the same id even when
//! it is observed again by a store restored from a backup. A value that goes away and comes back would give the same id to
//! two changes: the memory notices, and the version makes the difference then.

use events::{Connection, ConnectionEvent, EventType};
use serde::{Deserialize, Serialize};

/// So many ids are remembered for a connection.
const IDS_MAX: usize = 16;

/// The ids of the events that were made of a connection lately, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Announced {
    ids: Vec<String>,
}

impl Announced {
    /// The event of `kind` about `value`, with an id that none of the remembered ones has; remembers it.
    pub(crate) fn event(
        &mut self,
        kind: EventType,
        value: &str,
        changed: Vec<String>,
        view: Connection,
    ) -> ConnectionEvent {
        let version = view.version;
        let event = ConnectionEvent::new(kind, value, changed, view);
        let Some(place) = self.ids.iter().position(|id| *id == event.id) else {
            self.ids.push(event.id.clone());
            if self.ids.len() > IDS_MAX {
                self.ids.remove(0);
            }
            return event;
        };
        // Moved to the end, so that a value that comes back again and again is never forgotten.
        let id = self.ids.remove(place);
        self.ids.push(id);
        ConnectionEvent::new(kind, &format!("{value}#{version}"), event.data.changed, event.data.connection)
    }
}
