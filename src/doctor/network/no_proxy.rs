//! Which hosts a client reaches without its proxy: the grammar of NO_PROXY, as the clients read it.
//! Pure.
//!
//! All take `example.com` and `.example.com` for the domain and all below it, and none knows a
//! range for a host that has a name. In the rest they differ.

use std::net::IpAddr;

/// What a client understands in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// Commas, domains, addresses and ranges.
    Plain,
    /// Also blanks between entries, `*.example.com`, `host:port` and a dot at the end.
    Rich,
}

/// Whether the list names the host.
pub fn covers(grammar: Grammar, list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let covers = |entry: &str| entry_covers(grammar, &entry.to_ascii_lowercase(), &host, port);
    match grammar {
        Grammar::Plain => list.split(',').map(str::trim).any(covers),
        Grammar::Rich => list.split(|c: char| c == ',' || c.is_whitespace()).any(covers),
    }
}

fn entry_covers(grammar: Grammar, entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if entry.is_empty() {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return covers_address(entry, address);
    }
    let mut domain = entry;
    if grammar == Grammar::Rich {
        domain = domain.strip_prefix("*.").unwrap_or(domain);
        if let Some((name, of)) = domain.rsplit_once(':')
            && let Ok(of) = of.parse::<u16>()
        {
            if of != port {
                return false;
            }
            domain = name;
        }
    }
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let domain = match grammar {
        Grammar::Plain => domain,
        Grammar::Rich => domain.strip_suffix('.').unwrap_or(domain),
    };
    if domain.is_empty() {
        return false;
    }
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A host that is an address: the same one, or a range that contains it.
fn covers_address(entry: &str, host: IpAddr) -> bool {
    let Some((start, bits)) = entry.split_once('/') else {
        return entry.trim_matches(['[', ']']).parse() == Ok(host);
    };
    let (Ok(start), Ok(bits)) = (start.parse::<IpAddr>(), bits.parse::<u32>()) else {
        return false;
    };
    let prefix = |value: u128, width: u32| {
        width.checked_sub(bits).map(|unused| value.checked_shr(unused).unwrap_or(0))
    };
    match (start, host) {
        (IpAddr::V4(start), IpAddr::V4(host)) => {
            let [start, host] = [start, host].map(|it| prefix(u32::from(it).into(), 32));
            start.is_some() && start == host
        }
        (IpAddr::V6(start), IpAddr::V6(host)) => {
            let [start, host] = [start, host].map(|it| prefix(it.into(), 128));
            start.is_some() && start == host
        }
        _ => false,
    }
}

/// Why an entry that seems to name the host does not: for the fix.
pub fn almost(grammar: Grammar, list: &str, host: &str, port: u16) -> Option<&'static str> {
    if covers(grammar, list, host, port) {
        return None;
    }
    let names = |entry: &str| covers(Grammar::Plain, entry, host, port);
    if list.split(',').any(|entry| entry.trim().strip_prefix("*.").is_some_and(names)) {
        return Some("`*.example.com` is not understood: write `.example.com`");
    }
    let without_port = |entry: &str| entry.trim().rsplit_once(':').is_some_and(|(it, _)| names(it));
    if list.split(',').any(without_port) {
        return Some("an entry with a port is not understood: write the host alone");
    }
    if list.split_whitespace().any(names) {
        return Some("only commas separate entries");
    }
    let without_scheme =
        |entry: &str| entry.trim().split_once("://").is_some_and(|(_, it)| names(it));
    list.split(',').any(without_scheme).then_some("an entry is a host, not a URL")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_names_a_host_as_the_client_reads_it() {
        let api = "api.anthropic.com";
        for (list, host, plain, rich) in [
            ("*", api, true, true),
            (api, api, true, true),
            ("API.Anthropic.com", api, true, true),
            (".anthropic.com", api, true, true),
            (".anthropic.com", "anthropic.com", true, true),
            ("anthropic.com", api, true, true),
            ("com", api, true, true),
            ("thropic.com", api, false, false),
            ("api.anthropic.com.", api, false, true),
            ("..anthropic.com", api, false, false),
            (".", api, false, false),
            ("*.", api, false, false),
            ("*.anthropic.com", api, false, true),
            ("*anthropic.com", api, false, false),
            ("api.anthropic.com:443", api, false, true),
            ("api.anthropic.com:80", api, false, false),
            ("https://api.anthropic.com", api, false, false),
            ("localhost api.anthropic.com", api, false, true),
            ("localhost, api.anthropic.com", api, true, true),
            ("127.0.0.0/8", api, false, false),
            ("127.0.0.0/8", "127.0.0.1", true, true),
            ("127.0.0.1", "127.0.0.1", true, true),
            ("10.0.0.0/8", "127.0.0.1", false, false),
            ("10.0.0.0/0", "127.0.0.1", true, true),
            ("10.0.0.0/33", "127.0.0.1", false, false),
            ("fd00::/8", "[fd12::1]", true, true),
            ("127.0.0.1", "localhost", false, false),
            ("", "chatgpt.com", false, false),
            (",,", "chatgpt.com", false, false),
        ] {
            let covers = |grammar| covers(grammar, list, host, 443);
            assert_eq!(covers(Grammar::Plain), plain, "{list} {host}");
            assert_eq!(covers(Grammar::Rich), rich, "{list} {host}");
        }
    }

    #[test]
    fn an_entry_that_seems_to_name_the_host_is_explained() {
        for (list, is_explained) in [
            ("*.anthropic.com", true),
            ("api.anthropic.com:443", true),
            ("localhost api.anthropic.com", true),
            ("https://api.anthropic.com", true),
            ("api.anthropic.com", false),
            ("example.com", false),
            ("", false),
        ] {
            let why = almost(Grammar::Plain, list, "api.anthropic.com", 443);
            assert_eq!(why.is_some(), is_explained, "{list}");
        }
    }

    proptest! {
        #[test]
        fn no_list_panics(list in ".{0,60}", host in "[a-z0-9.:\\[\\]]{0,30}") {
            for grammar in [Grammar::Plain, Grammar::Rich] {
                let is_covered = covers(grammar, &list, &host, 443);
                prop_assert!(!(is_covered && almost(grammar, &list, &host, 443).is_some()));
            }
        }
    }
}
