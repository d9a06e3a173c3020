//! The certificate of the door, and what a password is bound to by it.
//!
//! # Channel binding
//! `tls-server-end-point` (RFC 5929) is the hash of the certificate by the hash of its signature, by SHA-256 where that is
//! MD5 or SHA-1. A certificate whose signature has no such hash (Ed25519, RSASSA-PSS) binds nothing, as in PostgreSQL:
//! then SCRAM-SHA-256-PLUS is not offered.

use std::sync::Arc;

use gwbank_door::{Certified, TlsError, TlsFiles};
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use tokio_rustls::TlsAcceptor;

/// What TLS is served with.
#[derive(Clone)]
pub(crate) struct TlsDoor {
    pub(crate) acceptor: TlsAcceptor,
    /// `None` where the certificate binds nothing.
    pub(crate) end_point: Option<Arc<[u8]>>,
}

impl TlsDoor {
    pub(crate) fn open(files: &TlsFiles) -> Result<Self, TlsError> {
        let Certified { mut config, certificate } = files.read()?;
        // What newer clients ask for when they begin with TLS at once.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        let end_point = end_point(&certificate).map(Arc::from);
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), end_point })
    }
}

fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { algorithm OID, … }, … }
    let (certificate_body, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate_body, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (algorithm, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(digest(hash_of(algorithm)?, certificate).as_ref().to_vec())
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The hash by which a signature's algorithm is bound.
fn hash_of(algorithm: &[u8]) -> Option<&'static Algorithm> {
    /// 1.2.840.113549.1.1: RSA of PKCS #1.
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    /// 1.2.840.10045.4: ECDSA.
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    if let Some(rsa) = algorithm.strip_prefix(RSA) {
        return match rsa {
            // MD5, SHA-1 and SHA-256.
            [4 | 5 | 11] => Some(&SHA256),
            [12] => Some(&SHA384),
            [13] => Some(&SHA512),
            _ => None,
        };
    }
    match algorithm.strip_prefix(ECDSA)? {
        // SHA-1 and SHA-256.
        [1] | [3, 2] => Some(&SHA256),
        [3, 3] => Some(&SHA384),
        [3, 4] => Some(&SHA512),
        _ => None,
    }
}

/// The contents of the element of DER that the bytes begin with, and what comes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A certificate of which only the skeleton is looked at.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let element = |tag: u8, body: &[u8]| [&[tag, body.len() as u8][..], body].concat();
        let algorithm = element(SEQUENCE, &[element(OBJECT_IDENTIFIER, algorithm), vec![5, 0]].concat());
        element(SEQUENCE, &[element(SEQUENCE, b"tbs"), algorithm, vec![3, 1, 0]].concat())
    }

    #[test]
    fn the_signature_tells_the_hash() {
        let of = |algorithm: &[u8]| {
            let certificate = certificate(algorithm);
            end_point(&certificate).map(|hash| (hash == digest(&SHA256, &certificate).as_ref(), hash.len()))
        };
        let rsa = |last: u8| [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last];
        assert_eq!(of(&rsa(11)), Some((true, 32)));
        assert_eq!(of(&rsa(5)), Some((true, 32)), "SHA-1 is bound by SHA-256");
        assert_eq!(of(&rsa(12)), Some((false, 48)));
        assert_eq!(of(&rsa(10)), None, "RSASSA-PSS");
        assert_eq!(of(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 3, 4]), Some((false, 64)));
        assert_eq!(of(&[0x2b, 0x65, 0x70]), None, "Ed25519");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = end_point(&bytes);
            let _ = end_point(&[&[SEQUENCE, 0x81, bytes.len() as u8][..], &bytes].concat());
        }
    }
}
