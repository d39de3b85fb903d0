//! The console: `[console]`.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::{Config, ConfigError};

/// Longest host name (RFC 1035), in bytes.
const HOST_BYTES_MAX: usize = 253;

/// What browsers have to know of the console.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Where people open the console, `https://<host>[:<port>]`: passkeys are made for this host, and work nowhere else.
    pub origin: Option<String>,
}

impl ConsoleConfig {
    /// Where passkeys are made and used, for a console at this address: where the configuration says, or on this machine, or
    /// nowhere.
    pub fn passkey_origin(&self, at: SocketAddr) -> Option<String> {
        let on_this_machine = || match at.port() {
            443 => "https://localhost".to_owned(),
            port => format!("https://localhost:{port}"),
        };
        self.origin.clone().or_else(|| at.ip().is_loopback().then(on_this_machine))
    }
}

/// Whether a text is an origin as browsers write it, of a host that passkeys can be for: a name, and no address.
fn is_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // Browsers take a last label of digits for the end of an address.
    let is_name = host.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
    let is_port =
        |port: &str| port.parse::<u16>().is_ok_and(|number| !matches!(number, 0 | 443) && number.to_string() == port);
    host.len() <= HOST_BYTES_MAX
        && host.split('.').all(is_label)
        && is_name
        && host.parse::<IpAddr>().is_err()
        && port.is_none_or(is_port)
}

impl Config {
    pub(super) fn check_console(&self) -> Result<(), ConfigError> {
        match &self.console.origin {
            Some(origin) if !is_origin(origin) => Err(ConfigError::Value(format!(
                "console.origin: {origin:?} is not https://NAME or https://NAME:PORT, in small letters, without a path and \
                 without the port 443; passkeys do not work with addresses"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in
            ["https://localhost", "https://kms.example:8445", "https://a-b.c1.example", "https://xn--fiq228c.example"]
        {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "kms.example",
            "http://kms.example",
            "https://",
            "https://KMS.example",
            "https://kms.example/",
            "https://kms.example:443",
            "https://kms.example:0",
            "https://kms.example:08445",
            "https://kms.example:65536",
            "https://kms.example:",
            "https://192.0.2.1",
            "https://192.0.2.1:8445",
            "https://[::1]:8445",
            "https://kms..example",
            "https://kms.example.",
            "https://-kms.example",
            "https://kms_1.example",
            "https://user@kms.example",
            "https://鍵.example",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
        let config =
            |origin: &str| Config { console: ConsoleConfig { origin: Some(origin.to_owned()) }, ..Config::default() };
        assert!(config("https://kms.example").checked_regions().is_ok());
        let refused = config("https://192.0.2.1").checked_regions().unwrap_err().to_string();
        assert!(refused.contains("console.origin") && refused.contains("addresses"), "{refused}");
    }

    #[test]
    fn without_one_passkeys_are_for_this_machine_alone() {
        let none = ConsoleConfig::default();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(none.passkey_origin(at("127.0.0.1:8445")).as_deref(), Some("https://localhost:8445"));
        assert_eq!(none.passkey_origin(at("[::1]:443")).as_deref(), Some("https://localhost"));
        assert_eq!(none.passkey_origin(at("0.0.0.0:8445")), None);
        assert_eq!(none.passkey_origin(at("192.0.2.1:8445")), None);
        let some = ConsoleConfig { origin: Some("https://kms.example".into()) };
        assert_eq!(some.passkey_origin(at("127.0.0.1:8445")).as_deref(), Some("https://kms.example"));
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in ".{0,80}") {
            if is_origin(&text) {
                let url = reqwest::Url::parse(&text).unwrap();
                prop_assert_eq!(url.origin().ascii_serialization(), text);
            }
        }
    }
}
