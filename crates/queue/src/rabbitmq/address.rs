//! Where the brokers are.
//!
//! An address holds a password. It is shown without, and one that is not understood is not shown at all: errors name its place.

use std::fmt;
use std::path::PathBuf;

use amq_protocol::uri::AMQPUri;
use secrecy::{ExposeSecret, SecretString};

/// Where the brokers are: `amqp://` or `amqps://` addresses with user, password and virtual host.
#[derive(Debug, Clone)]
pub enum Addresses {
    /// As given.
    Given(Vec<SecretString>),
    /// One a line or comma, in a file that is read again at each connection.
    File(PathBuf),
}

impl Addresses {
    /// All addresses, in the order in which they are tried; in place of one that is not understood a sentence that says so.
    pub(super) fn read(&self) -> Result<Vec<Result<Address, String>>, String> {
        let (texts, place) = match self {
            Self::Given(addresses) => (addresses.clone(), String::new()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    format!("the file of broker addresses {} cannot be read: {error}", path.display())
                })?;
                let addresses = text.split([',', '\n']).map(str::trim).filter(|address| !address.is_empty());
                let addresses = addresses.map(|address| SecretString::from(address.to_owned())).collect();
                (addresses, format!(" in {}", path.display()))
            }
        };
        if texts.is_empty() {
            return Err("no broker address is given".to_owned());
        }
        let parse = |(number, text): (usize, &SecretString)| {
            Address::parse(text.expose_secret()).map_err(|why| format!("broker address {number}{place} {why}"))
        };
        Ok((1..).zip(&texts).map(parse).collect())
    }
}

/// One broker, who we are to it, and the virtual host.
#[derive(Clone)]
pub(super) struct Address {
    uri: AMQPUri,
    shown: String,
}

impl Address {
    /// The error completes a sentence and repeats nothing.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const UNLIKE: &str = "is not like amqp://user:password@host:port/virtual-host";
        let (_, rest) = text.split_once("://").ok_or(UNLIKE)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        if path.contains('@') {
            // It would pass for a host with a virtual host that is half a password.
            return Err("has an @ after its host: in user, password and virtual host write / ? # @ as %2F %3F %23 %40");
        }
        if place.contains('[') {
            // The parser would take it for localhost.
            return Err("names its host by an IPv6 address, which is not understood: use a name");
        }
        let uri: AMQPUri = text.parse().map_err(|_| UNLIKE)?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let shown = format!("{}://{place}{path}", uri.scheme);
        Ok(Self { uri, shown })
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.uri
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QueueState;
    use crate::rabbitmq::{RabbitMq, Settings};

    const MALFORMED: [&str; 17] = [
        "user:Sesame@host",
        "amqp:user:Sesame@host",
        "amqps:user:Sesame@host",
        "amqp:/user:Sesame@host",
        "amqp:///user:Sesame@host",
        "amqp//user:Sesame@host",
        "://user:Sesame@host",
        "user:Sesame@host://",
        "http://user:Sesame@host",
        "amqp://user:Sesame",
        "amqp://user:Sesame@",
        "amqp://user:Sesame@host:port",
        "amqp://user:Sesame@[::1]:5672",
        "amqp://user:12/Sesame@host",
        "amqp://user/Sesame@host",
        "amqp://user:12#Sesame@host",
        "amqp://user:12?Sesame@host",
    ];

    #[test]
    fn an_address_is_shown_without_user_password_and_parameters() {
        for (text, shown) in [
            ("amqp://user:Sesame@host:5672/place?heartbeat=1", "amqp://host:5672/place"),
            ("amqps://user:Ses@me@host", "amqps://host"),
            ("amqp://host/%2f", "amqp://host/%2f"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn an_address_that_is_not_understood_does_not_keep_the_others_from_being_tried() {
        let given = ["amqp:nonsense", "amqp://host"].map(|text| SecretString::from(text.to_owned()));
        let [Err(why), Ok(good)] = &Addresses::Given(given.to_vec()).read().unwrap()[..] else { panic!() };
        assert!(why.starts_with("broker address 1 is not like amqp://"), "{why}");
        assert_eq!(good.to_string(), "amqp://host");
    }

    #[tokio::test]
    async fn no_password_is_shown_however_malformed_its_address_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses");
        for text in MALFORMED {
            std::fs::write(&path, text).unwrap();
            for addresses in [Addresses::File(path.clone()), Addresses::Given(vec![text.to_owned().into()])] {
                assert!(!format!("{addresses:?}").contains("Sesame"), "{text}");
                // What is told is what is logged.
                let (publisher, _ended) = RabbitMq::new(addresses, Settings::default(), "test").publisher();
                let mut state = publisher.state();
                let down = state.wait_for(|state| matches!(state, QueueState::Down(_))).await.unwrap().clone();
                let QueueState::Down(why) = down else { panic!("{down:?}") };
                assert!(why.starts_with("broker address 1") && !why.contains("Sesame"), "{text}: {why}");
            }
        }
    }
}
