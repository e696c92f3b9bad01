//! The effective settings as text: TOML that could be used as a file, or JSON; secrets masked.

use serde_json::Value;

use super::secret::mask_url;
use super::{Settings, fit};

impl Settings {
    /// As JSON, secrets masked, keys without a value left out.
    pub fn to_masked_json(&self) -> Value {
        let mut shown = self.clone();
        shown.queue.url = shown.queue.url.split(',').map(mask_url).collect::<Vec<_>>().join(",");
        shown.store.url = mask_url(&shown.store.url);
        let mut tree = Value::Object(fit::pattern_of(&shown));
        drop_nulls(&mut tree);
        tree
    }

    /// As TOML, secrets masked.
    pub fn to_masked_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.to_masked_json())
    }
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, inner| !inner.is_null());
        map.values_mut().for_each(drop_nulls);
    }
}
