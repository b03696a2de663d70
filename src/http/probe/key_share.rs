//! A first message of TLS that takes more than one packet, as those of the clients do: they offer
//! X25519MLKEM768, whose key share has 1,216 bytes. Ways that lose or cut it let a small one pass.

use rustls::crypto::ring::kx_group::X25519;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, ProtocolVersion};

/// With it the message has about 1,540 bytes; a packet has 1,460 at most.
const LENGTH: usize = 1300;
/// One that no server has (RFC 8701): it takes the share of X25519 beside it.
const GROUP: NamedGroup = NamedGroup::Unknown(0x2a2a);

/// X25519 beside a share that no server reads.
#[derive(Debug)]
pub struct LargeKeyShare;

struct OfferedShares {
    x25519: Box<dyn ActiveKeyExchange>,
    share: Vec<u8>,
}

impl SupportedKxGroup for LargeKeyShare {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(OfferedShares { x25519: X25519.start()?, share: vec![0x2a; LENGTH] }))
    }

    fn name(&self) -> NamedGroup {
        GROUP
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

impl ActiveKeyExchange for OfferedShares {
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.x25519.group(), self.x25519.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.x25519.complete(peer)
    }

    fn complete(self: Box<Self>, _: &[u8]) -> Result<SharedSecret, Error> {
        Err(Error::General("the server took a group that does not exist".to_owned()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        GROUP
    }
}
